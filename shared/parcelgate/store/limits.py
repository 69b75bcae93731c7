"""The limits of a carrier account: its calls are counted over all environments in one small item.

A lane, the narrower limit of some of its calls, is a token bucket in another item beside it. A login that
several accounts have is a further one, in a table that their stages may share. A digest of carrier and login
finds it, and it holds a moment alone.

The item holds four things. The token bucket is the moment at which it would be full again, so that a call is
one conditional update. The rest is a moment before which the carrier asked not to be called. The circuit
breaker has the number of failed calls in a row, the end of the time without calls, and the lease of the probe
that tries whether the carrier is back. For people it says how things went: when a call was last made and last
failed and how, how many calls were held back since the carrier is down, and since when its login is refused.

A person may pause the account: then no call is made until a person resumes them. As every call is one
conditional update of the item, a pause holds for all environments from the moment it is written.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import ConditionFailedError, Item, Items, epoch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DOWN = "DOWN"
"""The partition of the circuits that are open, of all tenants. Its items name the carrier alone."""
LOGINS = "LOGINS#"
"""What the partitions of logins begin with that several accounts have. The rest is a digest."""
_SK = "LIMITS"
_LANE = "LANE#"
_LOOKS = 6
_NOT_PAUSED = "attribute_not_exists(paused_at)"
_OPEN = (
    f"{_NOT_PAUSED} AND attribute_not_exists(down_until) "
    "AND (attribute_not_exists(rest_until) OR rest_until <= :now)"
)
"""The calls are not paused, the carrier is not down, and it did not ask for a rest."""
_LOGIN_KEPT = timedelta(days=1)
"""A token bucket that is full again may go: a login without an item has a full one."""
LOOK_AGAIN = timedelta(minutes=2)
"""How soon work that a pause holds looks whether the calls were resumed."""


class Reason(StrEnum):
    """Why a call may not be made now."""

    BUSY = "the account's rate is used up"
    RESTING = "the carrier asked to be left alone"
    DOWN = "the carrier is down"
    PAUSED = "a person has paused the account's calls"


class Pause(NamedTuple):
    """A person holds an account's calls: since when, who, and why."""

    since: datetime
    by: str
    reason: str


class Entry(NamedTuple):
    """Whether a call may be made.

    If it may not, `reason` says why, and `wait` after how many seconds to ask again. `probe`: this call tries
    whether the carrier is back. `troubled`: other calls failed just before. `pause`: who paused the calls.
    """

    reason: Reason | None = None
    wait: float = 0.0
    probe: bool = False
    troubled: bool = False
    pause: Pause | None = None


class AccountRecord(NamedTuple):
    """How the calls of one carrier account went. `failing_since` and `held` are of the present failures."""

    called_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None
    failing_since: datetime | None = None
    down_until: datetime | None = None
    rest_until: datetime | None = None
    refused_at: datetime | None = None
    held: int = 0
    pause: Pause | None = None


class _Limited:
    """An item that calls are counted in."""

    _items: Items
    _key: Item

    def _try(
        self,
        sets: Mapping[str, int | str],
        condition: str,
        removes: Sequence[str] = (),
        adds: dict[str, int] | None = None,
        **values: int,
    ) -> "_Tried":
        try:
            item = self._items.update(
                self._key, {**sets}, removes, adds=adds, condition=condition, returning=True, **values
            )
        except ConditionFailedError as error:
            return _Tried(False, error.item or {})
        return _Tried(True, item)


class LoginLimits(_Limited):
    """The token bucket of a login that several accounts have, or of a lane of it. It holds a moment alone."""

    def __init__(self, items: Items, login: str, *, lane: str | None = None) -> None:
        self._items = items
        self._login = login
        self._key = {"pk": LOGINS + login, "sk": _SK if lane is None else _LANE + lane}

    def lane(self, name: str) -> "LoginLimits":
        """The token bucket of the login's calls of one kind."""
        return LoginLimits(self._items, self._login, lane=name)

    def enter(self, at: datetime, *, rate: float, burst: int) -> Entry:
        """Take one call out of the token bucket, or say how long to wait. Raises StoreError."""
        now = _ms(at)
        interval, slack = _token_bucket(rate, burst)
        kept = {"expires_at": epoch(at + _LOGIN_KEPT)}
        for _ in range(_LOOKS):
            item = self._try(
                {"full_at": math.ceil(now + interval), **kept},
                "attribute_not_exists(full_at) OR full_at <= :now",
                now=now,
            )
            if item.admitted:
                return Entry()
            full = item.numbers.get("full_at", 0)
            if full > now + slack:
                return Entry(Reason.BUSY, (full - slack - now) / 1000)
            if self._try(
                kept,
                "full_at > :now AND full_at <= :latest",
                adds={"full_at": math.ceil(interval)},
                now=now,
                latest=now + slack,
            ).admitted:
                return Entry()
        return Entry(Reason.BUSY, interval / 1000)


class LoginsTable:
    """The table in which the calls of shared logins are counted; several stages may have the same one."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._items = Items(client, name)

    def limits(self, carrier: str, login: str) -> LoginLimits:
        """The token bucket of what the carrier knows a login by. Nobody can read the login from it."""
        return LoginLimits(self._items, keys.digest(carrier, login))


class AccountLimits(_Limited):
    """One carrier account's item. All times given are the caller's."""

    def __init__(
        self, items: Items, tenant: str, carrier: str, account: str, *, lane: str | None = None
    ) -> None:
        self._items = items
        self._account = tenant, carrier, account
        sort_key = _SK if lane is None else _LANE + lane
        self._key = {"pk": keys.key(tenant, _SK, carrier, account), "sk": sort_key}
        self._shown = {"pk": DOWN, "sk": f"{carrier}#{keys.digest(tenant, account)}"}
        self._shown_pause = {"pk": DOWN, "sk": f"{self._shown['sk']}#PAUSE"}

    @property
    def name(self) -> str:
        """The account's own name."""
        return self._account[2]

    def lane(self, name: str) -> "AccountLimits":
        """The token bucket of the account's calls of one kind."""
        return AccountLimits(self._items, *self._account, lane=name)

    def enter(self, at: datetime, *, rate: float, burst: int, probe_life: timedelta) -> Entry:
        """Take one call out of the token bucket, or say why not. Raises StoreError."""
        now = _ms(at)
        interval, slack = _token_bucket(rate, burst)
        for _ in range(_LOOKS):
            item = self._try(
                {"full_at": math.ceil(now + interval), "called_at": now},
                f"(attribute_not_exists(full_at) OR full_at <= :now) AND {_OPEN}",
                now=now,
            )
            if item.admitted:
                return item.entry()
            numbers = item.numbers
            if (pause := _pause(numbers)) is not None:
                return Entry(Reason.PAUSED, LOOK_AGAIN.total_seconds(), pause=pause)
            if (rest := numbers.get("rest_until", 0)) > now:
                return Entry(Reason.RESTING, (rest - now) / 1000)
            if "down_until" in numbers:
                busy_until = max(numbers["down_until"], numbers.get("probe_until", 0))
                if busy_until > now:
                    return Entry(Reason.DOWN, (busy_until - now) / 1000)
                item = self._try(
                    {"probe_until": now + _ms_of(probe_life), "called_at": now},
                    f"{_NOT_PAUSED} AND down_until <= :now "
                    "AND (attribute_not_exists(probe_until) OR probe_until <= :now)",
                    now=now,
                )
                if item.admitted:
                    return Entry(probe=True, troubled=True)
                continue
            full = numbers.get("full_at", 0)
            if full > now + slack:
                return Entry(Reason.BUSY, (full - slack - now) / 1000)
            item = self._try(
                {"called_at": now},
                f"full_at > :now AND full_at <= :latest AND {_OPEN}",
                adds={"full_at": math.ceil(interval)},
                now=now,
                latest=now + slack,
            )
            if item.admitted:
                return item.entry()
        # Other callers came first each time.
        return Entry(Reason.BUSY, interval / 1000)

    def failed(
        self,
        at: datetime,
        *,
        probe: bool,
        failures: int,
        window: timedelta,
        cool_down: timedelta,
        what: str = "",
    ) -> bool:
        """Count a failed call, of which `what` says how. Returns whether the carrier is down from now on."""
        now = _ms(at)
        last: dict[str, int | str] = {"failed_at": now, "failure": what}
        down: dict[str, int | str] = {"down_until": now + _ms_of(cool_down), **last}
        if probe:
            self._items.update(self._key, down, ["probe_until"])
            return True
        horizon = now - _ms_of(window)
        item = self._try(last, "failing_since > :horizon", adds={"failures": 1}, horizon=horizon)
        if not item.admitted:
            self._items.update(self._key, {"failures": 1, "failing_since": now, **last})
        in_a_row = item.numbers.get("failures", 1) if item.admitted else 1
        if in_a_row < failures:
            return False
        return self._try(down, "attribute_not_exists(down_until)").admitted

    def succeeded(self, *, probe: bool) -> None:
        """A call succeeded. Earlier failures do not count any more. After a probe all may call again."""
        failures = ("failures", "failing_since", "refused_at")
        if probe:
            self._items.update(self._key, {}, (*failures, "down_until", "probe_until", "held"))
        else:
            self._try({}, "attribute_not_exists(down_until)", failures)

    def held(self) -> None:
        """A call was held back because the carrier is down, or the account paused."""
        self._try({}, "attribute_exists(down_until) OR attribute_exists(paused_at)", adds={"held": 1})

    def pause(self, at: datetime, *, by: str, reason: str) -> None:
        """Let no call be made until `resume`. A pause that stands keeps its beginning. Raises StoreError."""
        why: dict[str, int | str] = {"paused_by": by, "pause_reason": reason}
        if not self._try({"paused_at": _ms(at), **why}, _NOT_PAUSED).admitted:
            self._try(why, "attribute_exists(paused_at)")
        self._items.update(self._shown_pause, {"until": 0, "paused": True})

    def resume(self) -> Pause | None:
        """Let calls be made again. Returns the pause that was; None if there was none. Raises StoreError."""
        pause = self.record().pause
        attributes = ["paused_at", "paused_by", "pause_reason"]
        if not self._try(
            {}, "attribute_exists(paused_at) AND attribute_exists(down_until)", attributes
        ).admitted:
            self._try({}, "attribute_exists(paused_at)", [*attributes, "held"])
        self._items.delete(self._shown_pause)
        return pause

    def refused(self, at: datetime) -> None:
        """The carrier does not accept the account's login. The next call that succeeds takes this back."""
        self._try({"refused_at": _ms(at)}, "attribute_not_exists(refused_at)")

    def record(self) -> "AccountRecord":
        """How the account's calls went."""
        item = self._items.get(self._key) or {}

        def moment(name: str) -> datetime | None:
            return datetime.fromtimestamp(item[name] / 1000, UTC) if name in item else None

        return AccountRecord(
            called_at=moment("called_at"),
            failed_at=moment("failed_at"),
            failure=item.get("failure") or None,
            failing_since=moment("failing_since"),
            down_until=moment("down_until"),
            rest_until=moment("rest_until"),
            refused_at=moment("refused_at"),
            held=item.get("held", 0),
            pause=_pause(item),
        )

    def let_go(self) -> None:
        """The probe was not made. Another call may try."""
        self._items.update(self._key, {}, ["probe_until"])

    def show_down(self, until: datetime) -> None:
        """Let everybody know that the carrier is down for this account, until then or `show_up`."""
        self._items.update(self._shown, {"until": _ms(until), "expires_at": epoch(until)})

    def show_up(self) -> None:
        """Let everybody know that the carrier answers this account again."""
        self._items.update(self._shown, {"until": 0})

    def rest(self, at: datetime, duration: timedelta) -> None:
        """The carrier asked for a rest of that length."""
        until = {"rest_until": _ms(at) + _ms_of(duration)}
        self._try(until, "attribute_not_exists(rest_until) OR rest_until < :rest_until")


class OpenCircuits:
    """Which carriers are down, or paused, for one account at least. Nobody's account can be told from it."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def states(self, at: datetime) -> tuple[set[str], set[str]]:
        """The codes of the carriers that are down, and of those whose calls are paused. Raises StoreError."""
        down, paused = set(), set()
        for item in self._items.query("pk = :pk", pk=DOWN):
            carrier = item["sk"].partition("#")[0]
            if item["until"] > _ms(at):
                down.add(carrier)
            if item.get("paused"):
                paused.add(carrier)
        return down, paused


class _Tried(NamedTuple):
    """Whether an update was made, and the item then."""

    admitted: bool
    numbers: Item

    def entry(self) -> Entry:
        return Entry(troubled="failures" in self.numbers or "refused_at" in self.numbers)


def _pause(item: Item) -> Pause | None:
    if "paused_at" not in item:
        return None
    since = datetime.fromtimestamp(item["paused_at"] / 1000, UTC)
    return Pause(since, item.get("paused_by", ""), item.get("pause_reason", ""))


def _token_bucket(rate: float, burst: int) -> tuple[float, int]:
    """How long a token bucket needs for one call, and how far ahead of that calls may be. Milliseconds."""
    interval = 1000.0 / rate
    slack = math.floor((burst - 1) * interval)
    return interval, slack


def _ms(moment: datetime) -> int:
    return math.floor(moment.timestamp() * 1000)


def _ms_of(span: timedelta) -> int:
    return math.ceil(span.total_seconds() * 1000)
