"""The two ways into the table: `Table` for routing, `TenantTable` for everything that belongs to a tenant."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from parcelgate.store import keys
from parcelgate.store.calls import KEPT, Items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from parcelgate.store.couriers import CourierLists
    from parcelgate.store.credentials.api_keys import ApiKeys, KeyDirectory
    from parcelgate.store.credentials.page_tokens import PageTokens
    from parcelgate.store.credentials.platform_tokens import PlatformTokenVault
    from parcelgate.store.credentials.webhook_tokens import WebhookTokens
    from parcelgate.store.due import DueIndex
    from parcelgate.store.idempotency import Idempotency
    from parcelgate.store.inbox import Inbox
    from parcelgate.store.jobs.batches import Batches
    from parcelgate.store.jobs.manifests import Manifests
    from parcelgate.store.jobs.printouts import Printouts
    from parcelgate.store.limits import AccountLimits, OpenCircuits
    from parcelgate.store.orders import Orders
    from parcelgate.store.places import Places
    from parcelgate.store.tenants.account_names import AccountNames
    from parcelgate.store.tenants.habits import Habits
    from parcelgate.store.tenants.rate_cards import RateCards
    from parcelgate.store.tenants.recipient_pages import RecipientPages
    from parcelgate.store.tenants.stats import Stats
    from parcelgate.store.tenants.tenant_settings import SettingsItem
    from parcelgate.store.trackings import Trackings
    from parcelgate.store.wheel import Wheel

# Each part is imported when it is first used: the authorizer reads one key, and should load no more.


class Table:
    """The one table, as far as it can be read without knowing the tenant.

    >>> table = Table(clients.client("dynamodb"), settings.table)  # doctest: +SKIP
    >>> order = table.tenant("acme").orders.get("ord_01JD...")  # doctest: +SKIP
    """

    def __init__(self, client: "DynamoDBClient", name: str, kept: timedelta = KEPT) -> None:
        self._items = Items(client, name, kept)

    def tenant(self, tenant: str) -> "TenantTable":
        """The handle to one tenant's data. Raises ValueError for a name that no tenant can have."""
        return TenantTable(self._items, tenant)

    @cached_property
    def keys_by_id(self) -> "KeyDirectory":
        """API keys by their id: whose they are and what they may do."""
        from parcelgate.store.credentials.api_keys import KeyDirectory

        return KeyDirectory(self._items)

    @cached_property
    def webhook_tokens(self) -> "WebhookTokens":
        """Webhook tokens by their hash: whose webhooks they let in."""
        from parcelgate.store.credentials.webhook_tokens import WebhookTokens

        return WebhookTokens(self._items)

    @cached_property
    def page_tokens(self) -> "PageTokens":
        """Tokens of recipients' pages: which page each leads to."""
        from parcelgate.store.credentials.page_tokens import PageTokens

        return PageTokens(self._items)

    @cached_property
    def open_circuits(self) -> "OpenCircuits":
        """Which carriers are down, over all tenants."""
        from parcelgate.store.limits import OpenCircuits

        return OpenCircuits(self._items)

    @cached_property
    def due(self) -> "DueIndex":
        """What is overdue, over all tenants."""
        from parcelgate.store.due import DueIndex

        return DueIndex(self._items)

    @cached_property
    def wheel(self) -> "Wheel":
        """The parcels that wait together for their next polls, over all tenants."""
        from parcelgate.store.wheel import Wheel

        return Wheel(self._items)


class TenantTable:
    """One tenant's data. Whatever is read or written here begins with the tenant in its key."""

    def __init__(self, items: Items, tenant: str) -> None:
        keys.tenant_prefix(tenant)
        self.tenant = tenant
        self._items = items

    @cached_property
    def orders(self) -> "Orders":
        """Orders and their events."""
        from parcelgate.store.orders import Orders

        return Orders(self._items, self.tenant)

    @cached_property
    def batches(self) -> "Batches":
        """Batches of orders, and how far they have come."""
        from parcelgate.store.jobs.batches import Batches

        return Batches(self._items, self.tenant)

    @cached_property
    def printouts(self) -> "Printouts":
        """The labels of many orders in one PDF."""
        from parcelgate.store.jobs.printouts import Printouts

        return Printouts(self._items, self.tenant)

    @cached_property
    def manifests(self) -> "Manifests":
        """Manifests, and which orders were in which."""
        from parcelgate.store.jobs.manifests import Manifests

        return Manifests(self._items, self.tenant)

    @cached_property
    def claims(self) -> "Idempotency":
        """Idempotency keys."""
        from parcelgate.store.idempotency import Idempotency

        return Idempotency(self._items, self.tenant)

    def token_vault(self, carrier: str, account: str, **more: Any) -> "PlatformTokenVault":
        """The vault of one carrier account's bearer token, made with `more` of its fields."""
        from parcelgate.store.credentials.platform_tokens import PlatformTokenVault

        context = {"tenant": self.tenant, "carrier": carrier, "account": account}
        return PlatformTokenVault(items=self._items, context=context, **more)

    def limits(self, carrier: str, account: str) -> "AccountLimits":
        """How much is asked of one carrier account."""
        from parcelgate.store.limits import AccountLimits

        return AccountLimits(self._items, self.tenant, carrier, account)

    def places(self, kind: str, carrier: str, account: str, *, most: int) -> "Places":
        """The places for work of one kind on one carrier account, such as `batches`: at most `most`."""
        from parcelgate.store.places import Places

        pk = keys.key(self.tenant, "LIMITS", carrier, account)
        return Places(self._items, {"pk": pk, "sk": f"PLACES#{kind}"}, most)

    @cached_property
    def inbox(self) -> "Inbox":
        """Webhooks from carriers."""
        from parcelgate.store.inbox import Inbox

        return Inbox(self._items, self.tenant)

    @cached_property
    def trackings(self) -> "Trackings":
        """Followed parcels, and when each is asked about."""
        from parcelgate.store.trackings import Trackings

        return Trackings(self._items, self.tenant)

    @cached_property
    def couriers(self) -> "CourierLists":
        """The aggregators' lists of couriers."""
        from parcelgate.store.couriers import CourierLists

        return CourierLists(self._items, self.tenant)

    @cached_property
    def rate_cards(self) -> "RateCards":
        """The price lists of the tenant's carrier accounts."""
        from parcelgate.store.tenants.rate_cards import RateCards

        return RateCards(self._items, self.tenant)

    @cached_property
    def account_names(self) -> "AccountNames":
        """Which carrier accounts the tenant has."""
        from parcelgate.store.tenants.account_names import AccountNames

        return AccountNames(self._items, self.tenant)

    @cached_property
    def stats(self) -> "Stats":
        """The tenant's figures, by day, carrier and service."""
        from parcelgate.store.tenants.stats import Stats

        return Stats(self._items, self.tenant)

    @cached_property
    def habits(self) -> "Habits":
        """What was learned of the corridors in which the tenant's parcels travel."""
        from parcelgate.store.tenants.habits import Habits

        return Habits(self._items, self.tenant)

    @cached_property
    def settings(self) -> "SettingsItem":
        """What the tenant has set."""
        from parcelgate.store.tenants.tenant_settings import SettingsItem

        return SettingsItem(self._items, self.tenant)

    @cached_property
    def recipient_pages(self) -> "RecipientPages":
        """What recipients' pages are made of."""
        from parcelgate.store.tenants.recipient_pages import RecipientPages

        return RecipientPages(self._items, self.tenant)

    @cached_property
    def api_keys(self) -> "ApiKeys":
        """The tenant's API keys."""
        from parcelgate.store.credentials.api_keys import ApiKeys

        return ApiKeys(self._items, self.tenant)
