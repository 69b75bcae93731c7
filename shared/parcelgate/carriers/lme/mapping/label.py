"""The label in an answer. Pure."""

from parcelgate.carriers.lme import wire


def label_data(answer: wire.Answer) -> wire.LabelData:
    """The label of an answer, bare or as the one entry of a list (assumed)."""
    data = answer.data
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return wire.LabelData.model_validate(data if isinstance(data, dict) else {})
