"""What merchants do with their endpoints: make, change, test and delete them, and see what was delivered."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.ids import new_id
from parcelgate.domain.merchants.endpoints import (
    SECRET_OVERLAP,
    Delivery,
    DeliveryState,
    DisabledReason,
    Endpoint,
)
from parcelgate.domain.merchants.events import Event, EventType, envelope, event_id
from parcelgate.services.endpoints.fan_out import DeliveryQueue, new_delivery
from parcelgate.services.endpoints.secrets import SecretBox, new_secret
from parcelgate.services.event_bus import Announcement, EventBus
from parcelgate.store.errors import StoreUnavailableError, VersionConflictError
from parcelgate.store.lists import Page
from parcelgate.store.merchant_events.endpoints import SealedSecret, StoredEndpoint

if TYPE_CHECKING:
    from parcelgate.store.merchant_events.table import EventsTable

type EndpointRendering = Callable[[Endpoint], bytes]
"""How merchants are shown an endpoint: as JSON, in the form of the API's own answers."""
_ATTEMPTS = 5


class EndpointKeeper(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps the endpoints of tenants. Another tenant's endpoint does not exist here.

    Secrets come out sealed, so that an answer that is kept for repeats holds none; `reveal` opens them.
    """

    events: "EventsTable"
    box: SecretBox
    queue: Callable[[], DeliveryQueue]
    bus: Callable[[], EventBus]
    clock: Clock = now

    def create(
        self, tenant: str, *, url: str, events: tuple[str, ...], description: str | None, enabled: bool
    ) -> tuple[Endpoint, bytes]:
        """Make an endpoint; it, and its sealed secret. Raises TooManyEndpointsError."""
        moment = self.clock()
        endpoint = Endpoint(
            id=new_id("whe"),
            tenant=tenant,
            url=url,
            events=events,
            description=description,
            created_at=moment,
            updated_at=moment,
            disabled_reason=None if enabled else DisabledReason.BY_CLIENT,
            disabled_at=None if enabled else moment,
        )
        sealed = self.box.seal(tenant, endpoint.id, new_secret())
        self.events.tenant(tenant).endpoints.add(endpoint, sealed)
        return endpoint, sealed

    def reveal(self, tenant: str, endpoint_id: str, sealed: bytes) -> str:
        """Open a sealed secret."""
        return self.box.open(tenant, endpoint_id, sealed)

    def all(self, tenant: str) -> list[Endpoint]:
        """The tenant's endpoints, oldest first."""
        return self.events.tenant(tenant).endpoints.all()

    def get(self, tenant: str, endpoint_id: str) -> Endpoint:
        """One endpoint. Raises EndpointNotFoundError."""
        return self.events.tenant(tenant).endpoints.get(endpoint_id).endpoint

    def change(self, tenant: str, endpoint_id: str, changes: Mapping[str, Any]) -> Endpoint:
        """Set `url`, `events`, `description` and `enabled`, where given. Raises EndpointNotFoundError.

        One that is enabled, or has another address, begins without failures.
        """

        def changed(stored: StoredEndpoint) -> tuple[Endpoint, None]:
            was, moment = stored.endpoint, self.clock()
            own = dict(changes)
            enabled = own.pop("enabled", was.enabled)
            if enabled != was.enabled:
                own |= {
                    "disabled_reason": None if enabled else DisabledReason.BY_CLIENT,
                    "disabled_at": None if enabled else moment,
                }
            return msgspec.structs.replace(was, updated_at=moment, **own), None

        return self._save(tenant, endpoint_id, changed)

    def rotate_secret(self, tenant: str, endpoint_id: str) -> tuple[Endpoint, bytes]:
        """Give an endpoint another secret; the old one signs too for a day. Raises EndpointNotFoundError."""
        self.get(tenant, endpoint_id)
        sealed = self.box.seal(tenant, endpoint_id, new_secret())

        def rotated(stored: StoredEndpoint) -> tuple[Endpoint, SealedSecret]:
            moment = self.clock()
            secrets = SealedSecret(sealed, stored.secrets.secret, moment + SECRET_OVERLAP)
            return msgspec.structs.replace(stored.endpoint, updated_at=moment), secrets

        return self._save(tenant, endpoint_id, rotated), sealed

    def delete(self, tenant: str, endpoint_id: str) -> None:
        """Delete an endpoint. What is on its way to it fails. Raises EndpointNotFoundError."""
        self.events.tenant(tenant).endpoints.delete(endpoint_id)

    def test(self, tenant: str, endpoint_id: str, rendering: EndpointRendering) -> Delivery:
        """Have a `ping` delivered to an endpoint, also to a disabled one. Raises EndpointNotFoundError."""
        own, endpoint = self.events.tenant(tenant), self.get(tenant, endpoint_id)
        sequence = own.endpoints.next_sequence(endpoint_id)
        event = endpoint_event(endpoint, EventType.PING, sequence, rendering(endpoint), self.clock)
        own.log.add(event)
        announce(self.bus(), endpoint, event)
        delivery = own.deliveries.add(new_delivery(endpoint, event, self.clock))
        self._send(delivery)
        return delivery

    def deliveries(self, tenant: str, endpoint_id: str, *, limit: int, cursor: str | None) -> Page[Delivery]:
        """A page of deliveries, newest first. Raises EndpointNotFoundError or BadCursorError."""
        self.get(tenant, endpoint_id)
        deliveries = self.events.tenant(tenant).deliveries
        return deliveries.page(endpoint_id, at=self.clock(), limit=limit, cursor=cursor)

    def replay(self, tenant: str, delivery_id: str) -> Delivery:
        """Begin the attempts of a delivery anew. One that is on its way stays as it is.

        Raises DeliveryNotFoundError, or EndpointNotFoundError if its endpoint was deleted.
        """
        own = self.events.tenant(tenant)
        delivery = own.deliveries.get(delivery_id, at=self.clock())
        self.get(tenant, delivery.endpoint_id)
        if delivery.state is not DeliveryState.PENDING:
            delivery = own.deliveries.replay(delivery, self.clock())
        self._send(delivery)
        return delivery

    def _send(self, delivery: Delivery) -> None:
        if self.queue().send([delivery]):
            raise StoreUnavailableError("the queue did not take the delivery")

    def _save(
        self,
        tenant: str,
        endpoint_id: str,
        change: Callable[[StoredEndpoint], tuple[Endpoint, SealedSecret | None]],
    ) -> Endpoint:
        endpoints = self.events.tenant(tenant).endpoints
        for attempt in range(_ATTEMPTS):
            stored = endpoints.get(endpoint_id)
            endpoint, secrets = change(stored)
            endpoint = msgspec.structs.replace(endpoint, version=stored.endpoint.version + 1)
            fresh = (endpoint.enabled, endpoint.url) != (stored.endpoint.enabled, stored.endpoint.url)
            try:
                endpoints.save(endpoint, was=stored.endpoint.version, secrets=secrets, fresh=fresh)
            except VersionConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return endpoint
        raise AssertionError("unreachable")


def endpoint_event(endpoint: Endpoint, kind: EventType, sequence: int, data: bytes, clock: Clock) -> Event:
    """An event about an endpoint, which the event log keeps like any other."""
    at = endpoint.disabled_at if kind is EventType.ENDPOINT_DISABLED else None
    moment = at or clock()
    own_id = event_id(endpoint.tenant, endpoint.id, sequence, kind, at=moment)
    return Event(
        id=own_id,
        tenant=endpoint.tenant,
        type=kind,
        at=moment,
        sequence=sequence,
        body=envelope(own_id, kind, at=moment, sequence=sequence, data=data),
    )


def announce(bus: EventBus, endpoint: Endpoint, event: Event) -> None:
    """Put an event about an endpoint on the bus. Raises StoreUnavailableError if the bus does not take it."""
    refused, trouble = bus.put([Announcement(event, {"endpoint_id": endpoint.id})])
    if refused:
        raise StoreUnavailableError("the bus did not take an event") from trouble
