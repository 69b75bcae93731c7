"""Fakes of the AWS services that our functions call: queues, bus, buckets and secrets, in memory."""

from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from tests.support.clock import FakeClock
from tests.support.faults import Killed

VISIBILITY_SECONDS = 360.0


class FakeSqs:
    """Queues on the fake clock. A queue with a worker hands its messages to it as they become visible."""

    def __init__(self, clock: FakeClock) -> None:
        self.workers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.most_receives: dict[str, int] = {}
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self._clock = clock
        self._ids = count(1)
        self._under_way: list[str] = []
        self._visible_after: dict[str, float] = {}
        self.hidden: dict[str, float] = {}
        """How long a queue hides a message that is being worked on, where not the usual time."""
        self.dead_letters: dict[str, str] = {}
        """Where a queue's messages go that were received too often, where not `<queue>-dead`."""

    def send_message(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        MessageBody: str,  # noqa: N803
        DelaySeconds: float = 0,  # noqa: N803
        MessageAttributes: dict[str, Any] | None = None,  # noqa: N803
        MessageGroupId: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        message = {"id": str(next(self._ids)), "body": MessageBody, "receives": 0, "sent": self._clock.now}
        message["attributes"] = MessageAttributes or {}
        self.messages.setdefault(QueueUrl, []).append(message)
        if QueueUrl in self.workers:
            self._clock.after(DelaySeconds, lambda: self._deliver(QueueUrl, message))
        return {"MessageId": message["id"]}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        for entry in Entries:
            self.send_message(QueueUrl=QueueUrl, MessageBody=entry["MessageBody"])
        return {"Successful": [], "Failed": []}

    def hidden_for(self, message_id: str) -> float | None:
        """For how many seconds a worker has put a message back."""
        return self._visible_after.get(message_id)

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        assert 0 <= VisibilityTimeout <= 43200
        self._visible_after[ReceiptHandle] = VisibilityTimeout

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        return {"Attributes": {"ApproximateNumberOfMessages": str(len(self.messages.get(QueueUrl, ())))}}

    def receive_message(self, *, QueueUrl: str, MaxNumberOfMessages: int, **more: Any) -> dict[str, Any]:  # noqa: N803
        """The first messages of a queue without a worker. They are not hidden."""
        assert QueueUrl not in self.workers
        given = []
        for message in self.messages.get(QueueUrl, [])[:MaxNumberOfMessages]:
            attributes = {"SentTimestamp": str(int(message["sent"].timestamp() * 1000))}
            if "came_from" in message:
                attributes["DeadLetterQueueSourceArn"] = message["came_from"]
            given.append(
                {
                    "MessageId": message["id"],
                    "ReceiptHandle": message["id"],
                    "Body": message["body"],
                    "Attributes": attributes,
                    "MessageAttributes": message["attributes"],
                }
            )
        return {"Messages": given}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        self.messages[QueueUrl] = [each for each in self.messages[QueueUrl] if each["id"] != ReceiptHandle]

    def bodies(self, queue: str) -> list[str]:
        return [message["body"] for message in self.messages.get(queue, [])]

    @property
    def busy(self) -> bool:
        return any(self.messages.get(queue) for queue in self.workers)

    def deliver_now(self, queue: str) -> None:
        """Hand every message to its worker at once."""
        for message in list(self.messages.get(queue, ())):
            self._deliver(queue, message)

    def deliver_others(self, queue: str) -> None:
        """Hand every message to its worker at once that nobody is working on."""
        for message in list(self.messages.get(queue, ())):
            if message["id"] not in self._under_way:
                self._deliver(queue, message)

    def _deliver(self, queue: str, message: dict[str, Any]) -> None:
        if message not in self.messages[queue]:
            return
        message["receives"] += 1
        if message["receives"] > self.most_receives.get(queue, 1000):
            self.messages[queue].remove(message)
            dead_letters = self.dead_letters.get(queue, f"{queue}-dead")
            self.messages.setdefault(dead_letters, []).append(message | {"came_from": _arn(queue)})
            return
        record = {
            "messageId": message["id"],
            "receiptHandle": message["id"],
            "body": message["body"],
            "attributes": {"ApproximateReceiveCount": str(message["receives"])},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": _arn(queue),
        }
        self._under_way.append(message["id"])
        try:
            answer = self.workers[queue]({"Records": [record]})
            failed = bool(answer and answer["batchItemFailures"])
        except Killed:
            failed = True
        finally:
            self._under_way.remove(message["id"])
        if failed:
            hidden = self.hidden.get(queue, VISIBILITY_SECONDS)
            after = self._visible_after.pop(message["id"], hidden)
            self._clock.after(after, lambda: self._deliver(queue, message))
        else:
            self.messages[queue].remove(message)


def _arn(queue: str) -> str:
    return f"arn:aws:sqs:eu-central-1:000000000000:{queue.rpartition('/')[2]}"


class FakeEvents:
    """The bus: remembers what was put on it."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.entries += Entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}

    @property
    def kinds(self) -> list[str]:
        return [entry["DetailType"] for entry in self.entries]


class FakeS3:
    """The buckets of labels and of batches' bodies; `objects` holds all by their keys."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        """The content type of each object, by its key."""
        self.url = "https://s3.test"
        """What links to objects begin with."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes | BinaryIO, ContentType: str) -> None:  # noqa: N803
        assert Bucket in ("labels", "bodies")
        assert (ContentType == "application/json") == (Bucket == "bodies")
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()
        self.types[Key] = ContentType

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": SimpleNamespace(read=lambda: self.objects[Key])}

    def list_object_versions(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == "labels"
        found = [key for key in self.objects if key.startswith(Prefix)]
        return {"Versions": [{"Key": key, "VersionId": "1"} for key in found], "IsTruncated": False}

    def delete_object(self, *, Bucket: str, Key: str, VersionId: str | None = None) -> None:  # noqa: N803
        assert (VersionId is None) == (Bucket == "bodies"), "only labels have versions"
        self.objects.pop(Key, None)

    def generate_presigned_url(self, operation: str, *, Params: dict[str, str], ExpiresIn: int) -> str:  # noqa: N803
        assert operation == "get_object"
        return f"{self.url}/{Params['Bucket']}/{Params['Key']}?X-Amz-Expires={ExpiresIn}"


class FakeSecrets:
    """The secrets of carrier accounts, by their whole names."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.earlier: dict[str, str] = {}
        """What each secret held before the last change."""
        self.exceptions = SimpleNamespace(ResourceExistsException=type("Exists", (Exception,), {}))

    def get_secret_value(self, *, SecretId: str, VersionStage: str = "AWSCURRENT") -> dict[str, Any]:  # noqa: N803
        texts = {"AWSCURRENT": self.texts, "AWSPREVIOUS": self.earlier}[VersionStage]
        if SecretId not in texts:
            error = {"Code": "ResourceNotFoundException", "Message": "made up by a test"}
            raise ClientError({"Error": error}, "GetSecretValue")
        return {"SecretString": texts[SecretId]}

    def create_secret(self, *, Name: str, SecretString: str) -> None:  # noqa: N803
        if Name in self.texts:
            raise self.exceptions.ResourceExistsException
        self.texts[Name] = SecretString

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_secrets"

        def paginate(*, Filters: Any) -> list[dict[str, Any]]:  # noqa: N803
            ((start,),) = [one["Values"] for one in Filters]
            return [{"SecretList": [{"Name": name} for name in self.texts if name.startswith(start)]}]

        return SimpleNamespace(paginate=paginate)

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803
        self.earlier[SecretId] = self.texts[SecretId]
        self.texts[SecretId] = SecretString
