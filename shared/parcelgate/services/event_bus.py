"""The event bus of the stack, on which every event of the event log is announced by ids alone."""

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from parcelgate.domain.merchants.events import Event
from parcelgate.services.side_by_side import WORKERS, side_by_side

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
    workers: int = WORKERS
    """How many calls are made side by side."""

    def put(self, announcements: Sequence[Announcement]) -> tuple[list[int], Exception | None]:
        """Announce events. Returns the places of those that the bus did not take, and the last error.

        The bus may carry an event twice, under the same id.
        """
        batches = [*batched(enumerate(announcements), _AT_ONCE, strict=False)]
        outcomes = side_by_side(self._refused, batches, workers=self.workers)
        refused = [place for places, _ in outcomes for place in places]
        return refused, next((error for _, error in reversed(outcomes) if error is not None), None)

    def _refused(self, batch: Sequence[tuple[int, Announcement]]) -> tuple[list[int], Exception | None]:
        places = [place for place, _ in batch]
        try:
            answer = self.client.put_events(Entries=[self._entry(each) for _, each in batch])  # type: ignore[misc]
        except Exception as error:
            return places, error
        results = zip(places, answer["Entries"], strict=True)
        return [place for place, result in results if "ErrorCode" in result], None

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
