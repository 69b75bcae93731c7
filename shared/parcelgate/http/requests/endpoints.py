"""The bodies of requests about webhook endpoints. The error codes are those of `requests.orders`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from parcelgate.domain.merchants.endpoint_urls import LONGEST_URL, wrong_url
from parcelgate.domain.merchants.endpoints import MOST_FILTERS, unknown_filters
from parcelgate.domain.problems import FieldError, invalid
from parcelgate.http.requests.formats import reading
from parcelgate.http.requests.formats.reading import is_absent
from parcelgate.http.requests.orders import Input, Short, checked

_Url = Annotated[
    str,
    Field(
        max_length=LONGEST_URL,
        description="An https:// address with a public host, on port 443 or 8443.",
    ),
    BeforeValidator(reading.line),
]
_Filter = Annotated[str, Field(max_length=50), BeforeValidator(reading.lower)]
_Filters = Annotated[
    list[_Filter],
    Field(
        max_length=MOST_FILTERS,
        description="Types of events, groups such as `order.*`, or `*` for all.",
    ),
]


class EndpointInput(Input):
    """A new webhook endpoint."""

    url: _Url
    events: _Filters = Field(["*"])
    description: Short | None = None
    enabled: bool = True


class EndpointPatch(Input):
    """A merge patch of a webhook endpoint. Absent fields keep their values; null removes a description."""

    url: _Url | None = None
    events: _Filters | None = None
    description: Short | None = None
    enabled: bool | None = None


def read_endpoint(body: object, *, anywhere: bool) -> dict[str, Any]:
    """Read a new endpoint. `anywhere` allows private addresses. Raises ProblemError with every mistake."""
    request, errors = checked(EndpointInput, body)
    errors += _more_errors(request, anywhere=anywhere)
    if request is None or errors:
        raise invalid(errors)
    return _fields(request)


def read_patch(body: object, *, anywhere: bool) -> dict[str, Any]:
    """Read the fields of an endpoint that shall change. Raises ProblemError with every mistake."""
    request, errors = checked(EndpointPatch, body)
    errors += _more_errors(request, anywhere=anywhere)
    if request is None or errors:
        raise invalid(errors)
    changes = {name: value for name, value in _fields(request).items() if value is not None}
    if isinstance(body, dict) and "description" in body and is_absent(body["description"]):
        changes["description"] = None
    return changes


def _fields(request: EndpointInput | EndpointPatch) -> dict[str, Any]:
    fields = request.model_dump()
    if fields["events"] is not None:
        fields["events"] = tuple(dict.fromkeys(fields["events"]))
    return fields


def _more_errors(request: EndpointInput | EndpointPatch | None, *, anywhere: bool) -> list[FieldError]:
    if request is None:
        return []
    errors = []
    if request.url is not None and (wrong := wrong_url(request.url, local=anywhere)):
        errors.append(FieldError("/url", "format", wrong))
    message = "Matches no type of event. See docs/events.md, or /docs, for all types."
    errors += [
        FieldError(f"/events/{place}", "unknown_value", message)
        for place in unknown_filters(request.events or ())
    ]
    return errors
