"""eTower's words and codes, and what they mean to us. This module has tables only.

Status words: the given document says Success, Failed and Partial Success; the vendor wiki Succeeded;
clients have seen Failure. Error codes: public (LB_UBICarrierAPI, vendor wiki), classed as assumed.
Event codes: public (clients); the carrier's official list is not.
"""

from enum import StrEnum

from parcelgate.carriers.errors import Refusal
from parcelgate.domain.trackings import TrackingStatus

SUCCESS_WORDS = frozenset({"success", "succeeded", "successful", "ok"})
FAILURE_WORDS = frozenset({"failed", "failure", "fail", "error"})
GONE_WORDS = frozenset({"deleted", "cancelled", "canceled", "voided"})
"""Statuses of an order that was cancelled or deleted (assumed)."""


class ErrorClass(StrEnum):
    """What to do about an error. Of several errors, the class that comes first here decides."""

    AUTHENTICATION = "authentication"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    TRANSIENT = "transient"


DUPLICATE_REFERENCE = "110003"
UNKNOWN_ORDER = "100009"
NOT_DELETABLE = "100010"
NOT_PERMITTED = "100011"
NO_EVENTS = "950005"

CLASSES = {
    "100000": ErrorClass.TRANSIENT,
    "100004": ErrorClass.TRANSIENT,
    "100002": ErrorClass.AUTHENTICATION,
    DUPLICATE_REFERENCE: ErrorClass.DUPLICATE,
}
"""Every other code is a refusal."""


def _spread(table: dict[str, str]) -> dict[str, str]:
    """`{"130003-130005 130022": pointer}` with one entry for each code."""
    spread = {}
    for codes, pointer in table.items():
        for part in codes.split():
            first, _, last = part.partition("-")
            for code in range(int(first), int(last or first) + 1):
                spread[str(code)] = pointer
    return spread


POINTERS: dict[str, str] = _spread({
    "100005 100007-100008 100013 120023": "/service",
    "100006": "/options/facility",
    "100014-100015": "{parcel}/tracking_number",
    "110001-110003": "{reference}",
    "110004-110005 110014": "/ship_to/name",
    "110006 110010 110012": "/ship_to/phone",
    "110007 110011 110013": "/ship_to/email",
    "110008": "/options/platform",
    "110009": "/ship_to/company",
    "110016-110019": "/ship_to/tax_id",
    "110020": "/ship_from/phone",
    "120001-120002": "/ship_to/line1",
    "120003": "/ship_to/line2",
    "120004 120014-120016 120018": "/ship_to/line3",
    "120005-120007 120017": "/ship_to/city",
    "120008-120010 120019 120034": "/ship_to/state",
    "120011-120012 120020 120025 120033 120035": "/ship_to/postcode",
    "120013 120021-120022 120032": "/ship_to/country",
    "120024": "/options/service_option",
    "120036": "/ship_from/line1",
    "120037": "/ship_from/line2",
    "120038": "/ship_from/line3",
    "120039": "/ship_from/city",
    "120040": "/ship_from/state",
    "120041": "/ship_from/postcode",
    "120042": "/ship_from/country",
    "130001-130002 130022": "/customs/description",
    "120053 130003-130005 140003": "{parcel}/weight",
    "130006 130008-130010 190019": "/customs/value",
    "130007": "{parcel}/sku_on_label",
    "130011": "{parcel}/dimensions/length",
    "130012": "{parcel}/dimensions/width",
    "130013": "{parcel}/dimensions/height",
    "130014 130016 130018": "{parcel}/dimensions",
    "130015 130017": "{parcel}/volume",
    "130019-130021": "/customs/native_description",
    "150001-150002": "/return_to/line1",
    "150003": "/return_to/line2",
    "150004": "/return_to/line3",
    "150005-150007": "/return_to/city",
    "150008-150010": "/return_to/state",
    "150011-150012": "/return_to/postcode",
    "150013": "/return_to/country",
    "150101": "/return_to/name",
    "190001": "{parcel}/items",
    "190002 190029": "{item}/quantity",
    "190003": "{item}/number",
    "190004 190008": "{item}/sku",
    "190005 190009 190028": "{item}/description",
    "190006": "{item}/unit_value",
    "190007 190010 190032": "{item}/origin_country",
    "190018 190023-190026": "{item}/hs_code",
    "190020-190022": "{item}/native_description",
    "190030-190031 190033": "{item}/weight",
    "190034-190035": "{item}/url",
    "400001-400003": "/parcels",
    "400004": "/parcels/0/reference",
})  # fmt: skip
"""By error code: the pointer to the field of our body that it names (public, LB_UBICarrierAPI)."""

SERVICES_LISTED = "GET /v1/carriers/ubi/services lists the account's services."

LABEL_TYPES = {"4x6": 1, "a4": 2, "4x4": 4}
"""Our label sizes as `labelType`: 10x15 cm, A4, 10x10 cm (public, "Print Label")."""

LABEL_FORMATS = frozenset({"pdf", "jpg", "zpl"})
"""What `labelFormat` can ask for (public, "Print Label")."""

EVENTS: dict[str, tuple[TrackingStatus, str | None]] = {
    "INF": (TrackingStatus.INFO_RECEIVED, None),
    "RCV": (TrackingStatus.IN_TRANSIT, None),
    "SCN": (TrackingStatus.IN_TRANSIT, None),
    "CCD": (TrackingStatus.IN_TRANSIT, "customs_cleared"),
    "DVR": (TrackingStatus.IN_TRANSIT, None),
    "HLD": (TrackingStatus.EXCEPTION, "customs_hold"),
    # Mind: DLV is an attempt at delivery, DLD is the delivery.
    "DLV": (TrackingStatus.ATTEMPT_FAILED, None),
    "CRD": (TrackingStatus.AVAILABLE_FOR_PICKUP, None),
    "DLD": (TrackingStatus.DELIVERED, None),
    "RTN": (TrackingStatus.RETURNED, None),
}
"""Event codes seen by clients (public); a code that is not here is shown and never guessed."""

MEANINGS = {
    UNKNOWN_ORDER: "UBI does not know the order",
    NOT_DELETABLE: "UBI has closed the order, so it can no longer be cancelled",
    NOT_PERMITTED: "UBI does not permit this account to act on the order",
}
"""What refusals of a later change mean, in our words, because the carrier's own are hard to read (public)."""

REASONS = {
    UNKNOWN_ORDER: Refusal.UNKNOWN_ORDER,
    NOT_DELETABLE: Refusal.ALREADY_CLOSED,
    NOT_PERMITTED: Refusal.NOT_PERMITTED,
}
"""The same refusals as reasons that carriers share. An order that cannot be deleted is closed (public)."""
