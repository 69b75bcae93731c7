"""The tables for tests: moto's DynamoDB with the very keys and indexes that the stack has.

    from tests.support.table import table  # noqa: F401 - a fixture

gives a fresh `parcelgate.store.table.Table`; `dynamodb` is the client under it. `events_table` is the table
of what merchants are told. moto is in memory, so nothing leaves the process.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from botocore.session import Session, get_session
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core import models as moto_core
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models import table as moto_table
from moto.dynamodb.models.dynamo_type import DynamoType, ItemSizeTooLarge, LimitedSizeDict
from moto.dynamodb.models.dynamo_type import Item as MotoItem
from moto.dynamodb.models.table import Table as MotoTable
from moto.kms import models as moto_kms

from parcelgate import aws_clients
from parcelgate.store.merchant_events.table import EventsTable
from parcelgate.store.table import Table

TABLE_NAME = "parcelgate-test"
EVENTS_TABLE_NAME = "events-test"
REGION = "eu-central-1"
_LARGEST_ITEM = 405_000
"""Bytes. moto's own limit."""
_pair_of_keys = cache(moto_kms.generate_private_key)

INDEXES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "by_time": ("list_pk", "list_sk", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["carrier"]}),
    "by_status": ("status_pk", "list_sk", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["carrier"]}),
    "by_reference": (
        "reference_pk",
        "list_sk",
        {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["carrier"]},
    ),
    "due": ("due_pk", "due_at", {"ProjectionType": "KEYS_ONLY"}),
}
EVENTS_INDEXES: dict[str, tuple[str, str, dict[str, Any]]] = {
    name: (partition, "list_sk", {"ProjectionType": "KEYS_ONLY"})
    for name, partition in {
        "by_time": "list_pk",
        "by_topic": "topic_pk",
        "by_type": "type_pk",
        "by_order": "order_pk",
        "by_order_type": "order_type_pk",
        "by_subject": "subject_pk",
        "by_tracking_type": "tracking_type_pk",
    }.items()
}


class Lagging:
    """A client of DynamoDB whose indexes are behind: after each query something `happens` that it lacks."""

    def __init__(self, client: Any, happens: Callable[[], None]) -> None:
        self._client, self._happens = client, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, **request: Any) -> Any:
        """Query, and let happen what the answer does not know."""
        answer = self._client.query(**request)
        self._happens()
        return answer


def create_table(client: Any, name: str = TABLE_NAME) -> None:
    """Make the main table, with every index and its stream."""
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    _create(client, name, INDEXES, StreamSpecification=stream)


def create_events_table(client: Any, name: str = EVENTS_TABLE_NAME) -> None:
    """Make the events table, with every index."""
    _create(client, name, EVENTS_INDEXES)


def _create(client: Any, name: str, indexes: dict[str, tuple[str, str, dict[str, Any]]], **more: Any) -> None:
    tables = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables
    kind = ",".join((*indexes, *more))
    if kind in _first:
        tables[name] = _one_like(_first[kind], name)
        return
    attributes = sorted({"pk", "sk", *(key for index in indexes.values() for key in index[:2])})
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in attributes],
        KeySchema=_schema("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": index, "KeySchema": _schema(partition, sort), "Projection": projection}
            for index, (partition, sort, projection) in indexes.items()
        ],
        **more,
    )
    client.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    _first[kind] = _one_like(tables[name], name)


_first: dict[str, MotoTable] = {}
"""An empty table of each kind. To be asked for one in so many words takes moto tens of milliseconds."""


def _one_like(table: MotoTable, name: str) -> MotoTable:
    twin = copy.copy(table)
    twin.name, twin.table_arn, twin.items = name, table.table_arn.replace(table.name, name), defaultdict(dict)
    twin.set_stream_specification(table.stream_specification)
    return twin


def all_items(client: Any, name: str = TABLE_NAME) -> list[dict[str, Any]]:
    """Everything in the table. Only a test may scan."""
    page = client.scan(TableName=name)
    items = list(page["Items"])
    while "LastEvaluatedKey" in page:
        page = client.scan(TableName=name, ExclusiveStartKey=page["LastEvaluatedKey"])
        items += page["Items"]
    return items


@contextmanager
def _mocked(patch: pytest.MonkeyPatch) -> Iterator[None]:
    # moto would also stand in for AWS where `requests` is used, which nothing here does.
    patch.setattr(moto_core, "RESPONSES_METHODS", [])
    with mock_aws():
        yield


@cache
def _session() -> Session:
    """One for all tests: making it and reading what it knows of services took half of some tests' time."""
    return get_session()


@contextmanager
def aws() -> Iterator[None]:
    """moto in the place of AWS, with credentials that open nothing, and clients made anew."""
    with pytest.MonkeyPatch.context() as patch, _mocked(patch):
        # moto copies the whole table for each transaction, which hundreds of orders cannot afford. Our
        # transactions put and delete whole items (save those that add to figures, and the one that revokes a
        # key), so that which items there are is all that has to be rolled back.
        patch.setattr(MotoTable, "__deepcopy__", _with_the_same_items, raising=False)
        # It measures all attributes of an item again with each that it adds, and writes each record of
        # the stream out for its size, which nobody reads.
        patch.setattr(MotoItem, "__init__", _measured_once)
        patch.setattr(moto_table, "dynamo_json_dump", lambda record: "")
        # It makes a pair of RSA keys for each key of KMS, those that only encrypt too.
        patch.setattr(moto_kms, "generate_private_key", _pair_of_keys)
        for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
            patch.delenv(variable, raising=False)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_REGION", REGION)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        aws_clients.forget()
        aws_clients._session = _session()
        try:
            yield
        finally:
            aws_clients.forget()


def _measured_once(
    item: MotoItem, hash_key: DynamoType, range_key: DynamoType | None, attrs: dict[str, Any]
) -> None:
    item.hash_key, item.range_key, item.attrs = hash_key, range_key, LimitedSizeDict()
    for name, value in attrs.items():
        dict.__setitem__(item.attrs, name, DynamoType(value))
    if item.size() > _LARGEST_ITEM:
        raise ItemSizeTooLarge


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    """The client of a fresh DynamoDB that has the table. The client itself is made once for all tests."""
    with aws():
        client = dynamodb_client()
        aws_clients.put("dynamodb", client)
        create_table(client)
        yield client


@pytest.fixture
def table(dynamodb: Any) -> Table:
    """A fresh table."""
    return Table(dynamodb, TABLE_NAME)


@pytest.fixture
def events_table(dynamodb: Any) -> EventsTable:
    """A fresh table of what merchants are told."""
    create_events_table(dynamodb)
    return EventsTable(dynamodb, EVENTS_TABLE_NAME)


@cache
def dynamodb_client() -> Any:
    """The client, made once for all tests."""
    return aws_clients.client("dynamodb")


def _with_the_same_items(table: MotoTable, memo: object) -> MotoTable:
    twin = copy.copy(table)
    twin.items = defaultdict(dict, {key: _kept(key, items) for key, items in table.items.items()})
    twin.stream_shard = copy.copy(table.stream_shard)
    if twin.stream_shard is not None:
        twin.stream_shard.items = list(twin.stream_shard.items)
    return twin


def _kept(partition: Any, items: dict[Any, Any]) -> dict[Any, Any]:
    """The items of a partition: the very same, or copies of those that transactions add to."""
    if not str(getattr(partition, "value", partition)).endswith("#STATS"):
        return dict(items)
    copies = {key: copy.copy(item) for key, item in items.items()}
    for item in copies.values():
        item.attrs = copy.copy(item.attrs)
    return copies


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
