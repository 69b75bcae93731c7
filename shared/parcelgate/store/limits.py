"""How much is asked of a carrier account, counted over all environments in one small item.

A narrower limit of some of its calls, a lane, is a bucket in an item of its own beside it.

The item holds the token bucket as the one moment at which it would be full again (so that a call is one
conditional update, whatever the rate), a moment before which the carrier wants to be left alone, and the
circuit breaker: how many calls have failed in a row, until when nobody calls, and who tries whether the
carrier is back.
"""

import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from parcelgate.store import calls, keys
from parcelgate.store.calls import ConditionFailedError, Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SK = "LIMITS"
_LOOKS = 6


class Reason(StrEnum):
    """Why a call may not be made now."""

    BUSY = "the account's rate is used up"
    RESTING = "the carrier asked to be left alone"
    DOWN = "the carrier is down"


class Entry(NamedTuple):
    """Whether a call may be made.

    `wait` is how many seconds later it makes sense to ask again, for a `reason`. `probe` tells that the
    call tries, for all, whether the carrier is back; `troubled` that others have failed just before.
    """

    reason: Reason | None = None
    wait: float = 0.0
    probe: bool = False
    troubled: bool = False


class AccountLimits:
    """One carrier account's item. All times given are the caller's."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        tenant: str,
        carrier: str,
        account: str,
        *,
        lane: str | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._whose = tenant, carrier, account
        sort_key = _SK if lane is None else f"LANE#{lane}"
        self._key = {"pk": {"S": keys.key(tenant, _SK, carrier, account)}, "sk": {"S": sort_key}}

    def lane(self, name: str) -> "AccountLimits":
        """The bucket of the account's calls of one kind."""
        return AccountLimits(self._client, self._name, *self._whose, lane=name)

    def enter(self, at: datetime, *, rate: float, burst: int, probe_life: timedelta) -> Entry:
        """Take one call out of the bucket, or say why not. Raises StoreError."""
        now, interval = _ms(at), 1000.0 / rate
        slack = math.floor((burst - 1) * interval)
        for _ in range(_LOOKS):
            item = self._try(
                "SET full_at = :next",
                "(attribute_not_exists(full_at) OR full_at <= :now) "
                "AND attribute_not_exists(down_until) "
                "AND (attribute_not_exists(rest_until) OR rest_until <= :now)",
                next=math.ceil(now + interval),
                now=now,
            )
            if item.admitted:
                return item.entry()
            found = item.numbers
            if (rest := found.get("rest_until", 0)) > now:
                return Entry(Reason.RESTING, (rest - now) / 1000)
            if "down_until" in found:
                busy_until = max(found["down_until"], found.get("probe_until", 0))
                if busy_until > now:
                    return Entry(Reason.DOWN, (busy_until - now) / 1000)
                item = self._try(
                    "SET probe_until = :until",
                    "down_until <= :now AND (attribute_not_exists(probe_until) OR probe_until <= :now)",
                    until=now + _ms_of(probe_life),
                    now=now,
                )
                if item.admitted:
                    return Entry(probe=True, troubled=True)
                continue
            full = found.get("full_at", 0)
            if full > now + slack:
                return Entry(Reason.BUSY, (full - slack - now) / 1000)
            item = self._try(
                "SET full_at = full_at + :interval",
                "full_at > :now AND full_at <= :latest AND attribute_not_exists(down_until) "
                "AND (attribute_not_exists(rest_until) OR rest_until <= :now)",
                interval=math.ceil(interval),
                now=now,
                latest=now + slack,
            )
            if item.admitted:
                return item.entry()
        # Others were quicker at each look.
        return Entry(Reason.BUSY, interval / 1000)

    def failed(
        self, at: datetime, *, probe: bool, failures: int, window: timedelta, cool_down: timedelta
    ) -> bool:
        """A call failed. Whether, with it, the account's carrier counts as down from now on."""
        now = _ms(at)
        until = now + _ms_of(cool_down)
        if probe:
            self._update("SET down_until = :until REMOVE probe_until", until=until)
            return True
        item = self._try(
            "SET failures = failures + :one",
            "failing_since > :horizon",
            one=1,
            horizon=now - _ms_of(window),
        )
        if not item.admitted:
            self._update("SET failures = :one, failing_since = :now", one=1, now=now)
        in_a_row = item.numbers.get("failures", 1) if item.admitted else 1
        if in_a_row < failures:
            return False
        return self._try("SET down_until = :until", "attribute_not_exists(down_until)", until=until).admitted

    def succeeded(self, *, probe: bool) -> None:
        """A call succeeded: what had failed before it counts no more, and a probe opens the way for all."""
        if probe:
            self._update("REMOVE failures, failing_since, down_until, probe_until")
        else:
            self._try("REMOVE failures, failing_since", "attribute_not_exists(down_until)")

    def let_go(self) -> None:
        """The probe was not made after all: somebody else may try."""
        self._update("REMOVE probe_until")

    def rest(self, at: datetime, wanted: timedelta) -> None:
        """The carrier wants to be left alone for that long."""
        until = _ms(at) + _ms_of(wanted)
        self._try(
            "SET rest_until = :until", "attribute_not_exists(rest_until) OR rest_until < :until", until=until
        )

    def _update(self, update: str, **numbers: int) -> None:
        calls.write(self._client.update_item, **self._request(update, numbers))

    def _try(self, update: str, condition: str, **numbers: int) -> "_Tried":
        request = self._request(update, numbers) | {
            "ConditionExpression": condition,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            answer = calls.write(self._client.update_item, **request)
        except ConditionFailedError as error:
            return _Tried(False, _numbers(error.item or {}))
        return _Tried(True, _numbers(answer.get("Attributes", {})))

    def _request(self, update: str, numbers: dict[str, int]) -> dict[str, Any]:
        request: dict[str, Any] = {"TableName": self._name, "Key": self._key, "UpdateExpression": update}
        if numbers:
            values = {f":{name}": {"N": str(number)} for name, number in numbers.items()}
            request["ExpressionAttributeValues"] = values
        return request


class _Tried(NamedTuple):
    admitted: bool
    numbers: dict[str, int]

    def entry(self) -> Entry:
        return Entry(troubled="failures" in self.numbers)


def _numbers(item: Item) -> dict[str, int]:
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}


def _ms(moment: datetime) -> int:
    return math.floor(moment.timestamp() * 1000)


def _ms_of(span: timedelta) -> int:
    return math.ceil(span.total_seconds() * 1000)
