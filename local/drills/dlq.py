"""The drill `dlq`: a carrier was mute for twelve hours, and its orders have become dead letters."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import msgspec

from local.command.rendering import counted
from local.drills import door
from local.drills.door import Way
from local.drills.drill import Drill
from local.drills.scene import Block
from parcelgate.domain.clock import now
from parcelgate.services.orders.retry_queues import Action, RetryMessage

_QUEUE = "retries-lme"
_AGE = timedelta(hours=13)


class DeadLetters(Drill):
    """The carrier takes every order and no answer of it arrives.

    Nobody waits for twelve hours here: the drill puts into the retry queue what lies in it by then, a message
    of each order with the time of its first attempt thirteen hours ago.
    """

    name = "dlq"
    line = "LME's answers were lost for twelve hours: its creates are dead letters"
    section = "Dead letters"
    page = "inbox"
    alarms = ("dead-letters-retries", "orders-need-attention")

    def damage(self) -> None:
        """Post orders whose answers are lost, and let their twelve hours be over."""
        self._door = self.scene.undo.enter_context(door.opened(self.scene.stack.sandbox_url))
        self.scene.put_account("lme", url=self._door.url)
        self.scene.undo.callback(self._redrive)
        self.scene.undo.callback(self.scene.put_account, "lme")
        self._door.way = Way.MUTE
        for _ in range(3):
            self.scene.post("lme")
        names = {order["reference"] for order in self.scene.orders}
        self.scene.until(
            lambda: names <= {entry["reference"] for entry in self.scene.booked("lme")["orders"]},
            "the orders in the carrier's books",
        )
        self._door.way = Way.SHUT
        for order in self.scene.orders:
            message = RetryMessage(
                tenant=self.scene.tenant,
                order_id=order["id"],
                carrier="lme",
                action=Action.CREATE,
                first_attempt_at=now() - _AGE,
            )
            self.scene.client("sqs").send_message(
                QueueUrl=self.scene.outputs["RetryQueueUrlLme"],
                MessageBody=msgspec.json.encode(message).decode(),
            )
        self.scene.until(
            lambda: len(self._letters()) == len(self.scene.orders), "a dead letter of each order"
        )

    def shown(self) -> Iterable[str]:
        """The queue and its messages."""
        for each in self._letters():
            yield f"{_QUEUE}: {each}"

    def looked(self) -> None:
        """Let the carrier work again. Nobody has told the dead letters."""
        self._door.way = Way.OPEN
        self.scene.tell("    The carrier works again.")

    def commands(self) -> Iterator[Block]:
        """See that the cause is gone, and send the messages again."""
        queue = {"QUEUE": _QUEUE}
        yield Block("Dead letters", "dlq show", queue)
        self.scene.until(self._calls_are_made, "the carrier is called again")
        yield Block("Carrier down", "accounts check", {"CARRIER": "lme"})
        yield Block("Dead letters", "dlq redrive", queue)

    def broken(self) -> Iterable[str]:
        """The messages, and the orders."""
        if letters := self._letters():
            yield f"{counted(len(letters), 'message')} in {_QUEUE}"
        yield from super().broken()

    def _letters(self) -> list[str]:
        """The tenant's messages in the queue, by what they name."""
        queues = self.scene.get("/v1/dead-letters")["data"]
        return [
            f"{letter['action']} of {letter['id']}"
            for each in queues
            if each["queue"] == _QUEUE
            for letter in each["sample"]
        ]

    def _redrive(self) -> None:
        if self._letters():
            self.scene.http.post(f"/v1/dead-letters/{_QUEUE}/redrive")

    def _calls_are_made(self) -> bool:
        answer = self.scene.http.post("/v1/carrier-accounts/lme/default/check").json()
        return bool(answer["circuit"] == "closed" and answer["check"]["result"] == "works")
