"""The label in an answer. Pure."""

from parcelgate.carriers.lme import wire
from parcelgate.carriers.results import (
    LabelFile,
)
from parcelgate.carriers.toolkit import documents
from parcelgate.domain.orders import Order


def label_data(answer: wire.Answer) -> wire.LabelData:
    """The label of an answer, bare or as the one entry of a list (assumed)."""
    data = answer.data
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return wire.LabelData.model_validate(data if isinstance(data, dict) else {})


def label_file(order: Order, content: bytes | None) -> LabelFile | None:
    """The file, checked by its first bytes and its size; None when it is no label."""
    return documents.label_file(order.parcels[0].reference, content)
