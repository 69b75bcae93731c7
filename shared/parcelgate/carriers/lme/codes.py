"""LME's codes and words as tables. A code or word that is in no table is kept unchanged, never guessed."""

import re
from collections.abc import Mapping

import msgspec

from parcelgate.carriers.lme.settings import ErrorKind, ErrorMeaning
from parcelgate.domain.trackings import TrackingStatus

OK = "0"
"""Success in LME's answers, as text or number (public). In the answer to a push it is 200 (documented)."""


class Action(msgspec.Struct, frozen=True):
    """What a code of a push or a route means, and whether the recipient may see it.

    A code without a status is housekeeping, or another carrier's words. A parcel whose status is in `leaves`
    keeps it.
    """

    status: TrackingStatus | None = None
    sub_status: str | None = None
    shown: bool = True
    leaves: tuple[TrackingStatus, ...] = ()


_S = TrackingStatus

ACTIONS: Mapping[str, Action] = {
    # Documented: the given table (lme-tracing-push-v2), 36 rows of 34 codes. Two spellings are LME's own:
    # deliver_in_warehose and out_warehorse_2. Two codes stand twice, and one Y in "shown" is enough.
    "create_order": Action(_S.INFO_RECEIVED),
    "collect_order": Action(_S.IN_TRANSIT, "arrived_at_hub"),
    "update_order": Action(shown=False),
    "deliver_in_warehose": Action(_S.IN_TRANSIT, "at_delivery_facility", leaves=(_S.DAMAGED, _S.RETURNING)),
    "exception_order": Action(_S.EXCEPTION, shown=False),
    "damage_order": Action(_S.DAMAGED, shown=False),
    "order_sorting_finish": Action(),
    "out_warehorse_2": Action(_S.OUT_FOR_DELIVERY),
    "exception_change_data_1": Action(_S.ATTEMPT_FAILED, "rescheduled"),
    "exception_reject": Action(_S.EXCEPTION, "refused"),
    "exception_withdrawing_re_in_warehouse": Action(_S.RETURNING),
    "exception_lose": Action(_S.LOST),
    "damage_warehouse_out": Action(_S.DAMAGED, shown=False),
    "refund_warehouse_out": Action(_S.RETURNING, shown=False),
    "sign_in": Action(_S.DELIVERED),
    "sign_image": Action(_S.DELIVERED),
    "navigation_or_address_error": Action(_S.EXCEPTION, "address_problem"),
    "recipient_address_pobox": Action(_S.EXCEPTION, "address_problem"),
    "no_safe_no_way_contact": Action(_S.ATTEMPT_FAILED),
    "user_request_for_time_change": Action(_S.ATTEMPT_FAILED, "rescheduled"),
    "exception_breakage": Action(_S.DAMAGED),
    "order_oversize": Action(_S.EXCEPTION, "oversize"),
    "lost": Action(_S.LOST),
    "modify_sign_in": Action(_S.DELIVERED),
    "reassign": Action(_S.ATTEMPT_FAILED, "rescheduled"),
    "transport_order": Action(_S.IN_TRANSIT, "dispatched"),
    "transport_order_v2": Action(),
    "to_be_delivered": Action(_S.IN_TRANSIT),
    "allocate_order": Action(_S.IN_TRANSIT, "dispatched"),
    "block_remove_package": Action(shown=False),
    "block_remove_package_abnormal_remark": Action(_S.EXCEPTION, shown=False),
    "allocate_wait_out": Action(_S.IN_TRANSIT),
    "allocate_out": Action(_S.IN_TRANSIT, "dispatched"),
    "allocate_in": Action(),
    # Public: seen by a receiver of pushes, in no table. It is not known whether recipients may see them.
    "in_warehorse": Action(_S.IN_TRANSIT, "arrived_at_hub", shown=False),
    "exception_redeliver": Action(_S.ATTEMPT_FAILED, shown=False),
}
"""Codes of pushes and routes; the statuses are ours."""

FORWARDED = frozenset({"transport_order", "transport_order_v2", "to_be_delivered"})
"""Events of the next carrier, in Australia alone (documented)."""

NEXT_CARRIER = "australia-post"
"""The courier whose number `trackNo` then is (documented: "forwarded to Australia Post"; its field: assumed).

The name is the aggregator's for that courier (assumed).
"""

_HANDED_ON = re.compile(
    r"tracking\s+number\s*[:\uff1a]\s*\[?\s*([A-Z0-9][A-Z0-9-]{5,38}[A-Z0-9])", re.ASCII | re.I
)


def next_number(text: str) -> str | None:
    """The next carrier's number in the text of an event (documented: "... , Tracking Number: [number]")."""
    match = _HANDED_ON.search(text)
    return match[1] if match else None


def action(code: str) -> Action | None:
    """The meaning of a code; None if it is in no table."""
    return ACTIONS.get(code.strip().casefold())


CODES: Mapping[str, ErrorKind] = {
    "401": ErrorKind.AUTHENTICATION,
    "403": ErrorKind.AUTHENTICATION,
    "404": ErrorKind.NOT_FOUND,
    "408": ErrorKind.UNKNOWN,
    "429": ErrorKind.TRANSIENT,
    # It means success in our answer to a push. In LME's own replies its meaning is not known.
    "200": ErrorKind.UNKNOWN,
}
"""Codes that look like HTTP's are read like HTTP's (assumed); 500 to 599 mean an unknown outcome."""

WORDS: Mapping[ErrorKind, tuple[str, ...]] = {
    ErrorKind.AUTHENTICATION: (
        "invalid sign", "wrong sign", "bad sign", "incorrect sign", "sign error", "sign fail", "sign verif",
        "sign check", "sign is", "signature error", "signature fail", "signature is", "signature verif",
        "signature invalid", "verify sign", "invalid appkey", "appkey not", "unauthorized", "timestamp",
        "验签", "签名", "时间戳",
    ),
    ErrorKind.NOT_FOUND: (
        "not exist", "n't exist", "not found", "cannot find", "no such order", "no order", "no data",
        "no record", "unknown order", "不存在", "未找到", "没有找到", "找不到",
    ),
    ErrorKind.DUPLICATE: (
        "exists", "already exist", "existed", "already used", "already taken", "duplicate", "repeat",
        "unique", "已存在", "重复",
    ),
    ErrorKind.CANCELLED: ("already cancel", "been cancel", "is cancelled", "is canceled", "已取消"),
    ErrorKind.CLOSED: (
        "already collected", "been collected", "after collect", "picked up", "already deliver", "已揽收",
    ),
    ErrorKind.NOT_PERMITTED: ("not permitted", "not allowed", "no permission", "无权"),
    ErrorKind.TRANSIENT: ("too many requests", "rate limit", "system busy", "try again later", "系统繁忙"),
}  # fmt: skip
"""Parts of the message that decide about a code in no table (assumed), in lower case.

The first kind that fits counts: "does not exist" comes before "exists".
"""


def meaning(code: str, message: str, table: Mapping[str, ErrorMeaning]) -> ErrorMeaning:
    """Return what an error is, by the account's own `table`, then by those above; otherwise a refusal."""
    if listed := table.get(code):
        return listed
    if kind := CODES.get(code):
        return ErrorMeaning(kind)
    if re.fullmatch(r"5\d\d", code, re.ASCII):
        return ErrorMeaning(ErrorKind.UNKNOWN)
    text = message.casefold()
    return ErrorMeaning(
        next(
            (kind for kind, parts in WORDS.items() if any(part in text for part in parts)), ErrorKind.REFUSED
        )
    )


FIELD_POINTERS: Mapping[str, str] = {
    "outOrderNo": "/reference",
    "orderNo": "/parcels/0/tracking_number",
    "preTimeStart": "/options/delivery_window/from",
    "preTimeEnd": "/options/delivery_window/to",
    "totalLength": "/parcels/0/dimensions/length",
    "totalWidth": "/parcels/0/dimensions/width",
    "totalHeight": "/parcels/0/dimensions/height",
    "totalWeight": "/parcels/0/weight",
    "cargoDesc": "/customs/description",
    "remark": "/options/instruction",
}
"""By field of createOrder: its place in our create body."""

CONTACT_POINTERS: Mapping[str, str] = {
    "contact": "name",
    "company": "company",
    "mobile": "phone",
    "tel": "phone",
    "email": "email",
    "zoneCode": "country",
    "country": "country",
    "province": "state",
    "city": "city",
    "postCode": "postcode",
    "address": "line1",
}
"""The same for the fields of `poster` and `receiver`."""

_SIDES = {"receiver": "/ship_to", "poster": "/ship_from"}


def pointer_in(text: str) -> str | None:
    """Return the pointer to the field of the create body that a refusal's `text` names; None without one.

    A field of an address belongs to the receiver if the text does not name a side.
    """
    for match in re.finditer(r"(?<![A-Za-z0-9_.])(?:(receiver|poster)\.)?([A-Za-z]+)(?![A-Za-z0-9_])", text):
        side, name = match.groups()
        # A plain word ("city", "address") is a field's name only after its side, or in camel case.
        if name in CONTACT_POINTERS and (side or name != name.lower()):
            return f"{_SIDES[side or 'receiver']}/{CONTACT_POINTERS[name]}"
        if side is None and name in FIELD_POINTERS and (name != "orderNo" or "outOrderNo" not in text):
            return FIELD_POINTERS[name]
    return None
