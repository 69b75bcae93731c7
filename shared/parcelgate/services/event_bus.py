"""The event bus of the stack, on which every event of the event log is announced by ids alone."""

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from parcelgate.domain.merchants.events import Event

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "parcelgate"
"""The `source` of every event on the bus."""
_AT_ONCE = 10
"""What PutEvents takes in one call."""


class Announcement(NamedTuple):
    """An event, and what the bus says of it beside its id, tenant and sequence. Ids and codes alone."""

    event: Event
    detail: Mapping[str, str]


class EventBus(msgspec.Struct, frozen=True, kw_only=True):
    """Puts events on the bus. `name` is the bus's."""

    client: "EventBridgeClient"
    name: str

    def put(self, announcements: Sequence[Announcement]) -> tuple[list[int], Exception | None]:
        """Announce events. Returns the places of those that the bus did not take, and the last error.

        The bus may carry an event twice, under the same id.
        """
        refused: list[int] = []
        trouble: Exception | None = None
        for batch in batched(enumerate(announcements), _AT_ONCE, strict=False):
            places = [place for place, _ in batch]
            try:
                answer = self.client.put_events(Entries=[self._entry(each) for _, each in batch])  # type: ignore[misc]
            except Exception as error:
                trouble = error
                refused += places
            else:
                results = zip(places, answer["Entries"], strict=True)
                refused += [place for place, result in results if "ErrorCode" in result]
        return refused, trouble

    def _entry(self, announcement: Announcement) -> dict[str, Any]:
        event = announcement.event
        own = {"id": event.id, "tenant": event.tenant, "sequence": event.sequence}
        return {
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": msgspec.json.encode(own | dict(announcement.detail)).decode(),
            "Time": event.at,
            "EventBusName": self.name,
        }
