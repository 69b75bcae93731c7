"""Trying again later: how long to wait, and how a queue delivers a message again at that time.

Every message has a message group, which names its tenant, and the carrier account where it is about one. SQS
lets the messages of a quiet group go before those of a busy one (fair queues).
"""

import math
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn, Self

import msgspec

from parcelgate.observability.metrics import duration
from parcelgate.services.settings import Settings
from parcelgate.store.keys import digest

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from mypy_boto3_sqs import SQSClient

LONGEST_STEP = timedelta(hours=11)
"""SQS lets a message be invisible for twelve hours at most."""
_LONGEST_DELAY = 900
_PATIENT_AFTER = 400
_PATIENT_STEP = timedelta(minutes=2)
"""SQS itself gives a message up after 1000 receives: this keeps 12 hours of attempts below that."""


def backoff(attempt: int, *, first: timedelta, cap: timedelta, roll: float) -> timedelta:
    """The pause after the `attempt`-th failure (1 is the first), by chance anywhere up to its limit.

    The limit begins with `first`, doubles each time and ends at `cap`; `roll` is a number of [0, 1).
    Full jitter keeps callers that failed together from coming back together.

    >>> backoff(3, first=timedelta(seconds=2), cap=timedelta(seconds=60), roll=0.5).total_seconds()
    4.0
    """
    doublings = min(attempt - 1, 24)  # many months: later than any cap, and no overflow
    limit = min(first * (1 << doublings), cap)
    return limit * roll


def pause_after(attempt: int, settings: Settings, *, roll: float, at_least: float | None = None) -> timedelta:
    """The pause after the `attempt`-th failure: the environment's back-off, on top of `at_least` seconds.

    So callers that were given the same time do not come back together.
    """
    step = backoff(attempt, first=settings.retry_first, cap=settings.retry_cap, roll=roll)
    pause = step + timedelta(seconds=at_least or 0)
    if attempt > _PATIENT_AFTER:
        pause = max(pause, _PATIENT_STEP)
    return min(pause, LONGEST_STEP)


class ReceivedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as SQS delivers it. `queue` is the name of the queue it came from, `group` its group."""

    queue: str
    body: str
    receipt_handle: str
    receive_count: int
    group: str | None = None

    @classmethod
    def of(cls, record: "SQSRecord") -> Self:
        """The message of a record of an event."""
        return cls(
            queue=record.event_source_arn.rpartition(":")[2],
            body=record.body,
            receipt_handle=record.receipt_handle,
            receive_count=int(record.attributes.approximate_receive_count),
            group=record.attributes.message_group_id,
        )


class NotYetError(Exception):
    """The message must come again. Its visibility timeout says when."""


def message_group(tenant: str, *account: str) -> str:
    """The message group of what is about a tenant, or about one of its carrier accounts.

    An account's name may have letters that SQS does not take, so it stands there as a hash.
    """
    return f"{tenant}/{digest(*account)[:16]}" if account else tenant


def send_anew(sqs: "SQSClient", queue_url: str, body: bytes, *, group: str, after: timedelta) -> None:
    """Put a new message in the place of one that was not worked on, `after` at most 15 minutes.

    The old one then counts as done, so it is no attempt. Whoever dies between the two leaves both: what is in
    a queue may come twice.
    """
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody=body.decode(),
        MessageGroupId=group,
        DelaySeconds=min(math.ceil(after.total_seconds()), _LONGEST_DELAY),
    )


def come_again(
    sqs: "SQSClient", queue_url: str, message: ReceivedMessage, after: timedelta, *, age: timedelta
) -> NoReturn:
    """Hide the message for that long (at most 12 hours), after which it comes again. Raises NotYetError.

    `age` is how long its work has been waiting. SQS reports no age for a message that it has delivered three
    times, so it is recorded as the metric `WorkAge`.
    """
    duration("WorkAge", age.total_seconds())
    sqs.change_message_visibility(
        QueueUrl=queue_url,
        ReceiptHandle=message.receipt_handle,
        VisibilityTimeout=math.ceil(after.total_seconds()),
    )
    raise NotYetError
