"""How much of a carrier one account may ask."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one account may ask of its carrier, and when a carrier counts as down."""

    rate: float = 25.0
    """Calls a second, on the average."""
    burst: int = 100
    """Calls at once."""
    rest: float = 5.0
    """For so many seconds nobody calls after a 429 that does not say for how long."""
    lanes: dict[str, float] = {}
    """Narrower limits, in calls a second, that some kinds of call have besides."""
    failures: int = 10
    """After so many failed calls in a row within the window, by whomever they were made, nobody calls."""
    window: float = 60.0
    """The window of these failures, in seconds."""
    cool_down: float = 30.0
    """How many seconds nobody calls then, before one call tries whether the carrier is back."""
