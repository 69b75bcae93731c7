"""Putting messages into the carriers' retry queues. `orders.retries` processes them."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.orders import Order
from parcelgate.observability.logs import bound_correlation_id
from parcelgate.services.redelivery import message_group
from parcelgate.services.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Action(StrEnum):
    """What is to be tried again."""

    CREATE = "create"
    CANCEL = "cancel"
    REREAD = "reread"


class RetryMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be tried again: ids and times, nothing else.

    `attempts` were made before this message took the place of an earlier one, which was held back. `held` is
    how often that happened.
    """

    tenant: str
    order_id: str
    carrier: str
    action: Action
    first_attempt_at: datetime
    correlation_id: str | None = None
    attempts: int = 0
    held: int = 0


class RetryQueues(msgspec.Struct, frozen=True):
    """Puts messages into the carriers' retry queues."""

    sqs: "SQSClient"
    settings: Settings

    def enqueue(self, order: Order, action: Action, *, at: datetime, delay: float = 0) -> None:
        """Queue `action` for `order`. It is tried from `at` on, first after `delay` seconds (<= 900)."""
        message = RetryMessage(
            tenant=order.tenant,
            order_id=order.id,
            carrier=order.carrier,
            action=action,
            first_attempt_at=at,
            correlation_id=bound_correlation_id() or order.correlation_id,
        )
        self.sqs.send_message(
            QueueUrl=self.settings.retry_queue_urls[order.carrier],
            MessageBody=msgspec.json.encode(message).decode(),
            MessageGroupId=message_group(order.tenant, order.carrier, order.account),
            DelaySeconds=min(round(delay), 900),
        )
