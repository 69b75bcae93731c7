"""The body of a request for a label document."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from parcelgate.domain.printouts import MOST_ORDERS, PLACES, Layout, PrintRequest
from parcelgate.http.requests.formats.reading import WrongValueError, line, whole
from parcelgate.http.requests.orders import Input, read

_LONGEST_ID = 80


class LabelDocumentInput(Input):
    """Orders whose labels shall be in one PDF, in this order."""

    order_ids: Annotated[
        list[Annotated[str, Field(max_length=_LONGEST_ID), BeforeValidator(line)]],
        Field(min_length=1, max_length=MOST_ORDERS),
    ]
    layout: Annotated[
        Literal["as_is", "a4_4"],
        Field(description="`as_is`: a page for each label. `a4_4`: four labels on each A4 page."),
    ] = "as_is"
    start_at: Annotated[
        int,
        Field(
            ge=1,
            le=PLACES,
            description="For a half-used sheet of `a4_4`: the first free place. 1 is at the top left, "
            "2 at the top right, 3 and 4 are below.",
        ),
        BeforeValidator(whole),
    ] = 1

    @field_validator("start_at")
    @classmethod
    def _of_a_sheet(cls, start_at: int, info: ValidationInfo) -> int:
        if start_at > 1 and info.data.get("layout") == "as_is":
            raise WrongValueError("out_of_range", "Only sheets of a4_4 have places. Leave start_at out.")
        return start_at


def read_label_document(body: object) -> PrintRequest:
    """Read which labels shall be printed, and how. Raises ProblemError with every mistake in the body."""
    request = read(LabelDocumentInput, body)
    return PrintRequest(
        order_ids=tuple(request.order_ids), layout=Layout(request.layout), start_at=request.start_at
    )
