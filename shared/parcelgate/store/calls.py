"""How the store talks to DynamoDB: errors put into its own words, and one way to commit a transaction."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from parcelgate.store.errors import (
    ItemTooLargeError,
    StoreError,
    StoreUnavailableError,
    ThrottledError,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]
"""An item as DynamoDB's own client speaks of it: `{"pk": {"S": "..."}}`."""

ATTEMPTS = 5
"""How often a write is tried that collides with a transaction."""
ASKED = 2
"""How often a transaction is sent that nobody answers; the client itself has tried it thrice each time."""
_READ_AT_ONCE = 100
"""Items of one BatchGetItem, which DynamoDB takes no more of."""
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
    """A conditional write of one item was refused; `item` is what stands there, where it was asked for."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition does not hold")
        self.item = item


class CollisionError(StoreError):
    """A write of one item met a transaction on the same item, and did not happen."""


class _CancelledError(StoreError):
    def __init__(self, reasons: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("the transaction was cancelled")
        self.reasons = reasons


class Write(NamedTuple):
    """One part of a transaction, and what it means when its condition fails (given the item there)."""

    action: Mapping[str, Any]
    refused: Callable[[Item | None], StoreError]


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever the AWS client raises into an error of the store."""
    try:
        yield
    except ClientError as error:
        raise _store_error(error) from error
    except (HTTPClientError, NoConnectionError) as error:
        raise StoreUnavailableError(type(error).__name__) from error


def commit(client: "DynamoDBClient", writes: Sequence[Write], *, mark: str) -> None:
    """Write all of `writes` or nothing.

    The first write puts an item whose attribute `mark` is `mark`, a value of this call alone. By that
    a commit is known again that did happen although its answer was lost; the request token does the
    same on DynamoDB's side. Of several refusals the first in order counts, so the order of `writes` says
    what matters most. A collision with another transaction is tried again, and in the end counts as the
    refusal of the write that collided.

    Raises the refused write's error, ThrottledError, StoreUnavailableError (outcome unknown) or
    ItemTooLargeError.
    """
    request = uuid4().hex
    unanswered = 0
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with translated():
                client.transact_write_items(
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
            found = _judged(writes, cancelled.reasons, mark)
            if found is None:
                return
            trouble, for_good = found
            if for_good:
                raise trouble from cancelled
            request = uuid4().hex
        if attempt == ATTEMPTS:
            raise trouble
        pause(attempt)


def write(call: Callable[..., Any], **request: Any) -> Any:
    """Make one conditional write of one item; one that meets a transaction is tried again. Its answer.

    Raises ConditionFailedError, ThrottledError, StoreUnavailableError, ItemTooLargeError or, when
    there is no end of transactions on the item, CollisionError.
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


def queried(client: "DynamoDBClient", request: dict[str, Any]) -> Iterator[Item]:
    """All items of a query, over as many pages as it has."""
    while True:
        with translated():
            answer = client.query(**request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request = request | {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def read_many(
    client: "DynamoDBClient", table: str, wanted: Sequence[Item], attributes: Sequence[str] = ()
) -> list[Item]:
    """The items of these keys that there are, in the order they were asked for.

    With `attributes` no more than these and the keys is sent.
    """
    asked: Any = {"ConsistentRead": True}
    if attributes:
        names = {f"#{name}": name for name in ("pk", "sk", *attributes)}
        asked |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    found: dict[tuple[str, str], Item] = {}
    for start in range(0, len(wanted), _READ_AT_ONCE):
        left = list(wanted[start : start + _READ_AT_ONCE])
        attempt = 0
        while left:
            with translated():
                answer = client.batch_get_item(RequestItems={table: asked | {"Keys": left}})
            got = answer["Responses"].get(table, [])
            found |= {_place(item): item for item in got}
            rest = answer["UnprocessedKeys"].get(table)
            left = list(rest["Keys"]) if rest else []
            if left and not got:
                attempt += 1
                if attempt == ATTEMPTS:
                    raise ThrottledError("no items were read")
                pause(attempt)
    return [found[_place(key)] for key in wanted if _place(key) in found]


def _place(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


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
            return None if happened else (write.refused(item), True)
        if code == "TransactionConflict":
            return write.refused(None), False
        if code in _THROTTLES:
            return ThrottledError(code), False
        message = str(reason.get("Message", ""))
        return (ItemTooLargeError(code) if _says_too_large(message) else StoreError(code)), True
    return StoreError("cancelled without a reason"), True


def _store_error(error: ClientError) -> StoreError:
    code = error.response.get("Error", {}).get("Code", "")
    if code == "ConditionalCheckFailedException":
        return ConditionFailedError(error.response.get("Item"))  # type: ignore[arg-type]
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
