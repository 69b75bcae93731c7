"""The settings of a function: the one place where its environment is read.

A function is given only the variables that it needs. Reading a variable that is missing raises an error with
its name, so that no empty string goes to AWS.
"""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any


class MissingSettingError(Exception):
    """A function asked for a variable that its environment does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set in this function's environment")


class Settings:
    """Typed settings, read once from an environment: `retry_cap` is `PARCELGATE_RETRY_CAP`, in seconds.

    >>> Settings({"PARCELGATE_RETRY_CAP": "5"}).retry_cap.total_seconds()
    5.0
    """

    table: str
    """The name of the one table."""
    events_table: str
    """The name of the table of what merchants are told."""
    usage_table: str = ""
    """The name of the table in which requests are counted. Without it nobody is limited."""
    limits_table: str
    """The name of the table in which the calls of logins are counted that several accounts have."""
    requests_a_minute: int
    """How many requests a tenant may make in a minute; each of its keys half of them."""
    orders_a_minute: int
    """How many single orders, besides those of batches."""
    batches_a_minute: int
    """How many batches."""
    refreshes_a_minute: int
    """How many parcels may be refreshed, or followed anew."""
    label_bucket: str
    """The S3 bucket that holds labels."""
    order_flow_arn: str
    """The order flow's state machine."""
    inbox_queue_url: str
    """The queue of stored carriers' webhooks waiting to be worked on."""
    retry_queue_urls: dict[str, str]
    """Each carrier's retry queue."""
    retry_dead_letter_urls: dict[str, str]
    """Where each carrier's retries go when their time is over."""
    batch_bucket: str
    """The S3 bucket that holds the bodies of batches."""
    batch_queue_urls: dict[str, str]
    """Each carrier's queue of entries of batches."""
    changes_dead_letter_url: str
    """Where the router sets aside a change of the table that it cannot read."""
    dead_letter_queues: dict[str, str]
    """The name of each dead-letter queue, by what alarms and runbook call it."""
    redrive_queues: dict[str, str]
    """For each dead-letter queue with messages of queues: the one to which those go back that name none.

    Empty where such messages came from no queue.
    """
    inbox_dead_letter_url: str
    """The address of one dead-letter queue, whose beginning all have."""
    account_places: int = 5
    """How many workers of a queue may work for one carrier account at once."""
    tenant_places: int = 20
    """How many workers may send events to one tenant's endpoints at once with places."""
    tenant_passes: int = 5
    """How many more may do so with passes, while the endpoints are quick."""
    label_queue_url: str
    """The queue of orders whose labels are to be fetched."""
    print_queue_url: str
    """The queue of label documents that are to be made."""
    poll_queue_url: str
    """The queue of parcels that were nudged."""
    poll_round: timedelta = timedelta(seconds=225)
    """How long after the start of a round of polls a worker may begin another run."""
    poll_pace: float = 1.0
    """How many times faster than real parcels the parcels of this environment travel."""
    event_bus: str
    """The bus on which domain events are published."""
    kms_key: str
    """The key under which platform tokens are encrypted."""
    delivery_queue_url: str
    """The queue of events on their way to merchants' endpoints."""
    delivery_plan: tuple[timedelta, ...] = tuple(
        timedelta(seconds=pause)
        for pause in (0, 5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
    )
    """How long after the one before each attempt of a delivery is made; after the last it has failed."""
    endpoints_anywhere: bool = False
    """Whether a merchant's endpoint may be private and without TLS: in the local environment alone."""
    public_url: str = ""
    """The address under which `/v1` begins, for links in what merchants are told."""
    webhook_base_url: str
    """The address under which `/webhooks/...` begins."""
    secret_prefix: str = "parcelgate"  # noqa: S105 - a name, not a secret
    """What the names of the carrier accounts' secrets begin with."""
    carriers_over_http: bool = False
    """Whether a carrier may be called without TLS: in the local environment alone."""
    function_prefix: str
    """What the names of this environment's functions begin with."""
    checked_together: dict[str, str]
    """Functions that a release checks together with another, by its name; their names, with blanks."""
    retention: timedelta = timedelta(days=400)
    """How long orders and parcels are kept."""
    order_deadline: timedelta = timedelta(minutes=30)
    """How long an order's workflow may take."""
    not_found_interval: timedelta = timedelta(seconds=60)
    """How far apart two "no such order" answers must be before they are believed."""
    refund_deadline: timedelta = timedelta(hours=24)
    """How long a refund is tried before a person is told."""
    retry_first: timedelta = timedelta(seconds=2)
    """The first step of every back-off."""
    retry_cap: timedelta = timedelta(seconds=60)
    """The longest step of every back-off."""
    deadline_margin: timedelta = timedelta(minutes=5)
    """How long after the time that the work should take its deadline is."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        for name, kind in Settings.__annotations__.items():
            if value := given.get(_variable(name)):
                setattr(self, name, _READERS[kind](value))

    if not TYPE_CHECKING:  # Elsewhere a name that is no setting is found by mypy.

        def __getattr__(self, name: str) -> Any:
            """Called only for a setting that the environment does not have and that has no default."""
            if name in Settings.__annotations__:
                raise MissingSettingError(_variable(name))
            raise AttributeError(name)


def _texts(value: str) -> dict[str, str]:
    # Here, because the authorizer needs it for nothing else.
    import msgspec

    return msgspec.json.decode(value, type=dict[str, str])


def _variable(name: str) -> str:
    return f"PARCELGATE_{name.upper()}"


_READERS: Mapping[Any, Callable[[str], Any]] = {
    # An address may end with a slash, and what is put behind it begins with one.
    str: lambda value: value.rstrip("/"),
    int: int,
    float: float,
    bool: lambda value: value == "yes",
    tuple[timedelta, ...]: lambda value: tuple(timedelta(seconds=float(each)) for each in value.split(",")),
    timedelta: lambda value: timedelta(seconds=float(value)),
    dict[str, str]: _texts,
}
