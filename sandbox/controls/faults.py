"""Faults that a test sets for the next calls to any carrier.

`POST /_sandbox/faults` takes a list of::

    {"carrier": "lso", "call": "orderCommit", "kind": "reset_after",
     "times": 1, "reference": "shop-17", "code": 1777, "retry_after": 2, "seconds": 30}

`carrier`, `call` (``*`` for any) and `kind` are required; `times` is 1 when left out. With
`reference` only calls about that order count (LSO: orderCommit and orderResult name it, the
others are traced to it by order or service number). The first fault that fits a call is used
first. The answer is `{"faults": [...]}` with the remaining faults. These are the kinds, and whether the
carrier still carries the call out:

=============  ======================================================================  =======
reset_before   the connection is reset                                                 no
reset_after    the connection is reset                                                 yes
timeout        silence for `seconds` (30), then the connection is closed               yes
half_body      half of the answer, then the connection is closed                       yes
wrong_type     the answer with everything below its first level of the wrong type      yes
status_500     HTTP 500, plain text                                                    no
html_502       HTTP 502 with an HTML page                                              no
429            HTTP 429, with `Retry-After: retry_after` when that is given            no
unauthorized   refused as with bad credentials, in the carrier's own way               no
code           refused with the carrier's own `code`                                   no
=============  ======================================================================  =======
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import UnionType
from typing import Any


class Kind(StrEnum):
    """What goes wrong; the module's table says how."""

    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    TIMEOUT = "timeout"
    HALF_BODY = "half_body"
    WRONG_TYPE = "wrong_type"
    STATUS_500 = "status_500"
    HTML_502 = "html_502"
    TOO_MANY = "429"
    UNAUTHORIZED = "unauthorized"
    CODE = "code"


_FIELDS: Mapping[str, type | UnionType] = {
    "carrier": str,
    "call": str,
    "kind": str,
    "times": int,
    "reference": str,
    "code": int,
    "retry_after": int,
    "seconds": int | float,
}


class FaultError(ValueError):
    """A fault that cannot be injected; the message says why."""


@dataclass(slots=True)
class Fault:
    """One fault and how many calls it still makes fail."""

    carrier: str
    call: str
    kind: Kind
    times: int = 1
    reference: str | None = None
    code: int | None = None
    retry_after: int | None = None
    seconds: float = 30.0

    def fits(self, carrier: str, call: str, references: Collection[str]) -> bool:
        """Return whether this fault applies to a call about orders of these references."""
        return (
            self.times > 0
            and self.carrier == carrier
            and self.call in ("*", call)
            and (self.reference is None or self.reference in references)
        )


def read_faults(body: Any, calls: Mapping[str, Collection[str]]) -> list[Fault]:
    """Read the faults in a request's body, checked against the calls each carrier has.

    Raises
    ------
    FaultError
        It is not a list of faults, or one of them names a carrier or call that does not exist.
    """
    if not isinstance(body, list):
        raise FaultError("the body must be a list of faults")
    return [_read_fault(item, calls) for item in body]


def _read_fault(item: Any, calls: Mapping[str, Collection[str]]) -> Fault:
    try:
        for name, value in item.items():
            if not isinstance(value, _FIELDS[name]):
                raise FaultError(f"{name} cannot be {value!r}")
        fault = Fault(**{**item, "kind": Kind(item["kind"])})
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise FaultError(f"not a fault: {item!r} ({error})") from error
    if fault.carrier not in calls:
        raise FaultError(f"no carrier {fault.carrier!r}, but {', '.join(calls)}")
    if fault.call not in ("*", *calls[fault.carrier]):
        raise FaultError(f"no call {fault.call!r}, but {', '.join(calls[fault.carrier])}")
    if fault.kind is Kind.CODE and fault.code is None:
        raise FaultError("a fault of kind code needs a code")
    return fault


class Faults:
    """The remaining faults, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, faults: list[Fault]) -> None:
        """Add faults after the existing ones."""
        self._faults += faults

    def take(self, carrier: str, call: str, references: Collection[str]) -> Fault | None:
        """Find the fault that applies to a call and count it as used once; None when there is none."""
        for fault in self._faults:
            if fault.fits(carrier, call, references):
                fault.times -= 1
                return fault
        return None

    def left(self) -> list[dict[str, Any]]:
        """Return the faults that still apply to further calls."""
        return [asdict(fault) for fault in self._faults if fault.times > 0]

    def reset(self) -> None:
        """Delete them all."""
        self._faults.clear()
