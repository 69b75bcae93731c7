"""The settings of a function: the one place where its environment is read.

A function is given only the variables that it needs. So each is read when it is asked for, and a
variable that is asked for and missing is an error that names it, not an empty string on its way to AWS.
"""

import os
from collections.abc import Mapping
from datetime import timedelta

import msgspec


class MissingSettingError(Exception):
    """A function asked for a variable that its environment does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set in this function's environment")


class Settings:
    """Typed settings over an environment.

    >>> Settings({"PARCELGATE_RETRY_CAP": "5"}).retry_cap.total_seconds()
    5.0
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    def _text(self, name: str, default: str | None = None) -> str:
        value = self._environment.get(name) or default
        if value is None:
            raise MissingSettingError(name)
        return value

    def _seconds(self, name: str, default: float) -> timedelta:
        return timedelta(seconds=float(self._text(name, str(default))))

    def _urls(self, name: str) -> dict[str, str]:
        return msgspec.json.decode(self._text(name), type=dict[str, str])

    @property
    def table(self) -> str:
        """The name of the one table."""
        return self._text("PARCELGATE_TABLE")

    @property
    def label_bucket(self) -> str:
        """The bucket that holds labels."""
        return self._text("PARCELGATE_LABEL_BUCKET")

    @property
    def order_flow_arn(self) -> str:
        """The order flow's state machine."""
        return self._text("PARCELGATE_ORDER_FLOW_ARN")

    @property
    def inbox_queue_url(self) -> str:
        """The queue of stored carrier deliveries waiting to be worked on."""
        return self._text("PARCELGATE_INBOX_QUEUE_URL")

    @property
    def retry_queue_urls(self) -> dict[str, str]:
        """Each carrier's retry queue."""
        return self._urls("PARCELGATE_RETRY_QUEUE_URLS")

    @property
    def retry_dead_letter_urls(self) -> dict[str, str]:
        """Where each carrier's retries go when their time is over."""
        return self._urls("PARCELGATE_RETRY_DEAD_LETTER_URLS")

    @property
    def batch_bucket(self) -> str:
        """The bucket that holds the bodies of batches."""
        return self._text("PARCELGATE_BATCH_BUCKET")

    @property
    def batch_queue_urls(self) -> dict[str, str]:
        """Each carrier's queue of entries of batches."""
        return self._urls("PARCELGATE_BATCH_QUEUE_URLS")

    @property
    def changes_dead_letter_url(self) -> str:
        """Where the router sets aside a change of the table that it cannot read."""
        return self._text("PARCELGATE_CHANGES_DEAD_LETTER_URL")

    @property
    def label_queue_url(self) -> str:
        """The queue of orders whose labels are to be fetched."""
        return self._text("PARCELGATE_LABEL_QUEUE_URL")

    @property
    def poll_queue_url(self) -> str:
        """The queue of parcels that are to be asked about at once."""
        return self._text("PARCELGATE_POLL_QUEUE_URL")

    @property
    def poll_round(self) -> timedelta:
        """How long after the beginning of a round of polls its workers may still begin another run."""
        return self._seconds("PARCELGATE_POLL_ROUND", 225)

    @property
    def poll_pace(self) -> float:
        """How many times faster than in life the parcels of this environment travel."""
        return float(self._text("PARCELGATE_POLL_PACE", "1"))

    @property
    def event_bus(self) -> str:
        """The bus on which domain events are published."""
        return self._text("PARCELGATE_EVENT_BUS")

    @property
    def kms_key(self) -> str:
        """The key under which platform tokens are encrypted."""
        return self._text("PARCELGATE_KMS_KEY")

    @property
    def webhook_base_url(self) -> str:
        """The address under which `/webhooks/...` begins, without a slash at its end."""
        return self._text("PARCELGATE_WEBHOOK_BASE_URL").rstrip("/")

    @property
    def secret_prefix(self) -> str:
        """What the names of the carrier accounts' secrets begin with."""
        return self._text("PARCELGATE_SECRET_PREFIX", "parcelgate")

    @property
    def order_deadline(self) -> timedelta:
        """How long an order's workflow may take."""
        return self._seconds("PARCELGATE_ORDER_DEADLINE", 1800)

    @property
    def not_found_interval(self) -> timedelta:
        """How far apart two "no such order" answers must be before they are believed."""
        return self._seconds("PARCELGATE_NOT_FOUND_INTERVAL", 60)

    @property
    def refund_deadline(self) -> timedelta:
        """How long a refund is tried before a person is alarmed."""
        return self._seconds("PARCELGATE_REFUND_DEADLINE", 86400)

    @property
    def retry_first(self) -> timedelta:
        """The first step of every back-off."""
        return self._seconds("PARCELGATE_RETRY_FIRST", 2)

    @property
    def retry_cap(self) -> timedelta:
        """The longest step of every back-off."""
        return self._seconds("PARCELGATE_RETRY_CAP", 60)

    @property
    def watch_margin(self) -> timedelta:
        """How long after its time something is overdue."""
        return self._seconds("PARCELGATE_WATCH_MARGIN", 300)
