"""The platform's bodies, by its own names. What we send is checked strictly; what we read is read tolerantly.

Requests: documented (lso-order-commit, "request parameters"). Numbers go as JSON numbers with two
decimals, as the document's table has them (Decimal); its sample puts placeholders in quotes.
Answers: documented where orderCommit and the callback show them, otherwise assumed.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from parcelgate.carriers.toolkit.bodies import UnreadableError, an_object, decoded, renamed, text
from parcelgate.carriers.toolkit.models import Read, Required, Sent, Text, WholeText

_LONGEST_NUMBER = 40

# What we send.

TwoDecimals = Annotated[Decimal, Field(strict=True, gt=0, decimal_places=2)]


class Box(Sent):
    """One line of `orderDetails`: pounds and inches."""

    pack_weight: TwoDecimals
    box_length: TwoDecimals
    box_width: TwoDecimals
    # Sent as `boxHight`: the platform's spelling.
    box_hight: TwoDecimals
    # Documented: this level wins over the order's, so the order's is never sent.
    reference_no1: Required
    reference_no2: Required | None = None
    lso_declared_value: TwoDecimals | None = None


class FeePreview(Sent):
    """The fee preview: orderCommit without its `url` and `customerNumber` (assumed)."""

    province: Required
    city: Required
    receiver: Required
    receiver_phone: Required
    postcode: Required
    address1: Required
    address2: Required | None = None
    nation_code: Required
    receive_company: Required
    system_sender_name: Required | None = None
    lso_service_type: Required
    order_details: Annotated[tuple[Box, ...], Field(min_length=1)]


class OrderCommit(FeePreview):
    """An order."""

    customer_number: Required
    url: Required | None = None


# What we read.


def _decimal(value: Any) -> Decimal | None:
    digits = text(value)
    if digits is None or len(digits) > _LONGEST_NUMBER:
        return None
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    # Money and weights are far below this limit. A larger exponent would only fail when it is written.
    return number if number.is_finite() and -20 <= number.adjusted() <= 15 else None


def _whole(value: Any) -> int | None:
    number = _decimal(value)
    return None if number is None or number != number.to_integral_value() else int(number)


def _objects(value: Any) -> Any:
    return [an_object(item) for item in value] if isinstance(value, list) else []


def _texts(value: Any) -> Any:
    return [word for item in value if (word := text(item))] if isinstance(value, list) else []


Number = Annotated[Decimal | None, BeforeValidator(_decimal)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class TokenData(Read):
    """A new token; its life in seconds (assumed)."""

    token: Text = None
    expires_in: Number = None


class FeeData(Read):
    """A price preview (assumed)."""

    prepaid_price: Number = None
    commission: Number = None
    close_weight_all: Number = None


class CommittedBox(Read):
    """One box of a taken order (documented)."""

    reference_no1: Text = None
    detail_number: Text = None


class CommittedData(Read):
    """orderCommit's answer (documented)."""

    order_number: Text = None
    order_details: Annotated[tuple[CommittedBox, ...], BeforeValidator(_objects)] = ()


class ResultBox(Read):
    """One box of a finished order (documented). Its measures are shown as they come."""

    service_number: Text = None
    master_service_number: Text = None
    reference_no1: Text = None
    reference_no2: Text = None
    pack_weight: Number = None
    box_length: Number = None
    box_width: Number = None
    # The platform's spelling.
    box_hight: Number = None


class ResultData(FeeData):
    """The order's result: the callback's bodies of success and of failure (documented)."""

    order_number: Text = None
    customer_number: Text = None
    status: Text = None
    error_message: Text = None
    # Not `totalWeightLbs`.
    total_weight_lbs: Annotated[Number, Field(alias="totalWeightlbs")] = None
    total_weight_kg: Annotated[Number, Field(alias="totalWeightkg")] = None
    master_service_numbers: Texts = ()
    details: Annotated[tuple[ResultBox, ...], BeforeValidator(_objects)] = ()


class LabelEntry(Read):
    """One label, in the answer itself or at an address (assumed)."""

    service_number: Text = None
    label_base64: Annotated[WholeText, Field(alias="labelBase64")] = None
    label_url: WholeText = None


class LabelData(Read):
    """The label call's answer (assumed)."""

    labels: Annotated[tuple[LabelEntry, ...], BeforeValidator(_objects)] = ()


class TrackEvent(Read):
    """One event of a journey (assumed)."""

    time: Text = None
    status: Text = None
    description: Text = None
    city: Text = None
    state: Text = None


class Track(Read):
    """One parcel's journey (assumed)."""

    service_number: Text = None
    events: Annotated[tuple[TrackEvent, ...], BeforeValidator(_objects)] = ()


class TrackingData(Read):
    """The tracking call's answer (assumed)."""

    tracks: Annotated[tuple[Track, ...], BeforeValidator(_objects)] = ()


class Answer(Read):
    """The envelope of every answer: `code`, `data`, `err`, `msg` (documented)."""

    code: Annotated[int, BeforeValidator(_whole)]
    data: Annotated[dict[str, Any], BeforeValidator(an_object)] = Field(default_factory=dict)
    err: Text = None
    msg: Text = None

    @property
    def message(self) -> str:
        """The platform's own words, the most precise ones."""
        return text(self.data.get("errorMessage")) or self.err or self.msg or ""

    @property
    def speaks_of_order(self) -> bool:
        """Whether the answer is about an order, as the documented failure is: it has a number or a reason."""
        return any(text(self.data.get(name)) for name in ("orderNumber", "errorMessage"))


def read(content: bytes, names: Mapping[str, str] | None = None) -> Answer | None:
    """Return the answer in `content`; None when it is not JSON, not an object, or has no code.

    `names` maps an account's other field names back to those used here.
    """
    try:
        body = decoded(content)
    except UnreadableError:
        return None
    if not isinstance(body, dict) or _whole(body.get("code")) is None:
        return None
    return Answer.model_validate(renamed(body, names) if names else body)
