"""The stream's records once more, older ones after newer ones, as Lambda repeats them after a failure."""

import base64
import json
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from parcelgate.store import keys
from tests.faults.stack.trials import Ground

ROUTER = "parcelgate-local-route_changes"
_BATCH = 50
_TRIES = 5
"""The router may meet itself at the same change."""


class Changes:
    """The stream's records, as far as the router's filters let them through."""

    def __init__(self, ground: Ground) -> None:
        self._functions = ground.deployment.client("lambda")
        self._streams = ground.deployment.client("dynamodbstreams")
        (source,) = self._functions.list_event_source_mappings(FunctionName=ROUTER)["EventSourceMappings"]
        self._patterns = [json.loads(each["Pattern"]) for each in source["FilterCriteria"]["Filters"]]
        stream = source["EventSourceArn"]
        self._places = [
            self._streams.get_shard_iterator(
                StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            for shard in self._streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        ]

    def new(self) -> list[Any]:
        """Those that came since the last time, oldest first."""
        return [
            record
            for number in range(len(self._places))
            for record in map(_as_lambda_has_it, self._read(number))
            if any(_fits(pattern, record) for pattern in self._patterns)
        ]

    def give(self, records: Sequence[Any]) -> None:
        """Give records to the router."""
        for start in range(0, len(records), _BATCH):
            event = json.dumps({"Records": records[start : start + _BATCH]})
            for _ in range(_TRIES):
                answer = self._functions.invoke(FunctionName=ROUTER, Payload=event)
                told = json.loads(answer["Payload"].read())
                if told == {"batchItemFailures": []}:
                    break
            else:
                raise AssertionError(told)

    def _read(self, number: int) -> list[Any]:
        found: list[Any] = []
        while place := self._places[number]:
            page = self._streams.get_records(ShardIterator=place, Limit=1000)
            found += page["Records"]
            self._places[number] = page.get("NextShardIterator")
            if not page["Records"]:
                break
        return found


def replay_changes(
    ground: Ground, seed: int, tenants: Collection[str] | None = None, most: int | None = None
) -> int:
    """Give the router what the stream still has, as far as its filters let it through, in random order.

    `most` is how many records of it, chosen by chance. Returns their number.
    """
    changes = Changes(ground)
    chosen = [record for record in changes.new() if tenants is None or _tenant(record) in tenants]
    random.Random(seed).shuffle(chosen)
    chosen = chosen[:most]
    changes.give(chosen)
    return len(chosen)


class Again:
    """Gives what changed of tenants once more, a share of it, while others go on."""

    def __init__(self, ground: Ground, seed: int, share: float) -> None:
        self._changes = Changes(ground)
        self._of_tenant: dict[str | None, list[Any]] = defaultdict(list)
        self._chance = random.Random(seed)
        self._share = share

    def give(self, tenants: Iterable[str]) -> int:
        """Give what changed so far of these tenants in random order; how many records that were."""
        for record in self._changes.new():
            if self._chance.random() < self._share:
                self._of_tenant[_tenant(record)].append(record)
        records = [record for tenant in tenants for record in self._of_tenant.pop(tenant, ())]
        self._chance.shuffle(records)
        self._changes.give(records)
        return len(records)


def _fits(pattern: Any, value: Any) -> bool:
    """Whether a filter of exact values lets something through."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(_fits(part, value.get(key)) for key, part in pattern.items())
    return value in pattern


def _tenant(record: Any) -> str | None:
    name = keys.parse(record["dynamodb"]["Keys"]["pk"]["S"])
    return name.tenant if name else None


def _as_lambda_has_it(record: Any) -> Any:
    whole: Any = json.loads(json.dumps(record, default=_plain))
    return whole | {"eventSource": "aws:dynamodb"}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(value)
