"""What somebody must have dealt with by now: orders, batches, and deliveries nobody has worked on."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from parcelgate.domain.clock import rfc3339
from parcelgate.store import calls, keys
from parcelgate.store.calls import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Kind = Literal["ORDER", "INBOX", "BATCH"]


class DueRef(NamedTuple):
    """The way to one overdue item: the id of an order, a batch or an inbox entry, and whose it is."""

    tenant: str
    id: str


class DueIndex:
    """The sparse index of what has a time by which it must be dealt with."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def due(self, kind: Kind, before: datetime, limit: int = 100) -> list[DueRef]:
        """At most `limit` items whose time was `before` or earlier, the longest overdue first.

        The index may lag a moment: read the item before acting on it. What is not given a new time comes
        again at the next call, before everything younger.
        """
        return next(self.pages(kind, before, limit), [])[:limit]

    def pages(self, kind: Kind, before: datetime, size: int = 100) -> Iterator[list[DueRef]]:
        """All items whose time was `before` or earlier, in pages of up to `size` from each shard.

        Each page is read when it is asked for, and no item comes twice, whatever became of it meanwhile.
        """
        starts: dict[int, Item | None] = dict.fromkeys(range(keys.SHARDS))
        while starts:
            found: list[tuple[str, str]] = []
            for shard, start in [*starts.items()]:
                query: dict[str, Any] = {
                    "TableName": self._name,
                    "IndexName": "due",
                    "KeyConditionExpression": "due_pk = :shard AND due_at <= :before",
                    "ExpressionAttributeValues": {
                        ":shard": {"S": keys.due(kind, shard)},
                        ":before": {"S": rfc3339(before)},
                    },
                    "Limit": size,
                }
                if start is not None:
                    query["ExclusiveStartKey"] = start
                with calls.translated():
                    answer = self._client.query(**query)
                found += [(item["due_at"]["S"], item["pk"]["S"]) for item in answer["Items"]]
                starts[shard] = answer.get("LastEvaluatedKey")
                if starts[shard] is None:
                    del starts[shard]
            names = [keys.parse(pk) for _, pk in sorted(found)]
            if names:
                yield [DueRef(name.tenant, name.id) for name in names if name is not None]
