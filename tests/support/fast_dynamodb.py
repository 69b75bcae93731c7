"""moto's table without the wire: for tests that make thousands of calls of it.

Of the time that a call of moto takes, most goes into the making and reading of HTTP messages inside one
process, and into the parsing of update expressions. `FastDynamoDB` hands the few calls that are made of it
straight to moto's own backend: table, conditions and stream are the very ones behind the wire. An update is
read here, as far as it sets and removes whole attributes and adds to numbers. Whatever else is called goes
the usual way.
"""

import base64
import copy
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import ConditionalCheckFailed, DynamodbException
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.parsing.key_condition_expression import parse_expression

from parcelgate import aws_clients
from parcelgate.store.table import Table
from tests.support import observed_calls
from tests.support.table import REGION, TABLE_NAME, aws, create_table, dynamodb_client

type Item = dict[str, Any]

_FLAT = re.compile(
    r"(SET #?\w+ = :?\w+(, #?\w+ = :?\w+)*)?( ?REMOVE #?\w+(, ?#?\w+)*)?( ?ADD #\w+ :\w+(, #\w+ :\w+)*)?"
)
"""An update that sets and removes whole attributes, and adds to numbers."""


class FastDynamoDB:
    """A DynamoDB client that speaks to moto's backend by word of mouth."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool = False) -> Item:  # noqa: N803
        item = self._backend.get_item(TableName, Key)
        return {} if item is None else {"Item": _out(item)}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Item:  # noqa: N803
        ((table, request),) = RequestItems.items()
        items = [self._backend.get_item(table, key) for key in request["Keys"]]
        answer = [_out(item) for item in items if item is not None]
        return {"Responses": {table: answer}, "UnprocessedKeys": {}}

    def put_item(
        self,
        *,
        TableName: str,  # noqa: N803
        Item: Item,  # noqa: N803
        ConditionExpression: str | None = None,  # noqa: N803
        ExpressionAttributeValues: Item | None = None,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str | None = None,  # noqa: N803
    ) -> Item:
        key = {name: Item[name] for name in ("pk", "sk")}
        shown = ReturnValuesOnConditionCheckFailure == "ALL_OLD"
        values = ExpressionAttributeValues or {}
        self._check("PutItem", TableName, key, ConditionExpression, {}, values, shown=shown)
        try:
            self._backend.put_item(TableName, Item)
        except DynamodbException as error:
            raise _refused(error, "PutItem") from None
        return {}

    def update_item(
        self,
        *,
        TableName: str,  # noqa: N803
        Key: Item,  # noqa: N803
        UpdateExpression: str,  # noqa: N803
        ConditionExpression: str | None = None,  # noqa: N803
        ExpressionAttributeNames: Item | None = None,  # noqa: N803
        ExpressionAttributeValues: Item | None = None,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str | None = None,  # noqa: N803
        ReturnValues: str = "NONE",  # noqa: N803
    ) -> Item:
        names, values = ExpressionAttributeNames or {}, ExpressionAttributeValues or {}
        if not _FLAT.fullmatch(UpdateExpression):
            given = {
                "ConditionExpression": ConditionExpression,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": ReturnValuesOnConditionCheckFailure,
            }
            return self._client.update_item(
                TableName=TableName,
                Key=Key,
                UpdateExpression=UpdateExpression,
                ReturnValues=ReturnValues,
                **{name: value for name, value in given.items() if value},
            )
        self._check("UpdateItem", TableName, Key, ConditionExpression, names, values)
        item = self._change(TableName, Key, UpdateExpression, names, values)
        return {"Attributes": _read(item)} if ReturnValues == "ALL_NEW" else {}

    def transact_write_items(self, *, TransactItems: list[Item], ClientRequestToken: str) -> Item:  # noqa: N803
        writes = [next(iter(each.items())) for each in TransactItems]
        if any(not _is_simple(kind, each) for kind, each in writes):
            return self._client.transact_write_items(
                TransactItems=TransactItems, ClientRequestToken=ClientRequestToken
            )
        reasons = [self._reason(each) for _, each in writes]
        if any(reason["Code"] != "None" for reason in reasons):
            response = {"Error": {"Code": "TransactionCanceledException", "Message": ""}}
            raise ClientError(response | {"CancellationReasons": reasons}, "TransactWriteItems")
        for kind, each in writes:
            if kind == "Put":
                self._backend.put_item(each["TableName"], each["Item"])
            elif kind == "Delete":
                self._backend.delete_item(each["TableName"], each["Key"])
            elif kind == "Update":
                names, values = each["ExpressionAttributeNames"], each["ExpressionAttributeValues"]
                self._change(each["TableName"], each["Key"], each["UpdateExpression"], names, values)
        return {}

    def delete_item(
        self,
        *,
        TableName: str,  # noqa: N803
        Key: Item,  # noqa: N803
        ConditionExpression: str | None = None,  # noqa: N803
        ExpressionAttributeValues: Item | None = None,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str | None = None,  # noqa: N803 - it is always given
    ) -> Item:
        values = ExpressionAttributeValues or {}
        self._check("DeleteItem", TableName, Key, ConditionExpression, {}, values)
        self._backend.delete_item(TableName, Key)
        return {}

    def _check(
        self,
        operation: str,
        table: str,
        key: Item,
        condition: str | None,
        names: Item,
        values: Item,
        *,
        shown: bool = True,
    ) -> None:
        """Raise ClientError where a condition does not hold, with the item if it is to be `shown`."""
        if condition is None:
            return
        current = self._backend.get_item(table, key)
        if not _condition(condition, names, values).expr(current):
            item = current.to_json()["Attributes"] if current is not None and shown else None
            error = ConditionalCheckFailed(item=item)
            raise _refused(error, operation)

    def _change(self, table: str, key: Item, expression: str, names: Item, values: Item) -> Item:
        """Make a flat update. Returns the item after it."""
        current = self._backend.get_item(table, key)
        item = {**(current.to_json()["Attributes"] if current else key)}
        flat, _, adds = expression.partition("ADD ")
        sets, _, removes = flat.removeprefix("SET ").partition("REMOVE ")
        for change in filter(None, sets.split(",")):
            name, _, value = map(str.strip, change.partition("="))
            item[names.get(name, name)] = values[value] if value.startswith(":") else item[value]
        for name in filter(None, map(str.strip, removes.split(","))):
            item.pop(names.get(name, name), None)
        for name, value in map(str.split, filter(None, adds.split(","))):
            item[names[name]] = _sum(item.get(names[name]), values[value])
        self._backend.put_item(table, item, overwrite=True)
        return item

    def query(
        self,
        *,
        TableName: str,  # noqa: N803
        KeyConditionExpression: str,  # noqa: N803
        ExpressionAttributeValues: Item,  # noqa: N803
        ScanIndexForward: bool = True,  # noqa: N803
        ConsistentRead: bool = False,  # noqa: N803
        IndexName: str | None = None,  # noqa: N803
        ExclusiveStartKey: Item | None = None,  # noqa: N803
        Limit: int | None = None,  # noqa: N803
        FilterExpression: str | None = None,  # noqa: N803
    ) -> Item:
        """Ask moto, which compares every item of a table, for a table that holds this partition alone."""
        schema = self._backend.get_schema(table_name=TableName, index_name=IndexName)
        partitions, sorts, _ = parse_expression(KeyConditionExpression, ExpressionAttributeValues, {}, schema)
        ((name, value),) = partitions
        _, comparison, bounds = sorts[-1] if sorts else (None, None, [])
        only = copy.copy(self._backend.get_table(TableName))
        only.items = _partition(only.items, name, value, IndexName)
        found, _, last = only.query(
            DynamoType(value),
            comparison,
            [DynamoType(bound) for bound in bounds],
            Limit,
            ExclusiveStartKey,
            ScanIndexForward,
            None,
            index_name=IndexName,
            consistent_read=ConsistentRead,
            filter_expression=get_filter_expression(FilterExpression, {}, ExpressionAttributeValues),
            hash_key_conditions=[(name, DynamoType(value))],
            range_key_conditions=[
                (sort, how, [DynamoType(each) for each in values]) for sort, how, values in sorts
            ],
        )
        answer: Item = {"Items": [_out(item) for item in found]}
        if last is not None:
            answer["LastEvaluatedKey"] = {name: value.to_json() for name, value in last.items()}
        return answer

    def scan(self, *, TableName: str) -> Item:  # noqa: N803
        """Everything in one page, which no DynamoDB would give."""
        return {"Items": [_out(item) for item in self._backend.get_table(TableName).all_items()]}

    def _reason(self, write: Item) -> Item:
        """Why this write would cancel its transaction, in DynamoDB's words."""
        key = write.get("Key") or {name: write["Item"][name] for name in ("pk", "sk")}
        current = self._backend.get_item(write["TableName"], key)
        names = write.get("ExpressionAttributeNames", {})
        values = write.get("ExpressionAttributeValues", {})
        if _condition(write.get("ConditionExpression"), names, values).expr(current):
            return {"Code": "None"}
        shown = current is not None and write.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        return {"Code": "ConditionalCheckFailed", "Message": ""} | ({"Item": _out(current)} if shown else {})


def _condition(expression: str | None, names: Item, values: Item) -> Any:
    """Read a condition as moto does. One without values is the same each time, and is read once."""
    if expression is not None and (":" in expression or "#" in expression):
        return get_filter_expression(expression, names, values)
    return _condition_alone(expression)


@cache
def _condition_alone(expression: str | None) -> Any:
    return get_filter_expression(expression, {}, {})


def _partition(items: dict[Any, Any], name: str, value: Item, index: str | None) -> dict[Any, Any]:
    """What lies in one partition of a table or of an index, in the form of a table's items."""
    if index is None:
        key = DynamoType(value)
        return {key: items[key]} if key in items else {}
    within: dict[Any, Any] = {}
    for partition, held in items.items():
        there = {sort: item for sort, item in held.items() if _lies_in(item, name, value["S"])}
        if there:
            within[partition] = there
    return within


def _lies_in(item: Any, name: str, partition: str) -> bool:
    attribute = item.attrs.get(name)
    return attribute is not None and attribute.value == partition


def _is_simple(kind: str, write: Item) -> bool:
    """Whether a write of a transaction is made here."""
    return kind != "Update" or _FLAT.fullmatch(write["UpdateExpression"]) is not None


def _sum(number: Item | None, more: Item) -> Item:
    """Two whole numbers together. One that is not there is nought."""
    return {"N": str(int((number or {"N": "0"})["N"]) + int(more["N"]))}


_READS = ("get_", "batch_get_", "query", "scan", "describe_")


@contextmanager
def a_table() -> Iterator[Table]:
    """A fresh table in a moto of its own, for tests that need one for each of many examples."""
    with aws():
        client = FastDynamoDB(dynamodb_client())
        create_table(client)
        yield Table(client, TABLE_NAME)


class OneAtATime:
    """A client whose calls do not overlap, so that several threads may use it, as DynamoDB's."""

    def __init__(self, client: Any) -> None:
        self.meta = client.meta
        self._client = client
        self._lock = Lock()
        self.writes = 0
        """How many calls so far may have changed a table."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        reads = name.startswith(_READS)

        def call(*positional: Any, **request: Any) -> Any:
            with self._lock:
                self.writes += not reads
                return method(*positional, **request)

        return call


class Observed(OneAtATime):
    """Such a client, whose calls are remembered for the function that makes them."""

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)

        def call(**request: Any) -> Any:
            observed_calls.note("dynamodb", name, request)
            return method(**request)

        return call


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    """The same as `tests.support.table.dynamodb`, without the wire."""
    with aws():
        client = Observed(FastDynamoDB(dynamodb_client()))
        aws_clients.put("dynamodb", client)
        create_table(client)
        yield client


def _refused(error: DynamodbException, operation: str) -> ClientError:
    if not isinstance(error, ConditionalCheckFailed):
        return ClientError({"Error": {"Code": type(error).__name__, "Message": ""}}, operation)
    item = json.loads(error.description).get("Item")
    response = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}}
    return ClientError(response | ({"Item": _read(item)} if item else {}), operation)


def _out(item: Any) -> Item:
    return _read(item.to_json()["Attributes"])


def _read(attributes: Item) -> Item:
    # What came by wire is kept as bytes, what is in an error is in Base64.
    return {
        name: {"B": base64.b64decode(value["B"])} if isinstance(value.get("B"), str) else value
        for name, value in attributes.items()
    }
