"""Polls: carriers are asked about the parcels that are due, in their largest requests, within their limits.

A parcel waits for its poll alone, or in a poll bucket with others (`store/wheel.py`). The parcel, or its
bucket, is claimed before the carrier is asked. Only one worker can win the claim, and it ends with the life
of this invocation. So no two workers ask about one parcel at once, unless it was nudged after its bucket was
claimed.
If a worker dies, nothing is lost: the parcel is still due, and can be claimed again a little later.

A parcel that was polled goes on in a bucket. A poll without news writes nothing but this, for many together.

============================  ==============================================================================
the carrier's answer          the parcels that it was asked about
============================  ==============================================================================
histories, or none            joined to their timelines; asked about again as planned, in buckets
refused, several parcels      each half is asked about alone, until the parcel is found that is refused
refused, one parcel           a miss: asked again in minutes, then twice as late each time, up to the plan;
                              it waits alone
none, or not readable         a miss for each parcel
not now (a limit)             the claims are given back; due when the account may be called again
account not usable            the claims are given back for an hour; an alarm tells a person
no time left                  the claims are given back; still due
============================  ==============================================================================
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from threading import Lock
from time import sleep as really_sleep
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import msgspec

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    HeldBackError,
    RefusedError,
    TooManyRequestsError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Following, ParcelHistory, Waybill
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.problems import ProblemError
from parcelgate.domain.timetables import Timetable
from parcelgate.domain.trackings import (
    Source,
    Tracking,
    silence,
    withdrawal,
)
from parcelgate.observability.logs import bind_log_keys, log, safe_error_fields
from parcelgate.observability.metrics import count, duration
from parcelgate.services.accounts.places import AccountPlaces
from parcelgate.services.redelivery import message_group, send_anew
from parcelgate.services.settings import Settings
from parcelgate.services.side_by_side import WORKERS, side_by_side
from parcelgate.services.stats.figures import day_of
from parcelgate.services.trackings.grouping import grouped
from parcelgate.services.trackings.matching import carried_on, matched
from parcelgate.services.trackings.poll_buckets import AWS_TROUBLE, Held, RunBuckets
from parcelgate.services.trackings.poll_lines import Lines
from parcelgate.services.trackings.timeline import Timelines
from parcelgate.store import keys
from parcelgate.store.due import PollRef
from parcelgate.store.errors import TrackingNotFoundError
from parcelgate.store.tenants.stats import StatsRow
from parcelgate.store.trackings import Claim, Waiting
from parcelgate.store.wheel import Entry, PollBucket, new_ticket

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.table import Table

_PAGE = 800
"""How many parcels are read at once, from all partitions of a worker's share."""
_THREADS = 64
"""Many more than one account may have: a thread that waits for a silent carrier costs next to nothing."""
_ABREAST = 8
"""How many threads call one account, at most."""
_SETTLE_SECONDS = 5.0
"""Seconds reserved at the end, to store the answers to the last calls."""
_ASK_SECONDS = 4.0
"""A call is not begun with less time left for it."""
_AFTERLIFE = timedelta(seconds=5)
"""How long a worker may still live after its time is over."""
_SHORT_WAIT = 3.0
"""Seconds. If the account's turn comes this soon, the worker waits and keeps its claims."""
_REST = timedelta(minutes=1)
"""How long parcels wait when their carrier may not be asked now and does not say until when."""
_NOT_ALLOWED = timedelta(hours=1)
_CALLS = 12
"""Calls for one refused batch, made again in parts: enough to find one bad parcel among forty."""
_NUDGED_SECONDS = 20.0
"""How long a run of nudged parcels may take. A silent carrier holds its worker no longer."""
_AGAIN_SECONDS = 15
"""When a nudge comes again whose parcel another worker is asking about."""

_AGGREGATORS_ACCOUNT = "default"
"""The tenant's account with the aggregator, which is asked about next carriers."""

_ENDED = (OrderStatus.CANCELLED, OrderStatus.FAILED)


class Nudge(NamedTuple):
    """A message of the poll queue, as SQS delivered it."""

    message_id: str
    receipt_handle: str
    body: str


class _Message(msgspec.Struct, frozen=True):
    tenant: str
    tracking_id: str
    correlation_id: str | None = None
    held: int = 0


@dataclass
class _Calls:
    """How many calls a batch and its parts may still take."""

    left: int


class _Due(NamedTuple):
    """A parcel that is due. It waits in a bucket of this run, or alone."""

    tracking: Tracking
    held: Held | None = None


class _Parcel(NamedTuple):
    """A parcel, and the right to ask about it."""

    tracking: Tracking
    claim: Claim | Held


class Polls(msgspec.Struct, frozen=True, kw_only=True):
    """Asks carriers about parcels.

    Parameters
    ----------
    table
        The store.
    carriers
        Finds the carriers to ask.
    timelines
        Joins the carriers' answers to the timelines of parcels.
    sqs
        For messages of the poll queue that must come again.
    places
        Keep one account from having all workers of nudged parcels.
    threads
        How many threads ask at the same time.
    """

    table: "Table"
    carriers: "Carriers"
    timelines: Timelines
    sqs: "SQSClient"
    settings: Settings
    places: AccountPlaces
    clock: Clock = now
    sleep: Callable[[float], None] = really_sleep
    threads: int = _THREADS

    def run(self, worker: int, workers: int, started_at: datetime, deadline: Deadline) -> bool:
        """Ask about the worker's share of what is due, as far as `deadline` allows.

        True when parcels are left and another run should begin at once: the round of polls, which began at
        `started_at`, has time for one.
        """
        at, size = self.clock(), max(1, _PAGE * workers // keys.POLL_SHARDS)
        alone = self.table.due.polls(worker, workers, at, size)
        together = self.table.wheel.pages(worker, workers, at, _PAGE)
        with _Run(self, deadline, shards=range(worker, keys.POLL_SHARDS, workers)) as run:
            is_done = run.work_off(map(run.add, alone), map(run.add_buckets, together))
        return (not is_done or run.left > 0) and self.clock() < started_at + self.settings.poll_round

    def nudged(self, nudges: Sequence[Nudge], deadline: Deadline) -> list[str]:
        """Ask about parcels that were nudged. Returns the ids of the messages that must come again.

        These are of parcels that another worker is asking about, perhaps since before the nudge. A parcel
        that cannot be asked about now is due, so the next round of polls asks about it.
        """
        refs: dict[PollRef, Nudge] = {}
        messages: dict[PollRef, _Message] = {}
        again: list[str] = []
        requests: dict[str, None] = {}
        for nudge in nudges:
            try:
                message = msgspec.json.decode(nudge.body, type=_Message)
            except msgspec.DecodeError as error:
                # It comes again, and after some attempts it becomes a dead letter.
                log.error(
                    "a message of the poll queue cannot be read; it becomes a dead letter",
                    extra={"error": type(error).__name__},
                )
                again.append(nudge.message_id)
                continue
            ref = PollRef(message.tenant, message.tracking_id, planned=True)
            refs[ref], messages[ref] = nudge, message
            if message.correlation_id is not None:
                requests[message.correlation_id] = None
        # Parcels are asked about together, so a log line names every request that nudged one of them.
        bind_log_keys(correlation_id=" ".join(requests) or None)
        with _Run(self, deadline.within(_NUDGED_SECONDS), places=self.places) as run:
            run.add([*refs])
        for ref in run.held_back:
            self._hold_back(messages[ref])
        for ref in self._still_due(run.unclaimed):
            nudge = refs[ref]
            again.append(nudge.message_id)
            self.sqs.change_message_visibility(
                QueueUrl=self.settings.poll_queue_url,
                ReceiptHandle=nudge.receipt_handle,
                VisibilityTimeout=_AGAIN_SECONDS,
            )
        return again

    def _hold_back(self, message: _Message) -> None:
        """Have a parcel asked about a little later: others ask its carrier account already."""
        again = msgspec.structs.replace(message, held=message.held + 1)
        send_anew(
            self.sqs,
            self.settings.poll_queue_url,
            msgspec.json.encode(again),
            group=message_group(message.tenant),
            after=self.places.wait(again.held),
        )

    def _still_due(self, refs: Iterable[PollRef]) -> list[PollRef]:
        at = self.clock()
        due = []
        for tenant, refs_of_tenant in grouped(refs, lambda ref: ref.tenant).items():
            ids = [ref.id for ref in refs_of_tenant]
            polls = self.table.tenant(tenant).trackings.polls(ids, now=at)
            due += [ref for ref in refs_of_tenant if (next_at := polls[ref.id]) is not None and next_at <= at]
        return due


class _Run:
    """One invocation's polls. A context manager: at its end every call is answered, stored and counted."""

    def __init__(
        self,
        polls: Polls,
        deadline: Deadline,
        *,
        shards: Sequence[int] = (),
        places: AccountPlaces | None = None,
    ) -> None:
        self.left = 0
        """Due parcels that were not asked about, because there was no time, or no room in their line."""
        self.unclaimed: list[PollRef] = []
        """Parcels that are not due any more, or that another worker has."""
        self.held_back: list[PollRef] = []
        """Parcels of accounts for which no place was free."""
        self._table = polls.table
        self._carriers = polls.carriers
        self._timelines = polls.timelines
        self._clock = polls.clock
        self._sleep = polls.sleep
        self._deadline = deadline
        self._claimant = uuid4().hex
        self._workers = min(polls.threads, WORKERS)
        self._lines: Lines[AccountName, _Due] = Lines(self._poll, threads=polls.threads)
        self._buckets = RunBuckets(
            polls.table,
            shards=shards or range(keys.POLL_SHARDS),
            claimant=self._claimant,
            until=self._claim_until,
            clock=polls.clock,
            threads=polls.threads,
        )
        self._accounts: dict[Entry, AccountName] = {}
        """Whom to ask about the parcels of this run's buckets."""
        self._rests: dict[AccountName, datetime] = {}
        """When the accounts may be asked again that may not be asked now."""
        self._places = places
        self._taken: dict[AccountName, Callable[[], None] | None] = {}
        """How to give each account's place back; None where none was free."""
        self._place_lock = Lock()
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._polled: defaultdict[tuple[str, date, str], Counter[str]] = defaultdict(Counter)
        self._not_allowed = 0
        self._unmatched = 0
        self._lag = timedelta(0)

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        if raised is None:
            self._lines.finish(self._buckets.write_many)
        self._lines.close()
        for give_back in filter(None, self._taken.values()):
            give_back()
        if raised is None or issubclass(raised, Exception):
            self._buckets.finish(self._rest)
        self._count_polls()
        if raised is None:
            self._publish_counts()
        self._timelines.save_habits()

    def work_off(self, *sources: Iterator[bool]) -> bool:
        """Take pages from the sources in turn, as long as each says that there is time for more.

        Returns whether all of them are at their ends.
        """
        left = [*sources]
        while left:
            for source in [*left]:
                goes_on = next(source, None)
                if goes_on is None:
                    left.remove(source)
                elif not goes_on:
                    return False
        return True

    def add(self, refs: Sequence[PollRef]) -> bool:
        """Queue these for a call, or plan their first polls. False when there is no time for more."""
        due: list[_Due] = []
        for ref, tracking in self._read(refs):
            if ref.planned:
                due.append(_Due(tracking))
            else:
                self._plan(tracking)
        return self._line_up(due)

    def add_buckets(self, buckets: Sequence[PollBucket]) -> bool:
        """Queue the parcels of these buckets for a call. False when there is no time for more."""
        at = self._clock()
        taken = self._buckets.take(buckets, self._may_ask)
        of_tenants = grouped(taken, lambda held: held.entry.tenant).items()
        parts = side_by_side(partial(self._due_of, at), of_tenants, workers=self._workers)
        due = [each for part in parts for each in part]
        due.sort(key=lambda each: each.held.planned if each.held else at)
        for each in due[:1]:
            self._was_due(each.held.planned if each.held else at)
        return self._line_up(due)

    def _due_of(self, at: datetime, taken: tuple[str, Sequence[Held]]) -> list[_Due]:
        """The parcels of a tenant that are due `at`, among those of this run's buckets.

        Those of which a call to the store fails are left out, and given back at the end of the run.
        """
        tenant, of_tenant = taken
        due: list[_Due] = []
        try:
            known = self._known(tenant, of_tenant)
            for held in of_tenant:
                if self._is_due(held, known.get(held.entry.tracking_id), at):
                    due.append(_Due(known[held.entry.tracking_id], held))
        except AWS_TROUBLE as error:
            log.error(
                "a tenant's parcels could not be looked at; they are polled a little later",
                extra={"tenant": tenant, **safe_error_fields(error)},
            )
        return due

    def _known(self, tenant: str, held: Sequence[Held]) -> dict[str, Tracking]:
        """These parcels of a tenant, as far as they exist."""
        store = self._table.tenant(tenant).trackings
        known: dict[str, Tracking] = {}
        for consistent in (False, True):
            # The first, cheap reading may be a moment behind.
            left = [each.entry.tracking_id for each in held if each.entry.tracking_id not in known]
            known |= {each.id: each for each in store.many(left, consistent=consistent)}
        return known

    def _is_due(self, held: Held, tracking: Tracking | None, at: datetime) -> bool:
        """Whether a carrier is to be asked about the parcel `at`. If not, it leaves its bucket."""
        store = self._table.tenant(held.entry.tenant).trackings
        if tracking is None:
            store.forget_poll(held.entry.tracking_id)
            self._buckets.drop(held)
        elif tracking.paused or tracking.erased_at is not None:
            store.take_off(tracking.id, held.entry.ticket, None, at=at)
            self._buckets.drop(held)
        elif not held.waiting.timetable.is_due(at):
            # A webhook brought news, so that the next poll has time.
            self._buckets.later(held, held.waiting.timetable.first)
        else:
            self._accounts[held.entry] = _account(tracking)
            return True
        return False

    def _line_up(self, due: Sequence[_Due]) -> bool:
        for account, parcels in grouped(due, lambda each: _account(each.tracking)).items():
            size, threads = _batching(account.carrier)
            left = self._lines.add(account, parcels, batch_size=size, threads=threads)
            self._leave_behind(account, left)
            for each in parcels[len(parcels) - left :]:
                if each.held is not None:
                    # So that their buckets are not read again and again while the line is full.
                    self._buckets.later(each.held, self._clock() + _REST, planned=each.held.planned)
        self._lines.start()
        self._buckets.write_many()
        return self._lines.wait(self._may_ask)

    def _rest(self, entry: Entry) -> datetime | None:
        """When a parcel may be asked about that was not, if not at once."""
        account = self._accounts.get(entry)
        return None if account is None else self._rests.get(account)

    def _publish_counts(self) -> None:
        for (name, carrier), number in self._counts.items():
            count(name, number, carrier=carrier)
            if name == "PollCalls":
                count("ParcelsPerPoll", self._counts["Polls", carrier] / number, carrier=carrier)
        if self._counts or self._not_allowed:
            duration("PollLag", self._lag.total_seconds())
            count("PollsNotAllowed", self._not_allowed)
        if self._unmatched:
            count("HistoriesUnmatched", self._unmatched)

    def _count_polls(self) -> None:
        """Add this invocation's calls to the figures: one write for each tenant, day and carrier."""

        def add(figure: tuple[tuple[str, date, str], Counter[str]]) -> None:
            (tenant, day, carrier), polled = figure
            try:
                self._table.tenant(tenant).stats.add(StatsRow(day, carrier, None, polled))
            except Exception as error:
                log.error("polls are missing in the figures", extra={**polled, **safe_error_fields(error)})

        side_by_side(add, self._polled.items(), workers=self._workers)

    # What to ask

    def _read(self, refs: Sequence[PollRef]) -> list[tuple[PollRef, Tracking]]:
        def of_tenant(refs: tuple[str, Sequence[PollRef]]) -> list[tuple[PollRef, Tracking]]:
            tenant, refs_of_tenant = refs
            store = self._table.tenant(tenant).trackings
            known = {tracking.id: tracking for tracking in store.many(ref.id for ref in refs_of_tenant)}
            for ref in refs_of_tenant:
                if ref.id not in known and ref.planned:
                    store.forget_poll(ref.id)
            return [(ref, known[ref.id]) for ref in refs_of_tenant if ref.id in known]

        of_tenants = grouped(refs, lambda ref: ref.tenant).items()
        parts = side_by_side(of_tenant, of_tenants, workers=self._workers)
        return [each for part in parts for each in part]

    def _plan(self, tracking: Tracking) -> None:
        """Plan the first polls of a parcel."""
        timetable = self._timetable(tracking, self._clock())
        if timetable is None:
            self._store_plan(tracking, None)
        else:
            waiting = Waiting(new_ticket(), timetable)
            self._enter(tracking, waiting, partial(self._store_plan, tracking, waiting))

    def _store_plan(self, tracking: Tracking, plan: Waiting | None) -> None:
        try:
            self._table.tenant(tracking.tenant).trackings.plan(tracking.id, plan)
        except Exception as error:
            log.error(
                "the first poll of a parcel could not be planned; the parcel is still due",
                extra={**_ids(tracking), **safe_error_fields(error)},
            )
            return
        self._count("PollsPlanned", tracking.carrier)

    def _timetable(self, tracking: Tracking, at: datetime) -> Timetable | None:
        return self._timelines.timetable(tracking, at)

    def _enter(self, tracking: Tracking, waiting: Waiting, then: Callable[[], None]) -> None:
        """Put a parcel that waits alone into a bucket. `then` stores so, once the bucket is written."""
        entry = Entry(tracking.tenant, tracking.id, waiting.ticket)
        self._buckets.enter(entry, waiting.timetable.first, then)

    def _poll(self, account: AccountName, due: list[_Due]) -> bool:
        """Claim some parcels of an account and ask about them. False: leave the account alone."""
        if not self._may_ask():
            self._leave_behind(account, len(due))
            return False
        if not self._has_place(account):
            with self._lock:
                self.held_back += _refs(due)
            return True
        parcels = self._claimed(due)
        try:
            parcels = self._without_ended_orders(account, parcels)
            return not parcels or self._ask(account, parcels, _Calls(_CALLS))
        except Exception as error:
            # Parcels whose answers were stored have no claim any more, so this leaves them alone.
            log.error("a poll failed unexpectedly", extra={**account._asdict(), **safe_error_fields(error)})
            self._give_back(parcels)
            return False

    def _has_place(self, account: AccountName) -> bool:
        """Whether this run may ask the account's carrier. The rounds of polls need no place."""
        if self._places is None:
            return True
        with self._place_lock:
            if account not in self._taken:
                try:
                    self._taken[account] = self._places.take(account, self._deadline)
                except AWS_TROUBLE as error:
                    log.error("no place was to be had; the nudge comes again", extra=safe_error_fields(error))
                    return False
            return self._taken[account] is not None

    def _claimed(self, due: list[_Due]) -> list[_Parcel]:
        parcels: list[_Parcel] = []
        for place, (tracking, held) in enumerate(due):
            if held is not None:
                parcels.append(_Parcel(tracking, held))
                continue
            at, until = self._clock(), self._claim_until()
            store = self._table.tenant(tracking.tenant).trackings
            try:
                claim = store.claim(tracking.id, at=at, until=until, claimant=self._claimant)
            except AWS_TROUBLE as error:
                log.error("parcels could not be claimed; they are still due", extra=safe_error_fields(error))
                self._pass_over(due[place:])
                self._leave_behind(_account(tracking), len(due) - place)
                break
            if claim is None:
                self._pass_over(due[place : place + 1])
                continue
            self._was_due(datetime.fromisoformat(claim.due_at))
            parcels.append(_Parcel(tracking, claim))
        return parcels

    def _claim_until(self) -> datetime:
        """The end of a claim that begins now."""
        return self._clock() + timedelta(seconds=max(self._deadline.remaining(), 0.0)) + _AFTERLIFE

    def _was_due(self, at: datetime) -> None:
        with self._lock:
            self._lag = max(self._lag, self._clock() - at)

    def _without_ended_orders(self, account: AccountName, parcels: list[_Parcel]) -> list[_Parcel]:
        """Leave out parcels that never moved and whose order is over. Such a parcel ends with its order."""
        unmoved = {
            parcel.tracking.order_id
            for parcel in parcels
            if parcel.tracking.order_id and not parcel.tracking.has_moved
        }
        orders = {order.id: order for order in self._table.tenant(account.tenant).orders.many([*unmoved])}
        travelling = []
        for parcel in parcels:
            tracking = parcel.tracking
            order = orders.get(tracking.order_id or "")
            if order is None or tracking.has_moved or _has(order, tracking):
                travelling.append(parcel)
            else:
                self._settle(parcel, _end_of(tracking, at=order.updated_at))
        return travelling

    # Asking carriers

    def _may_ask(self) -> bool:
        return self._deadline.remaining() >= _SETTLE_SECONDS + _ASK_SECONDS

    def _ask(self, account: AccountName, parcels: list[_Parcel], calls: _Calls) -> bool:
        """Ask about claimed parcels, in at most `calls.left` calls. False: leave the account alone."""
        numbers = [*dict.fromkeys(parcel.tracking.tracking_number for parcel in parcels)]
        calls.left -= 1
        while True:
            if not self._may_ask() or any(parcel.claim.until <= self._clock() for parcel in parcels):
                self._give_back(parcels)
                self._leave_behind(account, len(parcels))
                return False
            try:
                carrier = self._carriers.tracker(account, self._deadline.minus(_SETTLE_SECONDS))
                histories = carrier.track(numbers)
                break
            except (HeldBackError, TooManyRequestsError) as error:
                if not self._waited_for_turn(error):
                    self._count("PollsHeldBack", account.carrier, len(parcels))
                    self._give_back(parcels, after=_pause(error))
                    return False
            except (AuthenticationError, ProblemError) as error:
                log.warning(
                    "an account cannot be used for polls", extra={**account._asdict(), **_name(error)}
                )
                with self._lock:
                    self._not_allowed += len(parcels)
                self._give_back(parcels, after=_NOT_ALLOWED)
                return False
            except AWS_TROUBLE:
                raise
            except (TransientError, UnknownOutcomeError) as error:
                log.info("the carrier did not answer a poll", extra={**account._asdict(), **_name(error)})
                self._miss(account, parcels)
                return True
            except Exception as error:
                if len(parcels) > 1 and calls.left > 0:
                    return self._ask_in_halves(account, parcels, calls)
                if isinstance(error, RefusedError):
                    log.info(
                        "the carrier refused a poll", extra={**account._asdict(), "parcels": len(parcels)}
                    )
                else:
                    log.error(
                        "a poll failed unexpectedly", extra={**account._asdict(), **safe_error_fields(error)}
                    )
                self._miss(account, parcels)
                return True
        self._count("PollCalls", account.carrier)
        self._count("Polls", account.carrier, len(parcels))
        self._answered(account, len(parcels))
        matches, strangers = matched([parcel.tracking for parcel in parcels], histories)
        for names in strangers:
            log.warning(
                "the carrier reported a parcel that it was not asked about",
                extra={**account._asdict(), "names": [name[:64] for name in names]},
            )
            with self._lock:
                self._unmatched += 1
        for parcel in parcels:
            self._settle(parcel, matches[parcel.tracking.id])
        return True

    def _ask_in_halves(self, account: AccountName, parcels: list[_Parcel], calls: _Calls) -> bool:
        half = len(parcels) // 2
        goes_on = True
        for part in (parcels[:half], parcels[half:]):
            if not goes_on:
                self._give_back(part)
            elif calls.left > 0:
                goes_on = self._ask(account, part, calls)
            else:
                self._miss(account, part)
        return goes_on

    def _waited_for_turn(self, error: TransientError) -> bool:
        """Wait for the account's turn, if that comes soon. Returns whether it may be called now."""
        wait = error.retry_after
        if isinstance(error, TooManyRequestsError) or wait is None or wait > _SHORT_WAIT:
            return False
        self._sleep(wait)
        return True

    # Storing their answers

    def _settle(self, parcel: _Parcel, history: ParcelHistory | None) -> None:
        """Join a parcel's history to its timeline, and let it wait for its next poll.

        If that fails, the claim ends by itself, and the parcel is still due.
        """
        tracking, claim = parcel
        store = self._table.tenant(tracking.tenant).trackings
        try:
            at = self._clock()
            if history is not None:
                tracking = self._join(tracking, history)
            tracking = self._ask_next_carrier(tracking)
            silent = silence(tracking, now=at)
            if silent is not None:
                number = tracking.tracking_number
                tracking = self._join(tracking, ParcelHistory(tracking_number=number, events=(silent,)))
            if isinstance(claim, Held):
                self._wait_on(claim, tracking, at, is_news=tracking.version != parcel.tracking.version)
            else:
                self._wait_together(claim, tracking, at)
        except TrackingNotFoundError:
            store.forget_poll(tracking.id)
            if isinstance(claim, Held):
                self._buckets.drop(claim)
        except Exception as error:
            self._broken(tracking, error)

    def _broken(self, tracking: Tracking, error: Exception) -> None:
        log.error(
            "the answer to a poll could not be stored; the parcel is asked about again",
            extra={**_ids(tracking), **safe_error_fields(error)},
        )
        self._count("PollsBroken", tracking.carrier)

    def _wait_on(self, held: Held, tracking: Tracking, at: datetime, *, is_news: bool) -> None:
        """Let a parcel go on into a later bucket. Without news nothing is written of it alone."""
        then = None if is_news else held.waiting.timetable.after_poll(at)
        if then is None:
            store = self._table.tenant(tracking.tenant).trackings
            timetable = self._timetable(tracking, at)
            if timetable is None:
                store.take_off(tracking.id, held.entry.ticket, None, at=at)
                self._buckets.drop(held)
                return
            waiting = store.retime(tracking.id, held.waiting, timetable, at=at)
            if waiting is None:
                self._buckets.drop(held)
                return
            then = waiting.timetable.upcoming(at) or at
        self._buckets.later(held, then)

    def _wait_together(self, claim: Claim, tracking: Tracking, at: datetime) -> None:
        """Let a parcel that has waited alone go into a bucket. It is claimed until it is there."""
        timetable = self._timetable(tracking, at)
        if timetable is None:
            self._table.tenant(tracking.tenant).trackings.settle(claim, None, at=at)
            return
        waiting = Waiting(new_ticket(), timetable)
        self._enter(tracking, waiting, partial(self._store_waiting, claim, tracking, waiting, at))

    def _store_waiting(self, claim: Claim, tracking: Tracking, waiting: Waiting, at: datetime) -> None:
        try:
            self._table.tenant(tracking.tenant).trackings.settle(claim, waiting, at=at)
        except Exception as error:
            self._broken(tracking, error)

    def _ask_next_carrier(self, tracking: Tracking) -> Tracking:
        """Join the history that the next carrier has of the parcel. The tenant's aggregator is asked for it.

        If the tenant has no account with an aggregator, or it does not answer, the parcel stays as its own
        carrier told it. The next poll asks again.
        """
        courier = tracking.next_carrier
        if courier is None or not courier.followed or tracking.is_over(self._clock()) or not self._may_ask():
            return tracking
        account = AccountName(tracking.tenant, registry.DEFAULT_AGGREGATOR, _AGGREGATORS_ACCOUNT)
        waybill = Waybill(courier.carrier_code, courier.tracking_number)
        try:
            aggregator = self._carriers.aggregator(account, self._deadline.minus(_SETTLE_SECONDS))
            history = aggregator.history(waybill)
            if history is None:
                (followed,) = aggregator.follow([Following(waybill=waybill)])
                if isinstance(followed, CarrierError):
                    raise followed
                trackings = self._table.tenant(tracking.tenant).trackings
                trackings.lead_to(tracking, account.account, *waybill)
                history = followed.history
        except ProblemError:
            return tracking
        except CarrierError as error:
            log.warning(
                "the next carrier could not be asked; the next poll tries again",
                extra={**_ids(tracking), **_name(error)},
            )
            self._count("NextCarriersNotAsked", tracking.carrier)
            if isinstance(error, AuthenticationError):
                with self._lock:
                    self._not_allowed += 1
            return tracking
        self._count("NextCarriersAsked", tracking.carrier)
        self._answered(account, 1)
        return tracking if history is None else self._join(tracking, carried_on(history, courier))

    def _miss(self, account: AccountName, parcels: list[_Parcel]) -> None:
        self._count("PollsMissed", account.carrier, len(parcels))
        at = self._clock()
        for tracking, claim in parcels:
            misses = 1 if isinstance(claim, Held) else claim.misses + 1
            due = self._timelines.next_poll(tracking, at, misses)
            store = self._table.tenant(tracking.tenant).trackings
            with _claims_end_by_themselves(tracking):
                if isinstance(claim, Held):
                    store.take_off(tracking.id, claim.entry.ticket, due, at=at, misses=misses)
                    self._buckets.drop(claim)
                else:
                    store.settle(claim, due, at=at, misses=misses)

    def _give_back(self, parcels: list[_Parcel], *, after: timedelta | None = None) -> None:
        """Give the claims of the parcels back, so that others may ask: at once, or `after` a while."""
        due = None if after is None else self._clock() + after
        for tracking, claim in parcels:
            if due is not None:
                self._rests[_account(tracking)] = due
            if isinstance(claim, Held):
                continue  # The end of the run gives it back, with what has not come up at all.
            store = self._table.tenant(tracking.tenant).trackings
            with _claims_end_by_themselves(tracking):
                store.release(claim, due=due)

    def _join(self, tracking: Tracking, history: ParcelHistory) -> Tracking:
        return self._timelines.take(tracking.tenant, tracking.id, history, Source.POLL, known=tracking)

    def _pass_over(self, due: Sequence[_Due]) -> None:
        with self._lock:
            self.unclaimed += _refs(due)

    def _leave_behind(self, account: AccountName, number: int) -> None:
        with self._lock:
            self.left += number
        if number:
            self._count("PollsLeft", account.carrier, number)

    def _answered(self, account: AccountName, parcels: int) -> None:
        """A carrier has answered a call about so many parcels."""
        with self._lock:
            row = self._polled[account.tenant, day_of(self._clock()), account.carrier]
            row.update({"poll_calls": 1, "poll_parcels": parcels})

    def _count(self, name: str, carrier: str, number: int = 1) -> None:
        with self._lock:
            self._counts[name, carrier] += number


@contextmanager
def _claims_end_by_themselves(tracking: Tracking) -> Iterator[None]:
    try:
        yield
    except AWS_TROUBLE as error:
        log.warning(
            "the claim of a parcel could not be given back; it ends by itself",
            extra={**_ids(tracking), **safe_error_fields(error)},
        )


def _batching(carrier: str) -> tuple[int, int]:
    """How many parcels one call asks the carrier about, and how many threads may call one account."""
    try:
        profile = registry.profile(carrier)
    except registry.UnknownCarrierError:
        return 1, 1
    calls_a_second = min(profile.limits.rate, *profile.limits.lanes.values(), _ABREAST)
    return profile.track_batch, max(1, int(calls_a_second))


def _refs(due: Iterable[_Due]) -> list[PollRef]:
    """The parcels that wait alone among these."""
    return [PollRef(tracking.tenant, tracking.id, planned=True) for tracking, held in due if held is None]


def _account(tracking: Tracking) -> AccountName:
    return AccountName(tracking.tenant, tracking.carrier, tracking.account)


def _has(order: Order, tracking: Tracking) -> bool:
    """Whether the parcel still belongs to its order, and the order can still be carried out."""
    return order.status not in _ENDED and tracking.id in {each.tracking_id for each in order.parcels}


def _end_of(tracking: Tracking, *, at: datetime) -> ParcelHistory:
    event = withdrawal(tracking, at=at)
    return ParcelHistory(tracking_number=tracking.tracking_number, events=(event,) if event else ())


def _pause(error: TransientError) -> timedelta:
    return _REST if error.retry_after is None else timedelta(seconds=error.retry_after)


def _ids(tracking: Tracking) -> dict[str, str]:
    return {"tenant": tracking.tenant, "tracking_id": tracking.id, "carrier": tracking.carrier}


def _name(error: BaseException) -> dict[str, str]:
    words = error.words if isinstance(error, CarrierError) else None
    return {"error": type(error).__name__} | ({"code": words.code[:64]} if words else {})
