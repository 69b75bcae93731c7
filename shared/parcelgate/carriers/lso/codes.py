"""The platform's words as tables. A word that is in no table is kept unchanged, never guessed."""

import re
from collections.abc import Mapping

from parcelgate.domain.trackings import TrackingStatus

OK = 200
"""The call succeeded (documented, lso-order-commit, ordering step 4)."""

TOKEN_REFUSED = 401
"""The token must be renewed (assumed)."""

FORBIDDEN = 403
"""The token must be renewed too, unless the answer is about the order (assumed)."""

TOO_MANY_REQUESTS = 429
"""Nothing was done; ask again later (assumed)."""

TRACKING_STATUSES: Mapping[str, TrackingStatus] = {
    "label created": TrackingStatus.INFO_RECEIVED,
    "picked up": TrackingStatus.IN_TRANSIT,
    "in transit": TrackingStatus.IN_TRANSIT,
    "out for delivery": TrackingStatus.OUT_FOR_DELIVERY,
    "attempted": TrackingStatus.ATTEMPT_FAILED,
    "attempted delivery": TrackingStatus.ATTEMPT_FAILED,
    "delivery attempted": TrackingStatus.ATTEMPT_FAILED,
    "delivered": TrackingStatus.DELIVERED,
    "exception": TrackingStatus.EXCEPTION,
    "delivery exception": TrackingStatus.EXCEPTION,
    "returned": TrackingStatus.RETURNED,
    "returned to sender": TrackingStatus.RETURNED,
}
"""LSO's tracking words are not public: only plain English is understood (assumed)."""

FIELD_POINTERS: Mapping[str, str] = {
    "customerNumber": "/reference",
    "客户单号": "/reference",
    "lsoServiceType": "/service",
    "serviceType": "/service",
    "receiver": "/ship_to/name",
    "receiveCompany": "/ship_to/company",
    "收件公司": "/ship_to/company",
    "receiverPhone": "/ship_to/phone",
    "收件人电话": "/ship_to/phone",
    "address1": "/ship_to/line1",
    "地址1": "/ship_to/line1",
    "address2": "/ship_to/line2",
    "地址2": "/ship_to/line2",
    "city": "/ship_to/city",
    "收件人所在城市": "/ship_to/city",
    "province": "/ship_to/state",
    "收件人所在州": "/ship_to/state",
    "postcode": "/ship_to/postcode",
    "收件邮编": "/ship_to/postcode",
    "nationCode": "/ship_to/country",
    "systemSenderName": "/options/sender_name",
    "packWeight": "/parcels/*/weight",
    "boxLength": "/parcels/*/dimensions/length",
    "boxWidth": "/parcels/*/dimensions/width",
    "boxHight": "/parcels/*/dimensions/height",
    "referenceNo1": "/parcels/*/reference",
    "referenceNo2": "/parcels/*/secondary_reference",
    "lsoDeclaredValue": "/parcels/*/declared_value",
}
"""By field of orderCommit, by its name or its words in the document: its place in our create body."""

_SEPARATORS = re.compile(r"[\s_\-]+")


def plain(word: str) -> str:
    """Return `word` as the tables spell it: lower case, single blanks, no underscores or hyphens."""
    return _SEPARATORS.sub(" ", word).strip().casefold()


def tracking_status(word: str, more: Mapping[str, str] | None = None) -> TrackingStatus | None:
    """Return the status of a tracking word; None if it is in no table.

    `more` holds the account's own words, which come first.
    """
    known = plain(word)
    own = {plain(key): value for key, value in (more or {}).items()}.get(known)
    if own is not None:
        return TrackingStatus(own)
    return TRACKING_STATUSES.get(known)


def pointer_in(text: str, parcels: int) -> str | None:
    """Return the pointer to the field of the create body that a refusal's `text` names; None without one.

    A field of a box names the box as in `orderDetails[1].packWeight`. Without that, it is the only box or
    any of them.
    """
    named = [
        (match.start(), -len(name), pointer)
        for name, pointer in FIELD_POINTERS.items()
        if (match := re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text))
    ]
    if not named:
        return None
    pointer = min(named)[2]
    if "*" not in pointer:
        return pointer
    box = re.search(r"orderDetails\[(\d{1,3})\]", text)
    index = int(box[1]) if box else 0
    if index < parcels and (box or parcels == 1):
        return pointer.replace("*", str(index))
    return "/parcels"
