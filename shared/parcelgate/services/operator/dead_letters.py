"""Dead letters: how many messages lie in each dead-letter queue, and sending them to their queues again.

The queues belong to the whole stack and hold messages of all tenants. So a tenant's operator is shown how
many there are, and of the messages themselves only those of that tenant, by the ids that they name.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.domain.deadline import Deadline
from parcelgate.domain.problems import ProblemError
from parcelgate.observability.logs import log
from parcelgate.services.settings import Settings
from parcelgate.store import keys
from parcelgate.store.inbox import name_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MOST_MOVED = 1000
"""How many messages one call sends again."""
_AT_ONCE = 10
"""How many messages SQS gives in one answer."""
_HIDDEN_SECONDS = 60
"""How long a message that is being moved is hidden from others."""
_IDS = ("order_id", "tracking_id", "id", "batch_id", "batch")
"""What a message may name: the first that it has is shown."""
_SPARE_SECONDS = 2.0


class DeadLetter(msgspec.Struct, frozen=True):
    """One message of the tenant: the id that it names, what it wants, and when it was first sent."""

    id: str
    action: str | None
    sent_at: datetime


class DeadLetterQueue(msgspec.Struct, frozen=True, kw_only=True):
    """One dead-letter queue. `messages` are those of all tenants.

    `oldest` is the time of the oldest message among those that were looked at, at most ten; `sample` has
    those of them that are the tenant's.
    """

    queue: str
    messages: int
    oldest: datetime | None
    redrivable: bool
    sample: tuple[DeadLetter, ...]


class Redrive(msgspec.Struct, frozen=True):
    """How many messages were sent again, and about how many are left."""

    queue: str
    moved: int
    left: int


class DeadLetters(msgspec.Struct, frozen=True):
    """The dead-letter queues of the stack, by the names that alarms and runbook use."""

    sqs: "SQSClient"
    settings: Settings

    def all(self, tenant: str) -> list[DeadLetterQueue]:
        """Every dead-letter queue, in alphabetical order, with a sample of what is the tenant's."""
        return [self._look(name, tenant) for name in sorted(self.settings.dead_letter_queues)]

    def redrive(self, queue: str, deadline: Deadline) -> Redrive:
        """Send the messages of a dead-letter queue to the queue that they came from.

        Each is sent before it is deleted, so none is lost, and one may come twice, which does no harm. No
        more are sent than were there at the beginning, so none goes in circles, and at most `MOST_MOVED`.

        Raises ProblemError: `not_found` for an unknown queue, or one whose messages came from no queue.
        """
        if queue not in self.settings.dead_letter_queues:
            raise ProblemError("not_found", "There is no such dead-letter queue.")
        if queue not in self.settings.redrive_queues:
            detail = (
                "Its messages came from no queue, so they cannot be sent again. "
                'The section "Dead letters" of the runbook says what to do.'
            )
            raise ProblemError("not_found", detail)
        source = self._url(self.settings.dead_letter_queues[queue])
        most = min(self._count(source), MOST_MOVED)
        seen = moved = 0
        while seen < most and deadline.remaining() > _SPARE_SECONDS:
            messages = self._received(source, min(_AT_ONCE, most - seen), hidden=_HIDDEN_SECONDS)
            if not messages:
                break
            for message in messages:
                seen += 1
                if target := self._origin(message) or self.settings.redrive_queues[queue]:
                    self._move(message, source, self._url(target))
                    moved += 1
        log.info("dead letters were sent again", extra={"queue": queue, "moved": moved})
        return Redrive(queue, moved, self._count(source))

    def _look(self, name: str, tenant: str) -> DeadLetterQueue:
        url = self._url(self.settings.dead_letter_queues[name])
        count = self._count(url)
        messages = self._received(url, _AT_ONCE, hidden=0) if count else []
        sample = (letter for message in messages if (letter := _of_tenant(message, tenant)) is not None)
        return DeadLetterQueue(
            queue=name,
            messages=count,
            oldest=min(map(_sent_at, messages), default=None),
            redrivable=name in self.settings.redrive_queues,
            sample=tuple(sorted(sample, key=lambda letter: letter.sent_at)),
        )

    def _url(self, name: str) -> str:
        """The address of a queue: all of them begin alike."""
        return f"{self.settings.inbox_dead_letter_url.rpartition('/')[0]}/{name}"

    def _count(self, url: str) -> int:
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def _received(self, url: str, most: int, *, hidden: int) -> list[Mapping[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=most,
            VisibilityTimeout=hidden,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [*answer.get("Messages", ())]

    def _origin(self, message: Mapping[str, Any]) -> str | None:
        """The queue in which SQS gave the message up. What was put here in another way has none."""
        arn: str | None = message["Attributes"].get("DeadLetterQueueSourceArn")
        return arn.rpartition(":")[2] if arn else None

    def _move(self, message: Mapping[str, Any], source: str, target: str) -> None:
        more: dict[str, Any] = {}
        if attributes := message.get("MessageAttributes"):
            more["MessageAttributes"] = attributes
        if group := message.get("Attributes", {}).get("MessageGroupId"):
            more["MessageGroupId"] = group
        self.sqs.send_message(QueueUrl=target, MessageBody=message["Body"], **more)
        self.sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])


def _sent_at(message: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)


def _of_tenant(message: Mapping[str, Any], tenant: str) -> DeadLetter | None:
    """What may be shown of a message; None for another tenant's, or one whose tenant is not known."""
    try:
        body = msgspec.json.decode(message["Body"])
    except msgspec.DecodeError:
        return None
    if not isinstance(body, dict):
        return None
    if (item := _item(body)) is not None:
        return DeadLetter(name_of(item.id), None, _sent_at(message)) if item.tenant == tenant else None
    if body.get("tenant") != tenant:
        return None
    named = (str(body[name]) for name in _IDS if isinstance(body.get(name), str))
    action = body.get("action")
    return DeadLetter(
        name_of(next(named, "")), action if isinstance(action, str) else None, _sent_at(message)
    )


def _item(body: Mapping[str, Any]) -> keys.ItemName | None:
    """The item that a message of `changes` names by its keys, which have its tenant in them."""
    named = body.get("keys")
    pk = named.get("pk") if isinstance(named, dict) else None
    return keys.parse(pk) if isinstance(pk, str) else None
