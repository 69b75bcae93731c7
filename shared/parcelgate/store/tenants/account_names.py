"""The names of a tenant's carrier accounts. Their content is in Secrets Manager alone.

In Secrets Manager a function can list all secrets or none, so the names are stored here too.
"""

from parcelgate.store import keys
from parcelgate.store.calls import Items


class AccountNames:
    """The names of one tenant's carrier accounts."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._pk = keys.key(tenant, "ACCOUNTS")

    def add(self, carrier: str, account: str) -> None:
        """Remember an account. Remembering it again does no harm."""
        names = {"carrier": carrier, "account": account}
        self._items.put({"pk": self._pk, "sk": f"{carrier}#{account}", **names}, condition="")

    def all(self) -> list[tuple[str, str]]:
        """Carrier and name of each account, in alphabetical order. One may be gone by now."""
        return [(item["carrier"], item["account"]) for item in self._items.query("pk = :pk", pk=self._pk)]
