"""The body of the label call, and the files in its reply. Pure."""

from collections.abc import Sequence

from parcelgate.carriers.results import (
    LabelFile,
)
from parcelgate.carriers.toolkit.documents import from_base64, label_file
from parcelgate.carriers.ubi.codes import LABEL_FORMATS, LABEL_TYPES
from parcelgate.carriers.ubi.wire import (
    LabelAnswer,
    LabelRequest,
)
from parcelgate.domain.orders import Order
from parcelgate.domain.trackings import number_key


def label_request(order: Order, numbers: Sequence[str]) -> LabelRequest:
    """The body that asks for one label for each of the numbers, not merged.

    The resolution is always named: the vendor's own pages disagree about the default.
    """
    return LabelRequest(
        order_ids=tuple(numbers),
        label_type=LABEL_TYPES.get(order.label.size, 0),
        label_format=order.label.format.upper(),
        dpi=order.label.dpi or 300,
    )


def label_files(order: Order, numbers: Sequence[str], answers: Sequence[LabelAnswer]) -> list[LabelFile]:
    """The labels that can be read, in parcel order; matched by order, tracking or reference number."""
    by_number: dict[str, LabelAnswer] = {}
    for answer in answers:
        for number in (answer.order_id, answer.tracking_no, answer.reference_no):
            if number is not None:
                by_number.setdefault(number_key(number), answer)
    files = []
    for parcel, number in zip(order.parcels, numbers, strict=True):
        label = by_number.get(number_key(number)) or by_number.get(number_key(parcel.tracking_number or ""))
        file = label and label_file(parcel.reference, _content(label))
        if file and file.format in LABEL_FORMATS:
            files.append(file)
    return files


def _content(answer: LabelAnswer) -> bytes | None:
    contents = [content for content in answer.label_contents if content]
    return from_base64(answer.label_content or (contents[0] if len(contents) == 1 else None))
