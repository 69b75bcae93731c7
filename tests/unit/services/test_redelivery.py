"""Messages of a queue, each worked on by itself."""

from typing import Any

from parcelgate.observability.records import Record, each_alone
from parcelgate.services.redelivery import ReceivedMessage


def record(number: int, **attributes: str) -> dict[str, Any]:
    """A record of SQS's event, as Lambda gives it."""
    return {
        "messageId": f"m-{number}",
        "receiptHandle": f"r-{number}",
        "body": f'{{"number": {number}}}',
        "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1795253400000", **attributes},
        "messageAttributes": {},
        "md5OfBody": "made-up",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:inbox",
        "awsRegion": "eu-central-1",
    }


def test_a_message_is_read_whole() -> None:
    read = [ReceivedMessage.of(each) for each in (record(1, MessageGroupId="acme"), record(2))]
    assert read == [
        ReceivedMessage(
            queue="inbox", body='{"number": 1}', receipt_handle="r-1", receive_count=3, group="acme"
        ),
        ReceivedMessage(queue="inbox", body='{"number": 2}', receipt_handle="r-2", receive_count=3),
    ]


def test_those_that_fail_come_again_and_stop_no_other() -> None:
    done: list[str] = []

    def work(each: Record) -> None:
        if each["messageId"] in ("m-1", "m-3"):
            raise ValueError(each["body"])
        done.append(each["messageId"])

    answer = each_alone({"Records": [record(number) for number in range(1, 5)]}, work)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}, {"itemIdentifier": "m-3"}]}
    assert done == ["m-2", "m-4"]


def test_nothing_comes_again_when_all_is_done() -> None:
    assert each_alone({"Records": [record(1)]}, lambda _: None) == {"batchItemFailures": []}
