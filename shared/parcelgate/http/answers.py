"""An HTTP answer, and the encoding of what it shows."""

from collections.abc import Mapping

import msgspec

RETRY_SECONDS = 2
"""What clients are told to wait before they ask again how far something is."""

encode = msgspec.json.Encoder(decimal_format="number").encode
"""A resource as JSON."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = {}


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where this API stands, as the caller sees it; `base` is empty when that is not known."""

    base: str = ""
    problems: str = "/problems"

    def order(self, order_id: str) -> str:
        """The address of an order."""
        return f"{self.base}/v1/orders/{order_id}"


def answer(resource: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a resource as JSON."""
    return Answer(
        status=status,
        body=encode(resource).decode(),
        headers={"content-type": "application/json", **(headers or {})},
    )
