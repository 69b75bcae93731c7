"""TrackingMore's words and codes, and what they mean to us. A word that is in no table is never guessed.

Codes of answers: public (the vendor's status page), 4016 documented. Statuses and sub-statuses: public (the
vendor's pages of v2 and v4; three of the exceptions have been seen with a sibling product alone).
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from parcelgate.domain.trackings import TrackingStatus


class Kind(StrEnum):
    """The meaning of a code, which decides what is done about it."""

    DONE = "done"
    PARTLY = "partly"
    FOLLOWED = "followed"
    NOT_FOLLOWED = "not_followed"
    AUTHENTICATION = "authentication"
    TOO_MANY = "too_many"
    TRANSIENT = "transient"
    REFUSED = "refused"


DUPLICATE = "4016"
NO_CONTENT = "4031"
UNDETECTED = "4032"
UNPAID = frozenset({"402", "4019", "4021"})
"""TrackingMore serves no call of the account: no money, no quota, or the trial is over."""

_KINDS: Mapping[str, Kind] = {
    "200": Kind.DONE,
    "201": Kind.DONE,
    # The call was accepted, but beyond a limit: the lists say what became of each parcel, if there are any.
    "202": Kind.PARTLY,
    "401": Kind.AUTHENTICATION,
    "403": Kind.AUTHENTICATION,
    "404": Kind.NOT_FOLLOWED,
    "429": Kind.TOO_MANY,
    "4001": Kind.AUTHENTICATION,
    "4002": Kind.AUTHENTICATION,
    DUPLICATE: Kind.FOLLOWED,
    "4017": Kind.NOT_FOLLOWED,
    NO_CONTENT: Kind.NOT_FOLLOWED,
}


def kind(code: str) -> Kind:
    """Return the kind of a code, of a whole answer or of one parcel in it; 500 to 599 are transient."""
    if re.fullmatch(r"5\d\d", code, re.ASCII):
        return Kind.TRANSIENT
    return _KINDS.get(code, Kind.REFUSED)


POINTERS: Mapping[str, str] = {
    "4013": "/tracking_number",
    "4014": "/tracking_number",
    "4015": "/carrier_code",
    "4018": "/carrier_code",
    "4032": "/carrier_code",
}
"""Which field of a parcel's body a code is about (assumed)."""

MEANINGS: Mapping[str, str] = {
    "202": "this exceeds a limit of the TrackingMore account",
    "402": "the TrackingMore account must be paid for",
    "4012": "the request to TrackingMore lacks a field",
    "4013": "TrackingMore got no tracking number",
    "4014": "TrackingMore does not accept the tracking number",
    "4015": "TrackingMore does not know the courier",
    "4017": "TrackingMore does not follow the parcel",
    "4018": "the courier has to be activated for the account first",
    "4019": "the balance of the TrackingMore account is used up",
    "4020": "too many parcels in one call to TrackingMore",
    "4021": "the quota of the TrackingMore account is used up",
    "4031": "TrackingMore knows nothing about it",
    "4032": "TrackingMore cannot detect the courier",
    "4033": "TrackingMore does not accept the status",
}
"""The meaning of each refusal in plain words, added to TrackingMore's own message."""


class Meaning(NamedTuple):
    """What a status means; `status` is None for a word of no table."""

    status: TrackingStatus | None
    sub_status: str | None = None


_S = TrackingStatus

STATUSES: Mapping[str, Meaning] = {
    "pending": Meaning(_S.PENDING),
    "notfound": Meaning(_S.PENDING),
    "transit": Meaning(_S.IN_TRANSIT),
    # Careful: out for delivery, or ready to be collected; see `meaning`.
    "pickup": Meaning(_S.OUT_FOR_DELIVERY),
    "delivered": Meaning(_S.DELIVERED),
    "undelivered": Meaning(_S.ATTEMPT_FAILED),
    "exception": Meaning(_S.EXCEPTION),
    "expired": Meaning(_S.EXPIRED),
    # v4 alone.
    "inforeceived": Meaning(_S.INFO_RECEIVED),
}
"""The statuses of a parcel and of its checkpoints."""

SUB_STATUSES: Mapping[str, Meaning] = {
    "notfound001": Meaning(_S.INFO_RECEIVED),
    "notfound002": Meaning(_S.PENDING),
    "inforeceived001": Meaning(_S.INFO_RECEIVED),
    "transit001": Meaning(_S.IN_TRANSIT),
    "transit002": Meaning(_S.IN_TRANSIT, "arrived_at_hub"),
    "transit003": Meaning(_S.IN_TRANSIT, "at_delivery_facility"),
    "transit004": Meaning(_S.IN_TRANSIT, "in_destination_country"),
    "transit005": Meaning(_S.IN_TRANSIT, "customs_cleared"),
    "transit006": Meaning(_S.IN_TRANSIT, "dispatched"),
    "transit007": Meaning(_S.IN_TRANSIT, "left_airport"),
    # Public (v4's page): out for delivery, ready for collection, recipient contacted before delivery.
    "pickup001": Meaning(_S.OUT_FOR_DELIVERY),
    "pickup002": Meaning(_S.AVAILABLE_FOR_PICKUP),
    "pickup003": Meaning(_S.OUT_FOR_DELIVERY),
    "delivered001": Meaning(_S.DELIVERED),
    "delivered002": Meaning(_S.DELIVERED),
    "delivered003": Meaning(_S.DELIVERED),
    "delivered004": Meaning(_S.DELIVERED),
    # Public (v4's page): the address, nobody there, the addressee cannot be found, something else.
    "undelivered001": Meaning(_S.ATTEMPT_FAILED, "address_problem"),
    "undelivered002": Meaning(_S.ATTEMPT_FAILED),
    "undelivered003": Meaning(_S.ATTEMPT_FAILED),
    "undelivered004": Meaning(_S.ATTEMPT_FAILED),
    # Seen with the sibling product alone: too long without news.
    "exception001": Meaning(_S.EXCEPTION),
    "exception002": Meaning(_S.EXCEPTION),
    "exception003": Meaning(_S.EXCEPTION),
    "exception004": Meaning(_S.EXCEPTION, "unclaimed"),
    "exception005": Meaning(_S.EXCEPTION),
    "exception006": Meaning(_S.EXCEPTION, "customs_hold"),
    # Damaged, lost or discarded: the text says which, see `meaning`.
    "exception007": Meaning(_S.EXCEPTION),
    "exception008": Meaning(_S.CANCELLED),
    "exception009": Meaning(_S.EXCEPTION, "refused"),
    "exception010": Meaning(_S.RETURNED),
    "exception011": Meaning(_S.RETURNING),
    "expired001": Meaning(_S.EXPIRED),
}
"""The sub-statuses, which say more than the status they belong to."""

_READY = re.compile(
    r"\b(?:ready|available|awaiting|waiting|held|kept)\b[^.;]{0,40}\b(?:pick(?:ed)?[\s-]*up|collect(?:ed|ion)?)\b"
    r"|\b(?:can|may)\b[^.;]{0,10}\bbe\s+(?:collected|picked[\s-]*up)\b|\bto\s+be\s+collected\b|待取|自提",
    re.IGNORECASE,
)
_NOT_READY = re.compile(r"\bnot\s+(?:yet\s+)?(?:ready|available)", re.IGNORECASE)
_DAMAGED = re.compile(r"damag|broken|破损|损坏", re.IGNORECASE)
_LOST = re.compile(r"\blost\b|\bmissing\b|遗失|丢失", re.IGNORECASE)


def meaning(status: str | None, sub_status: str | None = None, text: str = "") -> Meaning:
    """Return what a status means, with its sub-status and the text beside it.

    A sub-status counts when it belongs to the status, or when there is no status; it may also be in the
    place of the status. `pickup` means ready to be collected when the sub-status or the text says so, and
    `exception007` damaged or lost when the text says which (assumed: the words that are looked for).
    """
    word, sub = plain(status), plain(sub_status)
    if not sub or (word and family(sub) != family(word)):
        sub = word
    listed = SUB_STATUSES.get(sub) or STATUSES.get(word) or STATUSES.get(family(sub))
    if listed is None:
        return Meaning(None)
    if family(sub) == "pickup" and _READY.search(text) and not _NOT_READY.search(text):
        return Meaning(_S.AVAILABLE_FOR_PICKUP)
    if sub == "exception007":
        damaged, lost = bool(_DAMAGED.search(text)), bool(_LOST.search(text))
        if damaged is not lost:
            return Meaning(_S.DAMAGED if damaged else _S.LOST)
    return listed


def plain(word: str | None) -> str:
    """Return a word as the tables spell it: `not found001` becomes `notfound001`."""
    return re.sub(r"[\s_-]+", "", word or "").casefold()


def family(word: str | None) -> str:
    """Return the status to which a word belongs: `transit` for `transit004`."""
    return re.sub(r"\d{3}$", "", plain(word), flags=re.ASCII)
