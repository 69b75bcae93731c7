"""The stream's records once more, older ones after newer ones, as Lambda repeats them after a failure.

The emulator brings no record again that the router has reported as failed, and Lambda does. So this also
takes the place of that.
"""

import base64
import json
import random
from collections.abc import Collection
from datetime import datetime
from typing import Any

from parcelgate.store import keys
from tests.faults.stack.trials import Ground

ROUTER = "parcelgate-local-route_changes"
_BATCH = 50


def replay_changes(ground: Ground, seed: int, tenants: Collection[str] | None = None) -> int:
    """Give the router what the stream still has, as far as its filters let it through, in random order.

    Returns the number of records.
    """
    functions = ground.deployment.client("lambda")
    (source,) = functions.list_event_source_mappings(FunctionName=ROUTER)["EventSourceMappings"]
    patterns = [json.loads(each["Pattern"]) for each in source["FilterCriteria"]["Filters"]]
    records = [_as_lambda_has_it(record) for record in _records(ground, source["EventSourceArn"])]
    chosen = [
        record
        for record in records
        if any(_fits(pattern, record) for pattern in patterns)
        and (tenants is None or _tenant(record) in tenants)
    ]
    random.Random(seed).shuffle(chosen)
    for start in range(0, len(chosen), _BATCH):
        event = {"Records": chosen[start : start + _BATCH]}
        answer = functions.invoke(FunctionName=ROUTER, Payload=json.dumps(event))
        told = json.loads(answer["Payload"].read())
        assert told == {"batchItemFailures": []}, told
    return len(chosen)


def _records(ground: Ground, stream: str) -> list[Any]:
    streams = ground.deployment.client("dynamodbstreams")
    found = []
    for shard in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
        place = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while place:
            page = streams.get_records(ShardIterator=place, Limit=1000)
            found += page["Records"]
            place = page.get("NextShardIterator") if page["Records"] else None
    return found


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
