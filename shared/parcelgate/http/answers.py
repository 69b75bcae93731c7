"""An HTTP answer, and how a resource is written as JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.measures import Money

if TYPE_CHECKING:
    from parcelgate.store.credentials.page_tokens import Place

_encode = msgspec.json.Encoder(decimal_format="number").encode
_AS_THEY_ARE = frozenset({str, int, bool, type(None), Decimal})
"""Most of what an answer consists of."""


LARGEST_PAGE = 4_000_000
"""Bytes of resources in one answer. Lambda takes at most 6 MB."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = {}
    in_base64: bool = False
    """Whether `body` is bytes in base64, which the gateway sends as bytes."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of this API, as the caller sees them; `base` is empty when it is not known.

    `token` makes the tokens of recipients' pages. Without it, or when it returns None, there are no links to
    them.
    """

    base: str = ""
    problems: str = "/problems"
    token: "Callable[[Place], str | None] | None" = None

    @classmethod
    def at(cls, base: str, token: "Callable[[Place], str | None] | None" = None) -> "Site":
        """The API whose `/v1` begins at this address."""
        return cls(base=base, problems=f"{base}/problems", token=token)

    def tracking_page(self, place: "Place") -> str | None:
        """The address of a recipient's page; None if it cannot be made."""
        token = self.token(place) if self.token is not None else None
        return None if token is None else f"{self.base}/track/{token}"

    def order(self, order_id: str) -> str:
        """The address of an order."""
        return f"{self.base}/v1/orders/{order_id}"


def encode(resource: object) -> bytes:
    """Write a resource as JSON: money as decimal strings, measures as numbers, times as RFC 3339 in UTC."""
    return _encode(_written(resource))


def copied[R: msgspec.Struct](kind: type[R], source: object, **others: Any) -> R:
    """Make a resource from `others` and, for all other fields, from the attributes of `source` by name."""
    named = {name: getattr(source, name) for name in kind.__struct_fields__ if name not in others}
    return kind(**named, **others)


def fitting(resources: Iterable[object]) -> int:
    """Count how many resources, beginning with the first, fit into one answer."""
    return sum(size <= LARGEST_PAGE for size in accumulate(len(encode(each)) for each in resources))


def answer(resource: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a resource as JSON."""
    return Answer(
        status=status,
        body=encode(resource).decode(),
        headers={"content-type": "application/json", **(headers or {})},
    )


def _written(value: Any) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Money):
        return {"amount": format(value.amount, "f"), "currency": value.currency}
    if isinstance(value, msgspec.Struct):
        names, omits_nulls = _fields(value.__class__)
        fields = {}
        for shown, name in names:
            part = getattr(value, name)
            # Without a call for what stays as it is: that is most, and half the work.
            fields[shown] = part if type(part) in _AS_THEY_ARE else _written(part)
        return {name: part for name, part in fields.items() if part is not None} if omits_nulls else fields
    if isinstance(value, tuple | list):
        return [_written(part) for part in value]
    if isinstance(value, dict):
        return {name: _written(part) for name, part in value.items()}
    return rfc3339(value) if isinstance(value, datetime) else value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[Sequence[tuple[str, str]], bool]:
    """The name that each field is shown by and its own, and whether null fields are left out.

    Only a resource with this setting (TrackingResult) leaves them out.
    """
    names = zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
    return tuple(names), kind.__struct_config__.omit_defaults
