"""Notes each call with its bodies, so that it can be priced: `bench.costs` reads what it writes.

A write to DynamoDB is billed by what the item was before and after it, in the table and in each index. So the
items that a write touches are read before and after it, past the function that makes it.
"""

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from local.faults.messages import Message

_ROOT = b"Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
_KEY = ("pk", "sk")

type Forward = Callable[[Message], Awaitable[Message]]
type Place = tuple[str, str]
"""A table, and an item's key as JSON."""


class Recorder:
    """Writes a line for each call into a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    async def exchange(
        self, request: Message, call: str, function: str, invocation: str, forward: Forward
    ) -> Message:
        """Pass a call on and note it; the answer."""
        is_dynamodb = call.startswith("dynamodb.")
        body = json.loads(request.body) if is_dynamodb else None
        places = sorted(set(written(call, body))) if is_dynamodb else []
        before = [await _read(place, forward) for place in places]
        began = time.monotonic()
        reply = await forward(request)
        seconds = time.monotonic() - began
        after = [await _read(place, forward) for place in places]
        line: dict[str, Any] = {
            "at": time.time(),
            "function": function,
            "call": call,
            "invocation": invocation,
            "seconds": round(seconds, 4),
            "status": int(reply.start[1]),
            "sent": len(request.body),
            "received": len(reply.body),
        }
        if is_dynamodb:
            line["request"] = body
            line["items"] = [
                [table, old, new] for (table, _), old, new in zip(places, before, after, strict=True)
            ]
            if not places:
                line["reply"] = json.loads(reply.body or b"{}")
        elif call in ("events.PutEvents", "sqs.SendMessageBatch"):
            line["entries"] = len(json.loads(request.body)["Entries"])
        self._file.write(json.dumps(line) + "\n")
        return reply


def written(call: str, body: dict[str, Any]) -> Iterator[Place]:
    """The items that a call to DynamoDB writes."""
    operation = call.partition(".")[2]
    if operation == "PutItem":
        yield _place(body["TableName"], body["Item"])
    elif operation in ("UpdateItem", "DeleteItem"):
        yield _place(body["TableName"], body["Key"])
    elif operation == "TransactWriteItems":
        for each in body["TransactItems"]:
            ((_, write),) = each.items()
            yield _place(write["TableName"], write.get("Item") or write["Key"])
    elif operation == "BatchWriteItem":
        for table, writes in body["RequestItems"].items():
            for each in writes:
                ((_, write),) = each.items()
                yield _place(table, write.get("Item") or write["Key"])


def _place(table: str, item: dict[str, Any]) -> Place:
    return table, json.dumps({name: item[name] for name in _KEY})


async def _read(place: Place, forward: Forward) -> Any:
    table, key = place
    body = json.dumps({"TableName": table, "Key": json.loads(key), "ConsistentRead": True}).encode()
    head = b"\r\n".join(
        [
            b"POST / HTTP/1.1",
            b"host: 127.0.0.1",
            b"authorization: AWS4-HMAC-SHA256 " + _ROOT,
            b"x-amz-date: 20260101T000000Z",
            b"x-amz-target: DynamoDB_20120810.GetItem",
            b"content-type: application/x-amz-json-1.0",
            b"content-length: %d" % len(body),
            b"",
            b"",
        ]
    )
    reply = await forward(Message(head, body))
    return json.loads(reply.body or b"{}").get("Item")
