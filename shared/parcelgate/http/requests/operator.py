"""The bodies of an operator's requests."""

from pydantic import Field

from parcelgate.http.requests.orders import Input
from parcelgate.services.operator.operations import Outcome


class ResolveInput(Input):
    """What a person has found out about an order."""

    outcome: Outcome = Field(strict=False)
