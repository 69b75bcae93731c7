"""The drill `poison`: an item of the table cannot be read, so its change becomes a dead letter."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from local.command.rendering import counted
from local.drills.drill import Drill
from local.drills.scene import Block
from parcelgate.store import keys

_QUEUE = "EventsDeadLetters"


class Poison(Drill):
    """A record of the table's stream that no router can read, between those of good orders."""

    name = "poison"
    line = "a change of the table cannot be read, in the midst of good ones"
    section = "Dead letters"
    page = "inbox"
    alarms = ("dead-letters", "errors")

    def damage(self) -> None:
        """Post an order, write an item that is none, and post another order."""
        self.scene.put_account("lme")
        client, table = self.scene.client("dynamodb"), self.scene.outputs["TableName"]
        self.key = {"pk": keys.key(self.scene.tenant, keys.ORDER, "ord_poison"), "sk": keys.ORDER}
        key = {name: {"S": value} for name, value in self.key.items()}
        self.scene.undo.callback(self._take_away)
        self.scene.undo.callback(client.delete_item, TableName=table, Key=key)
        self.scene.post("lme")
        client.put_item(TableName=table, Item={**key, "doc": {"S": '{"id": "ord_poison"}'}})
        self.scene.post("lme")

    def shown(self) -> Iterable[str]:
        """The queues with messages."""
        for each in self.scene.get("/v1/dead-letters")["data"]:
            if each["messages"]:
                yield f"{each['queue']}: {counted(each['messages'], 'message')}, oldest {each['oldest']}"

    def commands(self) -> Iterator[Block]:
        """Read the message and the item, then delete the message."""
        item = {"PARTITION_KEY": self.key["pk"], "SORT_KEY": self.key["sk"]}
        yield Block("Dead letters", "sqs receive-message")
        yield Block("Dead letters", "dynamodb get-item", item)
        yield Block("Dead letters", "sqs purge-queue")

    def broken(self) -> Iterable[str]:
        """The orders, and the message in the queue."""
        if self.letters():
            yield "the message about the item is still in the queue changes"
        yield from super().broken()

    def letters(self) -> list[str]:
        """The receipts of the messages about the item."""
        found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [each["ReceiptHandle"] for each in found.get("Messages", ()) if self.key["pk"] in each["Body"]]

    def _take_away(self) -> None:
        for receipt in self.letters():
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    @cached_property
    def _sqs(self) -> Any:
        return self.scene.client("sqs")

    @cached_property
    def _url(self) -> str:
        prefix = f"parcelgate-{self.scene.names['STAGE']}-{_QUEUE}"
        (url,) = self._sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"]
        return str(url)
