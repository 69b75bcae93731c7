"""The door to the events table: `EventsTable` for a tenant's `TenantEvents`."""

from functools import cached_property
from typing import TYPE_CHECKING

from parcelgate.store import keys
from parcelgate.store.calls import Items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from parcelgate.store.merchant_events.deliveries import Deliveries
    from parcelgate.store.merchant_events.endpoints import Endpoints
    from parcelgate.store.merchant_events.log import EventLog
    from parcelgate.store.places import Places


class EventsTable:
    """The table of what merchants are told.

    >>> table = EventsTable(clients.client("dynamodb"), settings.events_table)  # doctest: +SKIP
    >>> event = table.tenant("acme").log.get("evt_01JD...", at=now())  # doctest: +SKIP
    """

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._items = Items(client, name)

    def tenant(self, tenant: str) -> "TenantEvents":
        """The handle to what one tenant is told. Raises ValueError for a name that no tenant can have."""
        return TenantEvents(self._items, tenant)


class TenantEvents:
    """What one tenant is told. Whatever is read or written here begins with the tenant in its key."""

    def __init__(self, items: Items, tenant: str) -> None:
        keys.tenant_prefix(tenant)
        self.tenant = tenant
        self._items = items

    @cached_property
    def log(self) -> "EventLog":
        """Everything that happened in the last 30 days."""
        from parcelgate.store.merchant_events.log import EventLog

        return EventLog(self._items, self.tenant)

    @cached_property
    def endpoints(self) -> "Endpoints":
        """The webhook endpoints."""
        from parcelgate.store.merchant_events.endpoints import Endpoints

        return Endpoints(self._items, self.tenant)

    def places(self, most: int) -> "Places":
        """The places for calls of the tenant's endpoints, over all of them: at most `most`."""
        from parcelgate.store.places import Places

        return Places(self._items, {"pk": keys.key(self.tenant, "ENDPOINTS"), "sk": "PLACES"}, most)

    def passes(self, most: int) -> "Places":
        """The passes of processes that call the tenant's quick endpoints: at most `most`."""
        from parcelgate.store.places import Places

        return Places(self._items, {"pk": keys.key(self.tenant, "ENDPOINTS"), "sk": "PASSES"}, most)

    @cached_property
    def deliveries(self) -> "Deliveries":
        """The events on their way to endpoints."""
        from parcelgate.store.merchant_events.deliveries import Deliveries

        return Deliveries(self._items, self.tenant)
