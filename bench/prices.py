"""The price table, and what AWS bills of a call: pure functions of recorded calls."""

import base64
import json
import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from parcelgate.store.lists import EVENT_PARTITIONS, PARTITIONS

TABLE = Path(__file__).with_name("prices.toml")

type Usage = Counter[str]
"""How many units of each thing in the price table. Units may be parts: read units are halves."""
type Item = Mapping[str, Any]
"""An item of DynamoDB, as it goes over the wire."""

_KEYS = ("pk", "sk")
MAIN_INDEXES = {
    **{name: (partition, "list_sk", ("carrier",)) for name, partition in PARTITIONS.items()},
    "due": ("due_pk", "due_at", ()),
}
"""The keys of each index of the main table, and what it holds besides."""
EVENT_INDEXES = {name: (partition, "list_sk", ()) for name, partition in EVENT_PARTITIONS.items()}
MONTH_DAYS = 30.4
_OVERHEAD = 100
"""Bytes that DynamoDB adds to each stored item, and to each place in an index."""


@cache
def table() -> dict[str, Any]:
    """The price table."""
    return tomllib.loads(TABLE.read_text())


def assumed(name: str) -> Any:
    """What the price table assumes under this name."""
    return table()["assumed"][name]


def dollars(usage: Usage) -> float:
    """What it costs."""
    return sum(amount * price(name) for name, amount in usage.items())


def price(name: str) -> float:
    """Dollars for one unit."""
    entry = table()["aws"][name]
    return float(entry["dollars"]) / float(entry["per"])


def times(usage: Usage, factor: float) -> Usage:
    """So many of it."""
    return Counter({name: amount * factor for name, amount in usage.items()})  # type: ignore[misc]


def item_size(item: Item) -> int:
    """Bytes of an item, as DynamoDB counts them: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "N":
            return (len(inner.strip("-.").replace(".", "").strip("0")) + 1) // 2 + 1 + inner.startswith("-")
        case "B":
            return len(inner if isinstance(inner, bytes) else base64.b64decode(inner))
        case "SS":
            return 3 + sum(len(each.encode()) + 1 for each in inner)
        case "L":
            return 3 + sum(1 + _value_size(each) for each in inner)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(each) for name, each in inner.items())
    return 1


def indexes(table_name: str) -> Mapping[str, tuple[str, str, tuple[str, ...]]]:
    """The indexes of a table: `main`, `events` or `usage`."""
    if table_name == "events":
        return EVENT_INDEXES
    return {} if table_name == "usage" else MAIN_INDEXES


def in_index(item: Item | None, index: tuple[str, str, tuple[str, ...]]) -> dict[str, Any] | None:
    """What an index holds of an item; None if it is not in it."""
    partition, sort, more = index
    if item is None or partition not in item or sort not in item:
        return None
    return {name: item[name] for name in (*_KEYS, partition, sort, *more) if name in item}


def write_units(table_name: str, old: Item | None, new: Item | None, *, in_transaction: bool) -> int:
    """Write units of one write: of the larger of the item before and after it, and of each index it changes.

    A transaction takes twice as many for the item. Its indexes follow afterwards, as those of any write.
    """
    size = max((item_size(item) for item in (old, new) if item is not None), default=1)
    units = _write(size) * (2 if in_transaction else 1)
    for index in indexes(table_name).values():
        before, after = in_index(old, index), in_index(new, index)
        if before == after:
            continue
        if before and after and all(before[name] == after[name] for name in index[:2]):
            units += _write(max(item_size(before), item_size(after)))
        else:
            units += sum(_write(item_size(each)) for each in (before, after) if each is not None)
    return units


def _write(size: int) -> int:
    return max(1, math.ceil(size / 1024))


def read_units(call: str, request: Mapping[str, Any], reply: Mapping[str, Any]) -> float:
    """Read units of a call: 4 KB each, half of it where the read need not be consistent."""
    operation = call.partition(".")[2]
    if operation == "GetItem":
        return _read([reply.get("Item") or {}], request.get("ConsistentRead", False))
    if operation == "BatchGetItem":
        total = 0.0
        for name, wanted in request["RequestItems"].items():
            found = (reply.get("Responses") or {}).get(name, [])
            absent = max(0, len(wanted["Keys"]) - len(found))
            consistent = wanted.get("ConsistentRead", False)
            total += sum(_read([item], consistent) for item in [*found, *([{}] * absent)])
        return total
    if operation in ("Query", "Scan"):
        return _read(reply.get("Items", []), request.get("ConsistentRead", False))
    return 0.0


def _read(items: Iterable[Item], consistent: bool) -> float:
    return max(1, math.ceil(sum(map(item_size, items)) / 4096)) * (1.0 if consistent else 0.5)


def call_usage(line: Mapping[str, Any]) -> Usage:
    """What a recorded call takes, apart from the time of the function that makes it."""
    call = line["call"]
    if " " in call:
        return Counter({"gb_out": line["sent"] / 1e9})  # type: ignore[dict-item]
    service, _, operation = call.partition(".")
    match service:
        case "dynamodb":
            transacted = operation == "TransactWriteItems"
            writes = sum(write_units(*each, in_transaction=transacted) for each in line["items"])
            reads = read_units(call, line["request"], line["reply"]) if "reply" in line else 0
            return Counter({"write_unit": writes, "read_unit": reads})  # type: ignore[dict-item]
        case "sqs":
            return Counter({"sqs_request": 1})
        case "events":
            return Counter({"bus_event": line["entries"]})
        case "s3":
            return Counter({"s3_put" if operation == "PutObject" else "s3_get": 1})
        case "secretsmanager":
            return Counter({"secret_read": 1})
        case "kms":
            return Counter({"key_request": 1})
    return Counter()


def wait_seconds(line: Mapping[str, Any]) -> float:
    """How long a function is assumed to wait for the answer of a recorded call."""
    waits = assumed("wait")
    if " " in line["call"]:
        return float(waits["carrier"])
    service, _, operation = line["call"].partition(".")
    return float(waits["transaction" if operation == "TransactWriteItems" else service])


def stored_bytes(lines: Iterable[Mapping[str, Any]], since: float) -> Usage:
    """What is kept of what these calls wrote: GB and months, in tables, backups and buckets.

    `since` is the time of the calls, in seconds since the epoch. An item without an end counts as 400 days.
    """
    last: dict[tuple[str, str], Item | None] = {}
    labels = 0
    for line in lines:
        for name, old, new in line.get("items", ()):
            item = new or old
            if item is not None:
                last[name, json.dumps([item[key] for key in _KEYS])] = new
        if line["call"] == "s3.PutObject":
            labels += line["sent"]
    in_tables = 0.0
    for (name, _), item in last.items():
        if item is None:
            continue
        places = [in_index(item, index) for index in indexes(name).values()]
        size = sum(item_size(each) + _OVERHEAD for each in (item, *places) if each is not None)
        ends = float(item["expires_at"]["N"]) if "expires_at" in item else since + 400 * 86_400
        in_tables += size / 1e9 * max(0.0, ends - since) / (MONTH_DAYS * 86_400)
    in_buckets = labels / 1e9 * 400 / MONTH_DAYS
    return Counter(  # type: ignore[misc]
        {"table_gb_month": in_tables, "backup_gb_month": in_tables, "s3_gb_month": in_buckets}
    )
