"""How the store talks to DynamoDB: plain values in and out, its errors in our words, one way to commit.

Every part of the store reads and writes `Items`: plain values (texts, whole numbers, bytes, truth values,
moments), never DynamoDB's own form of them.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from parcelgate.domain.clock import rfc3339
from parcelgate.store.errors import (
    ItemTooLargeError,
    StoreError,
    StoreUnavailableError,
    ThrottledError,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]
"""An item, or its key, as plain values: `{"pk": "...", "version": 3}`. What is None is not stored."""
type TypedItem = dict[str, Any]
"""The same as DynamoDB's own client speaks of it: `{"pk": {"S": "..."}, "version": {"N": "3"}}`."""

NEW = "attribute_not_exists(pk)"
"""The condition that there is no item at the key."""

ATTEMPTS = 5
"""How often a write is tried when it collides with a transaction."""
ASKED = 2
"""How often a transaction without an answer is sent. The AWS client tries three times each time."""
MOST_WRITES = 100
"""How many writes DynamoDB takes in one transaction."""
_READ_AT_ONCE = 100
"""How many items DynamoDB takes in one BatchGetItem."""
KEPT = timedelta(days=400)
"""How long orders and parcels are kept after their creation, unless the environment says otherwise."""
FIRST_PAUSE = 0.025
"""Seconds at most before the second attempt; the bound doubles each time (full jitter)."""

_THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
        "Throttling",
    }
)
_UNANSWERED = frozenset(
    {"InternalServerError", "InternalFailure", "ServiceUnavailable", "TransactionInProgressException"}
)
_TOO_LARGE = ("item size", "item collection too large")


class ConditionFailedError(StoreError):
    """A conditional write of one item was refused. `item` is the stored item, if it was asked for."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition does not hold")
        self.item = item


class CollisionError(StoreError):
    """A write collided with a transaction on the same item, and did not happen."""


class _CancelledError(StoreError):
    def __init__(self, reasons: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("the transaction was cancelled")
        self.reasons = reasons


type Refusal = StoreError | Callable[[Item | None], StoreError]
"""The error of a write whose condition fails, or a function that makes it from the stored item, if known."""


class Write(NamedTuple):
    """One write of a transaction, and the error when its condition fails."""

    action: Mapping[str, Any]
    refused: Refusal

    def refusal(self, item: Item | None) -> StoreError:
        """Return the error if `item` is stored there; None means that the stored item is not known."""
        return self.refused if isinstance(self.refused, StoreError) else self.refused(item)


class Items:
    """The items of the table: how they are read and written.

    Keys and items are plain values (`Item`). `values` of a condition are named in it with a colon. Reads are
    consistent, save those of an index. All methods raise ThrottledError and StoreUnavailableError.

    `kept` is how long an item with `until_forgotten` is kept.
    """

    def __init__(self, client: "DynamoDBClient", table: str, kept: timedelta = KEPT) -> None:
        self._client = client
        self._table = table
        self._kept = kept

    def until_forgotten(self, created_at: datetime) -> Item:
        """Return the attribute by which DynamoDB deletes an item when the time that it is kept has passed."""
        return {"expires_at": epoch(created_at + self._kept)}

    def get(self, key: Item) -> Item | None:
        """The item as it stands now."""
        with translated():
            answer = self._client.get_item(TableName=self._table, Key=typed(key), ConsistentRead=True)
        return plain(answer["Item"]) if "Item" in answer else None

    def get_many(
        self, keys: Sequence[Item], attributes: Sequence[str] = (), *, consistent: bool = True
    ) -> list[Item]:
        """The existing items of these keys, in the order of the keys.

        With `attributes` only these and the keys are read. A read that is not `consistent` costs half, and
        may be a moment behind.
        """
        options: Any = {"ConsistentRead": consistent}
        if attributes:
            names = {f"#{name}": name for name in ("pk", "sk", *attributes)}
            options |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        items: dict[tuple[str, str], Item] = {}
        for batch in batched(keys, _READ_AT_ONCE, strict=False):
            left: list[Any] = [typed(key) for key in batch]
            attempt = 0
            while left:
                with translated():
                    answer = self._client.batch_get_item(RequestItems={self._table: options | {"Keys": left}})
                read = [plain(item) for item in answer["Responses"].get(self._table, [])]
                items |= {(item["pk"], item["sk"]): item for item in read}
                unprocessed = answer["UnprocessedKeys"].get(self._table)
                left = list(unprocessed["Keys"]) if unprocessed else []
                if left and not read:
                    attempt += 1
                    if attempt == ATTEMPTS:
                        raise ThrottledError("no items were read")
                    pause(attempt)
        places = [(key["pk"], key["sk"]) for key in keys]
        return [items[place] for place in places if place in items]

    def query(self, condition: str, *, index: str | None = None, **values: Any) -> Iterator[Item]:
        """All items that fit a key condition, over all pages, by their sort key."""
        start: TypedItem | None = None
        while True:
            items, start = self.query_page(condition, index=index, start=start, **values)
            yield from items
            if start is None:
                return

    def query_page(
        self,
        condition: str,
        *,
        index: str | None = None,
        start: TypedItem | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        filtered: str | None = None,
        **values: Any,
    ) -> tuple[list[Item], TypedItem | None]:
        """One page of a query, and the start of the next page; None after the last page."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": _named(values),
            "ScanIndexForward": not newest_first,
            "ConsistentRead": index is None,
        }
        optional = {
            "IndexName": index,
            "ExclusiveStartKey": start,
            "Limit": limit,
            "FilterExpression": filtered,
        }
        request |= {name: value for name, value in optional.items() if value is not None}
        with translated():
            answer = self._client.query(**request)
        return [plain(item) for item in answer["Items"]], answer.get("LastEvaluatedKey")

    def put(self, item: Item, condition: str = NEW, **values: Any) -> None:
        """Store one item if the condition holds. Raises ConditionFailedError."""
        write(self._client.put_item, **self._conditional(condition, values, Item=typed(item)))

    def update(
        self,
        key: Item,
        sets: Item,
        removes: Sequence[str] = (),
        *,
        adds: Mapping[str, int] | None = None,
        condition: str = "",
        returning: bool = False,
        **values: Any,
    ) -> Item:
        """Set, remove and add to attributes of one item. With `returning`: the item as it is then.

        What is set to None is left as it is. Raises ConditionFailedError.
        """
        request = self._change(key, sets, removes, adds or {}, condition, values)
        request["ReturnValues"] = "ALL_NEW" if returning else "NONE"
        return plain(write(self._client.update_item, **request).get("Attributes", {}))

    def delete(self, key: Item, condition: str = "", **values: Any) -> None:
        """Delete one item if the condition holds. Raises ConditionFailedError."""
        write(self._client.delete_item, **self._conditional(condition, values, Key=typed(key)))

    # Transactions.

    def put_write(self, item: Item, refused: Refusal, condition: str = NEW, **values: Any) -> Write:
        """One write of a transaction, which puts `item`."""
        return Write({"Put": self._conditional(condition, values, Item=typed(item))}, refused)

    def update_write(self, key: Item, sets: Item, refused: Refusal, condition: str, **values: Any) -> Write:
        """One write of a transaction, which sets attributes of an item."""
        return Write({"Update": self._change(key, sets, (), {}, condition, values)}, refused)

    def add_write(self, key: Item, adds: Mapping[str, int], refused: Refusal) -> Write:
        """One write of a transaction, which adds to numbers of an item, and makes it if it is not there."""
        # Short placeholders: an expression may have 4 KB, and there may be a hundred numbers.
        numbers = list(enumerate(adds))
        update = {
            "TableName": self._table,
            "Key": typed(key),
            "UpdateExpression": "ADD " + ", ".join(f"#{place} :{place}" for place, _ in numbers),
            "ExpressionAttributeNames": {f"#{place}": name for place, name in numbers},
            "ExpressionAttributeValues": {f":{place}": _typed(adds[name]) for place, name in numbers},
        }
        return Write({"Update": update}, refused)

    def delete_write(self, key: Item, refused: Refusal, condition: str = "", **values: Any) -> Write:
        """One write of a transaction, which deletes an item."""
        return Write({"Delete": self._conditional(condition, values, Key=typed(key))}, refused)

    def commit(self, writes: Sequence[Write]) -> None:
        """Write all of `writes` or nothing.

        The item of the first write gets an attribute `mark`, a value of this call alone. It shows whether a
        commit happened whose answer was lost. On DynamoDB's side the request token does the same. If several
        writes are refused, the first in `writes` counts, so put the most important first. A collision with
        another transaction is tried again. In the end it counts as the refusal of the write that collided.

        Raises the refused write's error, ThrottledError, StoreUnavailableError (outcome unknown) or
        ItemTooLargeError.
        """
        request = mark = uuid4().hex
        if "Put" in writes[0].action:
            writes[0].action["Put"]["Item"]["mark"] = {"S": mark}
        unanswered = 0
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with translated():
                    self._client.transact_write_items(
                        TransactItems=[write.action for write in writes],  # type: ignore[misc]
                        ClientRequestToken=request,
                    )
                return
            except StoreUnavailableError as error:
                # The outcome is unknown, so the same request goes out again, under the same token.
                unanswered += 1
                if unanswered == ASKED:
                    raise
                trouble: StoreError = error
            except _CancelledError as cancelled:
                verdict = _judged(writes, cancelled.reasons, mark)
                if verdict is None:
                    return
                trouble, is_final = verdict
                if is_final:
                    raise trouble from cancelled
                request = uuid4().hex
            if attempt == ATTEMPTS:
                raise trouble
            pause(attempt)

    def _change(
        self,
        key: Item,
        sets: Item,
        removes: Sequence[str],
        adds: Mapping[str, int],
        condition: str,
        values: Item,
    ) -> dict[str, Any]:
        sets = {name: value for name, value in sets.items() if value is not None}
        parts = {
            "SET": [f"#{name} = :{name}" for name in sets],
            "REMOVE": [f"#{name}" for name in removes],
            "ADD": [f"#{name} :{name}" for name in adds],
        }
        change = " ".join(f"{verb} {', '.join(each)}" for verb, each in parts.items() if each)
        request = self._conditional(
            condition, {**sets, **adds, **values}, Key=typed(key), UpdateExpression=change
        )
        names = {f"#{name}": name for name in (*sets, *removes, *adds)}
        return request | {"ExpressionAttributeNames": names}

    def _conditional(self, condition: str, values: Item, **request: Any) -> dict[str, Any]:
        request |= {"TableName": self._table}
        if condition:
            request |= {
                "ConditionExpression": condition,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        return request | ({"ExpressionAttributeValues": _named(values)} if values else {})


def typed(item: Mapping[str, Any]) -> TypedItem:
    """An item in DynamoDB's own form, without what is None.

    >>> typed({"pk": "T#acme", "version": 3, "order_id": None})
    {'pk': {'S': 'T#acme'}, 'version': {'N': '3'}}
    """
    return {name: _typed(value) for name, value in item.items() if value is not None}


def plain(item: Mapping[str, Any]) -> Item:
    """An item of DynamoDB's own form as plain values; moments come as the texts they are stored as."""
    return {name: _plain(*next(iter(value.items()))) for name, value in item.items()}


def epoch(moment: datetime) -> int:
    """Whole seconds since the epoch, for DynamoDB's expiry. Rounded up, so that nothing ends early."""
    return math.ceil(moment.timestamp())


def _typed(value: Any) -> TypedItem:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case datetime():
            return {"S": rfc3339(value)}
        case dict():
            return {"M": typed(value)}
    raise TypeError(f"no item holds a {type(value).__name__}")


def _plain(kind: str, value: Any) -> Any:
    match kind:
        case "N":
            return int(value)
        case "M":
            return plain(value)
    return value


def _named(values: Item) -> TypedItem:
    return {f":{name}": _typed(value) for name, value in values.items()}


@contextmanager
def translated() -> Iterator[None]:
    """Turn every error of the AWS client into an error of the store."""
    try:
        yield
    except ClientError as error:
        raise _store_error(error) from error
    except (HTTPClientError, NoConnectionError) as error:
        raise StoreUnavailableError(type(error).__name__) from error


def write(call: Callable[..., Any], **request: Any) -> Any:
    """Make one conditional write of one item, and return the answer. A collision is tried again.

    Raises ConditionFailedError, ThrottledError, StoreUnavailableError, ItemTooLargeError or, when
    it collides every time, CollisionError.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with translated():
                return call(**request)
        except CollisionError:
            if attempt == ATTEMPTS:
                raise
        pause(attempt)
    raise AssertionError("unreachable")


def pause(attempt: int) -> None:
    """Wait before the next attempt: full jitter under a bound that doubles."""
    time.sleep(random.uniform(0, FIRST_PAUSE * 2 ** (attempt - 1)))  # noqa: S311 - no secret


def _judged(
    writes: Sequence[Write], reasons: Sequence[Mapping[str, Any]], mark: str
) -> tuple[StoreError, bool] | None:
    """What a cancellation means and whether that is final; None when the transaction had happened."""
    for write, reason in zip(writes, reasons, strict=False):
        code, item = reason.get("Code", "None"), reason.get("Item")
        if code == "None":
            continue
        if code == "ConditionalCheckFailed":
            happened = write is writes[0] and item is not None and item.get("mark") == {"S": mark}
            return None if happened else (write.refusal(plain(item) if item else None), True)
        if code == "TransactionConflict":
            return write.refusal(None), False
        if code in _THROTTLES:
            return ThrottledError(code), False
        message = str(reason.get("Message", ""))
        return (ItemTooLargeError(code) if _says_too_large(message) else StoreError(code)), True
    return StoreError("cancelled without a reason"), True


def _store_error(error: ClientError) -> StoreError:
    code = error.response.get("Error", {}).get("Code", "")
    if code == "ConditionalCheckFailedException":
        item: Any = error.response.get("Item")
        return ConditionFailedError(plain(item) if item else None)
    if code == "TransactionCanceledException":
        return _CancelledError(error.response.get("CancellationReasons", []))
    if code == "TransactionConflictException":
        return CollisionError(code)
    if code in _THROTTLES:
        return ThrottledError(code)
    if code in _UNANSWERED:
        return StoreUnavailableError(code)
    if _says_too_large(error.response.get("Error", {}).get("Message", "")):
        return ItemTooLargeError(code)
    # The message may quote an item, so only the code goes on.
    return StoreError(code)


def _says_too_large(message: str) -> bool:
    return any(words in message.lower() for words in _TOO_LARGE)
