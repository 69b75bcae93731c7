"""The stream's records once more, older ones after newer ones, as Lambda repeats them after a failure."""

import base64
import json
import random
from datetime import datetime
from typing import Any

from tests.faults.stack.trials import Ground

_BATCH = 50


def replay_changes(ground: Ground, seed: int) -> int:
    """Give the router all that the table's stream still has, shuffled. Returns the number of records."""
    records = [_as_lambda_has_it(record) for record in _records(ground)]
    random.Random(seed).shuffle(records)
    functions = ground.deployment.client("lambda")
    for start in range(0, len(records), _BATCH):
        event = {"Records": records[start : start + _BATCH]}
        answer = functions.invoke(FunctionName="parcelgate-local-route_changes", Payload=json.dumps(event))
        told = json.loads(answer["Payload"].read())
        assert told == {"batchItemFailures": []}, told
    return len(records)


def _records(ground: Ground) -> list[Any]:
    streams = ground.deployment.client("dynamodbstreams")
    found = []
    table = ground.deployment.outputs["TableName"]
    for stream in streams.list_streams(TableName=table)["Streams"]:
        described = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
        for shard in described["Shards"]:
            place = streams.get_shard_iterator(
                StreamArn=stream["StreamArn"],
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            while place:
                page = streams.get_records(ShardIterator=place, Limit=1000)
                found += page["Records"]
                place = page.get("NextShardIterator") if page["Records"] else None
    return found


def _as_lambda_has_it(record: Any) -> Any:
    whole: Any = json.loads(json.dumps(record, default=_plain))
    return whole | {"eventSource": "aws:dynamodb"}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(value)
