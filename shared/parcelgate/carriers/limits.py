"""How many calls one account may make to its carrier."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls one account may make, and when its carrier counts as down."""

    rate: float = 25.0
    """Calls per second, on average."""
    burst: int = 100
    """How many calls may be made in one burst."""
    rest: float = 5.0
    """How many seconds no call is made after a 429 without a Retry-After."""
    lanes: dict[str, float] = {}
    """Narrower limits of some calls, in calls per second. They apply in addition to the rate."""
    failures: int = 10
    """After this many failed calls in a row within the window, the circuit breaker stops all calls."""
    window: float = 60.0
    """The window of these failures, in seconds."""
    cool_down: float = 30.0
    """How many seconds no call is made then. After that one call tests whether the carrier is back."""
