"""The bodies of an operator's requests."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from parcelgate.http.requests.formats import reading
from parcelgate.http.requests.orders import Input
from parcelgate.services.operator.operations import Outcome

_Reason = Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(reading.line)]
_Name = Annotated[str, Field(max_length=80), BeforeValidator(reading.line)]


class PauseInput(Input):
    """Why the calls of a carrier account are held, and who holds them. Default: the name of the API key."""

    reason: _Reason
    by: _Name | None = None


class EraseInput(Input):
    """How strictly it is looked whether an order still needs its recipient's data."""

    force: bool = Field(
        False,
        description="Erase also while its parcels are on their way, a refund is outstanding or the order "
        "needs a person.",
    )


class DismissInput(Input):
    """How a person has dealt with a parked webhook, and who. Default: the name of the API key."""

    reason: _Reason
    by: _Name | None = None


class ResolveInput(Input):
    """What a person has found out about an order."""

    outcome: Outcome = Field(strict=False)
