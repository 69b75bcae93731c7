"""How much of a carrier one account may ask."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one account may ask of its carrier, and when a carrier counts as down.

    `rate` calls a second on the average, `burst` of them at once. After `failures` calls in a row that
    failed within `window` seconds, by whomever they were made, nobody calls for `cool_down` seconds; then
    one call tries whether the carrier is back. After a 429 that does not say for how long, nobody calls for
    `rest` seconds. `lanes` are narrower limits, in calls a second, that some kinds of call have besides.
    """

    rate: float = 25.0
    burst: int = 100
    rest: float = 5.0
    lanes: dict[str, float] = {}
    failures: int = 10
    window: float = 60.0
    cool_down: float = 30.0
