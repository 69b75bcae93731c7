"""How many examples a property is tried with: a few, always the same, or as many as are asked for."""

from typing import Any

from hypothesis import HealthCheck, Phase, settings

from local import arguments

LONG = arguments.whole("PARCELGATE_EXAMPLES", 0)
"""Examples for each property of a long run, which are other ones each time."""
UNWELCOME = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
"""What says nothing of the code: how long examples take to make, and that a fixture serves many of them."""


def many(usual: int, **more: Any) -> settings:
    """Try a property `usual` times, the same each time; in a long run as often as that run says.

    A long run shows what it finds as it found it: making an example smaller takes minutes.
    """
    return settings(
        max_examples=LONG or usual,
        derandomize=not LONG,
        phases=(Phase.explicit, Phase.generate) if LONG else tuple(Phase),
        **more,
    )
