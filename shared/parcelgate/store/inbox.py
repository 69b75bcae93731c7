"""The inbox: every delivery of a carrier, as it came, stored before it is acknowledged.

An entry is named by what was delivered, so a repeat finds the first delivery. It is due five minutes
after it came until it was worked on, and kept for thirty days to be read again.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from parcelgate.domain.clock import rfc3339
from parcelgate.store import calls, keys
from parcelgate.store.calls import ConditionFailedError, Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DUE_AFTER = timedelta(minutes=5)
KEPT = timedelta(days=30)

RECEIVED = "received"
PROCESSED = "processed"
PARKED = "parked"

_SK = "ENTRY"


class InboxEntry(NamedTuple):
    """One delivery. `body` is what came, byte for byte; `state` is received, processed or parked."""

    id: str
    tenant: str
    carrier: str
    account: str
    order_id: str | None
    body: bytes
    headers: dict[str, str]
    received_at: datetime
    state: str
    reason: str | None
    is_new: bool = False


class Inbox:
    """The deliveries to one tenant."""

    def __init__(self, client: "DynamoDBClient", name: str, tenant: str) -> None:
        self._client = client
        self._name = name
        self._tenant = tenant

    def put(
        self,
        *,
        carrier: str,
        account: str,
        body: bytes,
        now: datetime,
        order_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> InboxEntry:
        """Store a delivery in one conditional write, and return the entry that stands then.

        `is_new` is False for a repeat; its `state` says whether the first one was worked on. Give
        only those `headers` that prove something: they are kept with the body.
        """
        digest = keys.digest(body, order_id or "", account)
        entry = InboxEntry(
            id=f"{carrier}#{digest}",
            tenant=self._tenant,
            carrier=carrier,
            account=account,
            order_id=order_id,
            body=body,
            headers=dict(headers or {}),
            received_at=now,
            state=RECEIVED,
            reason=None,
            is_new=True,
        )
        try:
            calls.write(
                self._client.put_item,
                TableName=self._name,
                Item=self._item(entry),
                # What has expired may stand there still; it counts as gone.
                ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now",
                ExpressionAttributeValues={":now": {"N": str(math.floor(now.timestamp()))}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailedError as error:
            first = self._entry(error.item) if error.item else self.get(entry.id)
            return first or entry
        return entry

    def get(self, entry_id: str) -> InboxEntry | None:
        """The entry as it stands; None when it has expired or never was."""
        with calls.translated():
            item = self._client.get_item(
                TableName=self._name, Key=self._key(entry_id), ConsistentRead=True
            ).get("Item")
        return None if item is None else self._entry(item)

    def processed(self, entry_id: str, now: datetime) -> None:
        """The entry was worked on: it is due no more. Again is the same as once."""
        self._close(entry_id, PROCESSED, None, now)

    def park(self, entry_id: str, reason: str, now: datetime) -> None:
        """Nothing can be done with the entry: set it aside with the reason. It is due no more."""
        self._close(entry_id, PARKED, reason, now)

    def postpone(self, entry_id: str, until: datetime) -> None:
        """An entry that is still unprocessed is due again at `until`."""
        self._update(
            entry_id,
            "SET due_at = :until",
            {":until": {"S": rfc3339(until)}},
            " AND attribute_exists(due_at)",
        )

    def _close(self, entry_id: str, state: str, reason: str | None, now: datetime) -> None:
        values: Item = {":state": {"S": state}, ":now": {"S": rfc3339(now)}}
        change = "SET entry_state = :state, closed_at = :now"
        if reason is not None:
            change += ", reason = :reason"
            values[":reason"] = {"S": reason}
        self._update(entry_id, f"{change} REMOVE due_pk, due_at", values)

    def _update(self, entry_id: str, change: str, values: Item, condition: str = "") -> None:
        try:
            calls.write(
                self._client.update_item,
                TableName=self._name,
                Key=self._key(entry_id),
                UpdateExpression=change,
                ConditionExpression=f"attribute_exists(pk){condition}",
                ExpressionAttributeValues=values,
            )
        except ConditionFailedError:
            return  # It has expired, or was closed meanwhile: nothing is left to be done.

    def _key(self, entry_id: str) -> Item:
        carrier, _, digest = entry_id.partition("#")
        return {"pk": {"S": keys.key(self._tenant, keys.INBOX, carrier, digest)}, "sk": {"S": _SK}}

    def _item(self, entry: InboxEntry) -> Item:
        item: Item = {
            **self._key(entry.id),
            "type": {"S": "inbox"},
            "carrier": {"S": entry.carrier},
            "account": {"S": entry.account},
            "body": {"B": entry.body},
            "headers": {"M": {name: {"S": value} for name, value in entry.headers.items()}},
            "received_at": {"S": rfc3339(entry.received_at)},
            "entry_state": {"S": entry.state},
            "due_pk": {"S": keys.due(keys.INBOX, keys.shard_of(entry.id))},
            "due_at": {"S": rfc3339(entry.received_at + DUE_AFTER)},
            "expires_at": {"N": str(math.ceil((entry.received_at + KEPT).timestamp()))},
        }
        return item if entry.order_id is None else item | {"order_id": {"S": entry.order_id}}

    def _entry(self, item: Item) -> InboxEntry:
        name = keys.parse(item["pk"]["S"])
        return InboxEntry(
            id=name.id if name else "",
            tenant=self._tenant,
            carrier=item["carrier"]["S"],
            account=item["account"]["S"],
            order_id=item["order_id"]["S"] if "order_id" in item else None,
            body=bytes(item["body"]["B"]),
            headers={name: value["S"] for name, value in item["headers"]["M"].items()},
            received_at=datetime.fromisoformat(item["received_at"]["S"]).astimezone(UTC),
            state=item["entry_state"]["S"],
            reason=item["reason"]["S"] if "reason" in item else None,
        )
