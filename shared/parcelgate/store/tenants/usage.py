"""How much each tenant has asked for in the present minute, and when each key was last used.

One small item for each tenant and each key, in a table of its own.

Every function that answers clients counts here, also those that may only read elsewhere: DynamoDB gives
rights by table. An item holds the number of its minute, what was counted in it (`n_<kind>` for the tenant and
`n_<kind>_<key id>` for a key), and the tenant's own limits where it has some (`most_<kind>`).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import ConditionFailedError, Item, Items, epoch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LOOKS = 3
_KEPT = timedelta(days=400)
_COUNT, _MOST = "n_", "most_"


class Usage(NamedTuple):
    """What was counted in a minute, and the tenant's own limits, by kind."""

    tenant: Mapping[str, int]
    key: Mapping[str, int]
    limits: Mapping[str, int]


class UsageTable:
    """The table of what tenants ask for. All methods raise StoreError."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._items = Items(client, name)

    def add(self, tenant: str, key_id: str, minute: int, kind: str, amount: int) -> Usage | None:
        """Count `amount` of a kind, such as `orders`, for a tenant and one of its keys.

        One update, and two at the beginning of a minute. Returns the minute's counts; None when the minute is
        over already, by other clocks.
        """
        adds = {f"{_COUNT}{kind}": amount, f"{_COUNT}{kind}_{key_id}": amount}
        for _ in range(_LOOKS):
            try:
                item = self._items.update(
                    _key(tenant),
                    {},
                    adds=adds,
                    condition="minute_number = :minute",
                    returning=True,
                    minute=minute,
                )
            except ConditionFailedError as error:
                before = error.item or {}
                if before.get("minute_number", 0) > minute:
                    return None
                old = [name for name in before if name.startswith(_COUNT) and name not in adds]
                try:
                    item = self._items.update(
                        _key(tenant),
                        {"minute_number": minute, **adds},
                        old,
                        condition="attribute_not_exists(minute_number) OR minute_number < :minute",
                        returning=True,
                        minute=minute,
                    )
                except ConditionFailedError:
                    continue
            return _usage(item, key_id)
        return None

    def used(self, tenant: str, key_id: str, at: datetime) -> None:
        """Note the day (UTC) on which a key was used."""
        forgotten = epoch(at + _KEPT)
        self._items.update(_use(tenant, key_id), {"used_on": f"{at:%Y-%m-%d}", "expires_at": forgotten})

    def last_used(self, tenant: str, key_ids: Sequence[str]) -> dict[str, date]:
        """Return the day on which each of these keys was last used, where one is known."""
        items = self._items.get_many([_use(tenant, key_id) for key_id in key_ids])
        days = {item["pk"]: date.fromisoformat(item["used_on"]) for item in items}
        places = {key_id: _use(tenant, key_id)["pk"] for key_id in key_ids}
        return {key_id: days[place] for key_id, place in places.items() if place in days}

    def limits(self, tenant: str) -> Mapping[str, int]:
        """The tenant's own limits, by kind; what is not there is as the stack has it."""
        return _usage(self._items.get(_key(tenant)) or {}, "").limits

    def set_limits(self, tenant: str, limits: Mapping[str, int | None]) -> None:
        """Give a tenant limits of its own; None takes one back."""
        sets: Item = {f"{_MOST}{kind}": most for kind, most in limits.items() if most is not None}
        gone = [f"{_MOST}{kind}" for kind, most in limits.items() if most is None]
        self._items.update(_key(tenant), sets, gone)


def _key(tenant: str) -> Item:
    return {"pk": keys.key(tenant, "USAGE"), "sk": "USAGE"}


def _use(tenant: str, key_id: str) -> Item:
    return {"pk": keys.key(tenant, "USED", key_id), "sk": "USED"}


def _usage(item: Item, key_id: str) -> Usage:
    counts = {name.removeprefix(_COUNT): n for name, n in item.items() if name.startswith(_COUNT)}
    ends = f"_{key_id}"
    return Usage(
        tenant={name: n for name, n in counts.items() if "_" not in name},
        key={name.removesuffix(ends): n for name, n in counts.items() if name.endswith(ends)},
        limits={name.removeprefix(_MOST): n for name, n in item.items() if name.startswith(_MOST)},
    )
