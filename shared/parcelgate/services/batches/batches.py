"""Batches of orders: stored as a whole, then processed entry by entry.

The body and the batch are stored before the client has its answer. Then the entries go into the queues of
their carriers, grouped by carrier account into requests as large as the carrier takes. A worker makes an
order of each entry. The order's id follows from the batch and the entry's place. So a worker that processes
an entry again finds the order that was made of it, and buys nothing twice.

A batch with entries that nobody has begun is in the due index, and the sweep deals with it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import CarrierError
from parcelgate.domain.batches import Batch, BatchLine, BatchRow, Progress, progress
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import fixed_id, new_id
from parcelgate.domain.orders import BatchPlace, Order, OrderStatus
from parcelgate.domain.problems import FieldError, Problem, ProblemError
from parcelgate.observability.logs import bind_log_keys, bound_correlation_id, log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.accounts.places import AccountPlaces, NoPlaceError
from parcelgate.services.orders.transitions import RETRY_LIFE
from parcelgate.services.redelivery import message_group, send_anew
from parcelgate.services.settings import Settings
from parcelgate.store.errors import (
    BatchNotFoundError,
    ItemTooLargeError,
    RowTakenError,
    StoreError,
    VersionConflictError,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from parcelgate.services.orders.create import Draft, Intake
    from parcelgate.services.orders.submission import OrderSubmitter
    from parcelgate.store.due import DueRef
    from parcelgate.store.idempotency import Claim
    from parcelgate.store.table import Table

MOST_ERRORS = 20
"""How many errors of an entry are kept: one answer has those of all entries."""
LONGEST_POINTER = 300
"""Characters of a pointer that are kept. A client may send very long field names."""

_ONE_BY_ONE = 10
"""Entries in one message for a carrier that takes orders singly."""
_AT_ONCE = 10
"""What SendMessageBatch takes in one call."""
_TRIES = 3
_SPARE_SECONDS = 15.0
"""Seconds that a worker needs for its last call to a carrier and for storing the answer."""
_TURN_SECONDS = 20.0
"""After this time a worker lets others go first: the rest of its message goes to the end of the queue."""
_SECONDS_EACH = 0.15
"""Further seconds for each order of that call, to mark and store it."""
_LOOKS = 6
"""The deadline of an unfinished batch, in multiples of `deadline_margin`."""

_HOPELESS = Problem(code="internal", detail="No order could be made of this entry. Nothing was bought.")
_PASSING_TROUBLE = (CarrierError, StoreError, BotoCoreError, ClientError)
"""Trouble that may be over when an entry is tried again. Any other error is the entry's, or our code's."""


class EntriesLeftError(Exception):
    """Entries of a batch could not be begun for now. Their message must come again."""


class BatchMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of one batch and one carrier account to be processed, by their places from 0.

    `account` is None in messages of releases before it. `held` is how often no place was free for it.
    """

    tenant: str
    batch_id: str
    carrier: str
    account: str | None = None
    entries: tuple[int, ...]
    correlation_id: str | None = None
    held: int = 0

    @property
    def group(self) -> str:
        """Its message group."""
        return message_group(self.tenant, self.carrier, self.account or "")


class Bodies(msgspec.Struct, frozen=True):
    """The bodies of batches, as they came."""

    s3: "S3Client"
    bucket: str

    def put(self, batch: Batch, body: bytes) -> None:
        """Put the body of a batch away."""
        self.s3.put_object(Bucket=self.bucket, Key=_key(batch), Body=body, ContentType="application/json")

    def get(self, batch: Batch) -> bytes:
        """The body of a batch."""
        return self.s3.get_object(Bucket=self.bucket, Key=_key(batch))["Body"].read()

    def erase(self, batch: Batch) -> None:
        """Delete the body of a batch that is finished: nobody reads it any more. May be repeated."""
        self.s3.delete_object(Bucket=self.bucket, Key=_key(batch))


class FanOut(msgspec.Struct, frozen=True):
    """Puts the entries of a batch into the queues of their carriers."""

    sqs: "SQSClient"
    settings: Settings

    def send(self, batch: Batch, entries: Iterable[int]) -> bool:
        """Queue these entries. False when not all could be queued: the sweep queues them later."""
        urls = self.settings.batch_queue_urls
        by_url: dict[str, list[BatchMessage]] = {}
        for message in messages(batch, entries):
            by_url.setdefault(urls[message.carrier], []).append(message)
        try:
            sent = [
                self._sent(url, part)
                for url, for_url in by_url.items()
                for part in batched(for_url, _AT_ONCE, strict=False)
            ]
        except (BotoCoreError, ClientError) as error:
            log.error(
                "a batch was not put into its queues; the sweep does it later", extra=safe_error_fields(error)
            )
            sent = [False]
        if not all(sent):
            count("BatchesNotFannedOut")
        return all(sent)

    def hold_back(self, message: BatchMessage, after: timedelta) -> None:
        """Queue a message again that nobody worked on. Raises what the queue's client raises."""
        again = msgspec.structs.replace(message, held=message.held + 1)
        url = self.settings.batch_queue_urls[message.carrier]
        send_anew(self.sqs, url, msgspec.json.encode(again), group=message.group, after=after)

    def _sent(self, url: str, part: Sequence[BatchMessage]) -> bool:
        left = dict(enumerate(part))
        for _ in range(_TRIES):
            answer = self.sqs.send_message_batch(
                QueueUrl=url,
                Entries=[
                    {
                        "Id": str(place),
                        "MessageBody": msgspec.json.encode(message).decode(),
                        "MessageGroupId": message.group,
                    }
                    for place, message in left.items()
                ],
            )
            left = {int(entry["Id"]): left[int(entry["Id"])] for entry in answer.get("Failed", [])}
            if not left:
                return True
        log.error(
            "a batch was not put into its queues; the sweep does it later", extra={"messages": len(left)}
        )
        return False


def messages(batch: Batch, entries: Iterable[int]) -> list[BatchMessage]:
    """The messages for these entries: grouped by carrier account, as many entries as it takes at once.

    An entry that names no carrier may be in any message, since it is refused anyway.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for index in entries:
        line = batch.lines[index]
        carrier = line.carrier or registry.names()[0]
        groups.setdefault((carrier, line.account), []).append(index)
    return [
        BatchMessage(
            tenant=batch.tenant,
            batch_id=batch.id,
            carrier=carrier,
            account=account,
            entries=part,
            correlation_id=batch.correlation_id,
        )
        for (carrier, account), group in groups.items()
        for part in batched(group, _at_once(carrier), strict=False)
    ]


def seconds_to_send(count: int) -> float:
    """Seconds that a worker must have left to send so many orders. Its timeout is much longer."""
    return _SPARE_SECONDS + _SECONDS_EACH * count


def _at_once(carrier: str) -> int:
    most = registry.profile(carrier).create_batch
    return most if most > 1 else _ONE_BY_ONE


def _key(batch: Batch) -> str:
    return f"{batch.tenant}/{batch.id}.json"


class Batches(msgspec.Struct, frozen=True, kw_only=True):
    """Stores batches, shows how far they are, and resumes those that are overdue."""

    table: "Table"
    settings: Settings
    bodies: Callable[[], Bodies]
    queues: Callable[[], FanOut]
    clock: Clock = now

    def create(
        self, tenant: str, lines: tuple[BatchLine, ...], body: bytes, claim: "Claim | None" = None
    ) -> Batch:
        """Store the batch and its body, then queue its entries.

        Raises ClaimTakenError when the same request is being answered elsewhere.
        """
        at = self.clock()
        batch = Batch(
            id=new_id("bat"),
            tenant=tenant,
            lines=lines,
            correlation_id=bound_correlation_id(),
            created_at=at,
        )
        bind_log_keys(tenant=tenant, batch_id=batch.id)
        self.bodies().put(batch, body)
        self.table.tenant(tenant).batches.add(batch, due_at=at + self.settings.deadline_margin, claim=claim)
        count("BatchesTaken")
        self.queues().send(batch, range(len(lines)))
        return batch

    def resume(self, tenant: str, batch_id: str) -> Batch:
        """Resume a batch whose function died after storing it. Entries that were begun are left alone."""
        batch, rows = self.table.tenant(tenant).batches.read(batch_id)
        self.queues().send(batch, _unbegun(batch, rows))
        return batch

    def read(self, tenant: str, batch_id: str) -> tuple[Batch, Progress]:
        """The batch and how far it has come. Raises ProblemError `not_found`."""
        try:
            batch, rows = self.table.tenant(tenant).batches.read(batch_id)
        except BatchNotFoundError:
            raise ProblemError("not_found", "There is no such batch.") from None
        return batch, progress(batch, rows)

    def look_after(self, ref: "DueRef") -> None:
        """Queue the entries again that nobody has begun. Gives them up after 12 hours."""
        batches = self.table.tenant(ref.tenant).batches
        batch, rows = batches.read(ref.id)
        bind_log_keys(tenant=ref.tenant, batch_id=batch.id, correlation_id=batch.correlation_id)
        left = _unbegun(batch, rows)
        at = self.clock()
        if not left:
            batches.set_deadline(batch.id, None)
            return
        log.warning(
            "a batch is overdue; its entries are queued again, or given up", extra={"entries": len(left)}
        )
        if at < batch.created_at + RETRY_LIFE:
            self.queues().send(batch, left)
            batches.set_deadline(batch.id, at + _LOOKS * self.settings.deadline_margin)
            return
        for index in left:
            batches.settle(batch, _refused(batch, index, _HOPELESS))
        count("BatchEntriesGivenUp", len(left))
        batches.set_deadline(batch.id, None)


def _unbegun(batch: Batch, rows: Iterable[BatchRow]) -> list[int]:
    begun = {row.index for row in rows}
    return [index for index in range(len(batch.lines)) if index not in begun]


def shortened(errors: Sequence[FieldError]) -> tuple[FieldError, ...]:
    """The errors of an entry that are kept and shown."""
    return tuple(
        msgspec.structs.replace(error, pointer=error.pointer[:LONGEST_POINTER])
        for error in errors[:MOST_ERRORS]
    )


def _refused(batch: Batch, index: int, problem: Problem, about: str | None = None) -> BatchRow:
    problem = msgspec.structs.replace(problem, errors=shortened(problem.errors))
    return BatchRow(
        index=index,
        reference=batch.lines[index].reference,
        status=OrderStatus.FAILED,
        problem=problem,
        about=about,
    )


class ReadDraft(Protocol):
    """Makes a draft of one entry of a batch."""

    def __call__(self, entry: object, *, tenant: str, order_id: str, now: datetime) -> "Draft":
        """The draft, under the id that the order will have."""
        ...


class Reading(NamedTuple):
    """How a batch's body is read: into its entries, and an entry into the draft of an order."""

    entries: Callable[[bytes], list[object]]
    draft: ReadDraft


class BatchWorker(msgspec.Struct, frozen=True, kw_only=True):
    """Processes the entries of batches."""

    intake: "Intake"
    """Checks and stores orders, and starts the workflow of those that have one."""
    submitter: "OrderSubmitter"
    """Submits the others."""
    bodies: Bodies
    queues: FanOut
    """Where the rest of a message goes when time is short."""
    places: AccountPlaces
    reading: Reading
    clock: Clock = now

    def work(self, body: str, deadline: Deadline) -> None:
        """Make orders of the entries that a message names, and have them sent.

        Entries for which there is no time before `deadline` go into the queue as a message of their own.
        Raises EntriesLeftError when entries met trouble that may pass; all others were processed then. An
        entry that would fail again is given up: its row says `internal`.
        """
        message = msgspec.json.decode(body, type=BatchMessage)
        bind_log_keys(tenant=message.tenant, batch_id=message.batch_id, correlation_id=message.correlation_id)
        if message.account is None or registry.profile(message.carrier).confirms_later:
            # Its orders go to their workflows: no carrier is called here.
            self._work(message, deadline)
            return
        account = AccountName(message.tenant, message.carrier, message.account)
        try:
            with self.places.held(account, deadline):
                self._work(message, deadline)
        except NoPlaceError:
            self.queues.hold_back(message, self.places.wait(message.held + 1))

    def _work(self, message: BatchMessage, deadline: Deadline) -> None:
        batch, begun = self.intake.table.tenant(message.tenant).batches.read(message.batch_id)
        rows = {row.index: row for row in begun}
        left = [index for index in message.entries if _open(rows.get(index))]
        if not left:
            return
        entries = self.reading.entries(self.bodies.get(batch))
        troubled, began = 0, deadline.remaining()
        together = _at_once(message.carrier)
        while left:
            part = left[:together]
            orders = []
            for index in part:
                remaining = deadline.remaining()
                if remaining < seconds_to_send(len(part)) or began - remaining > _TURN_SECONDS:
                    log.info(
                        "the time is over; the other entries go back into the queue",
                        extra={"entries": len(left)},
                    )
                    if not self.queues.send(batch, left) or troubled:
                        raise EntriesLeftError(batch.id)
                    return
                try:
                    order = self._begun(batch, index, entries[index], rows.get(index))
                except Exception as error:
                    log.error(
                        "an entry of a batch failed unexpectedly; it is tried again, or given up",
                        extra={"entry": index, **safe_error_fields(error)},
                    )
                    troubled += not self._given_up(batch, index, error)
                else:
                    orders += [order] if order else []
            self._send(orders, deadline)
            left = left[together:]
        if troubled:
            raise EntriesLeftError(batch.id)

    def _begun(self, batch: Batch, index: int, entry: object, row: BatchRow | None) -> Order | None:
        """The order of an entry, made now or before; None when nothing is to be sent."""
        orders = self.intake.table.tenant(batch.tenant).orders
        if row is not None and row.order_id is not None:
            return orders.get(row.order_id)
        order_id = fixed_id("ord", batch.created_at, batch.tenant, batch.id, index)
        draft = self.reading.draft(entry, tenant=batch.tenant, order_id=order_id, now=self.clock())
        if draft.order is not None:
            placed = msgspec.structs.replace(draft.order, batch=BatchPlace(batch.id, index))
            draft = draft._replace(order=placed)
        try:
            return self.intake.accept(draft)
        except ProblemError as error:
            row = _refused(batch, index, error.problem, error.order_id)
            self.intake.table.tenant(batch.tenant).batches.settle(batch, row)
            count("BatchEntriesRefused")
            return None
        except VersionConflictError:
            # Another worker has the same message. Only one of the two will send the order.
            return orders.get(order_id)
        except RowTakenError:
            return None

    def _given_up(self, batch: Batch, index: int, error: Exception) -> bool:
        """Whether an entry has come to its end: no other try would make anything else of it."""
        if isinstance(error, _PASSING_TROUBLE) and not isinstance(error, ItemTooLargeError):
            return False
        try:
            self.intake.table.tenant(batch.tenant).batches.settle(batch, _refused(batch, index, _HOPELESS))
        except _PASSING_TROUBLE as trouble:
            log.error(
                "an entry of a batch could not be given up; its message comes again",
                extra=safe_error_fields(trouble),
            )
            return False
        count("BatchEntriesGivenUp")
        return True

    def _send(self, orders: Iterable[Order], deadline: Deadline) -> None:
        accounts: dict[tuple[str, str], list[Order]] = {}
        for order in orders:
            if order.status is OrderStatus.ACCEPTED:
                accounts.setdefault((order.carrier, order.account), []).append(order)
        for (carrier, _), group in accounts.items():
            if registry.profile(carrier).confirms_later:
                for order in group:
                    self.intake.start(order)
            else:
                self.submitter.submit_many(group, deadline)


def _open(row: BatchRow | None) -> bool:
    """Whether a batch's worker must still send the order. An order that bears the mark is not its task."""
    return row is None or (row.order_id is not None and row.status is OrderStatus.ACCEPTED)
