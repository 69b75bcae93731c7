"""Following parcels of any courier with an aggregator, and all other changes of trackings.

What the aggregator stores too is first sent to the aggregator and then written here. If a function dies in
between, the same request completes the work: it is no error when the aggregator follows the parcel already,
has the right courier already, or does not follow it any more.

Parcels of our own orders are followed with the carrier of the order. What is stored only here (title, note,
pause) can be changed for them too.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import CarrierError, OverLimitError, TooManyRequestsError, TransientError
from parcelgate.carriers.results import Amendment, Courier, Followed, Following, Waybill
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.polling import next_poll
from parcelgate.domain.problems import RETRY_SECONDS, FieldError, ProblemError
from parcelgate.domain.trackings import Customer, Source, Tracking, corrected_to, courier_key
from parcelgate.observability.logs import bind_log_keys
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.trackings.grouping import grouped
from parcelgate.services.trackings.tracking_reader import Planned, TrackingReader
from parcelgate.store.errors import (
    AlreadyFollowedError,
    StoreUnavailableError,
    TrackingNotFoundError,
    VersionConflictError,
)

if TYPE_CHECKING:
    from datetime import datetime

    from parcelgate.carriers.port import Aggregates
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.trackings.timeline import Timelines
    from parcelgate.store.table import Table
    from parcelgate.store.trackings import Trackings

MOST = 40
"""How many parcels one request may name."""
REALTIME_INTERVAL = timedelta(hours=2)
"""How often the courier of one parcel may be asked in real time."""
_ATTEMPTS = 5
"""How often a tracking is read and written again when others write it too."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel that a client wants to follow with one of the tenant's accounts."""

    account: str
    following: Following
    metadata: dict[str, str] = {}


class Subscribed(NamedTuple):
    """A parcel that is followed. `already`: it was followed before."""

    tracking: Tracking
    already: bool


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants to change of a followed parcel.

    `edit` gives the changed tracking: title, customer, note and so on. `carrier_code` is the courier that
    really has the parcel. `paused` says whether carriers are not asked about it.
    """

    edit: Callable[[Tracking], Tracking]
    carrier_code: str | None = None
    paused: bool | None = None


class TrackingSubscriptions(msgspec.Struct, frozen=True, kw_only=True):
    """Follows parcels, and keeps their trackings and the aggregator in step.

    Parameters
    ----------
    table
        The store.
    carriers
        Finds carriers and aggregators.
    timelines
        Gives what joins events to timelines.
    """

    table: "Table"
    carriers: "Carriers"
    timelines: "Callable[[], Timelines]"
    pace: Callable[[], float] = lambda: 1.0
    clock: Clock = now

    def follow(
        self, tenant: str, subscriptions: Sequence[Subscription], deadline: Deadline
    ) -> "list[Subscribed | ProblemError]":
        """Follow up to 40 parcels. Returns for each its tracking, or why there is none, in their order.

        A parcel that is named twice is followed as first named. The second time it is `already` followed.
        """
        bind_log_keys(tenant=tenant, carrier=registry.DEFAULT_AGGREGATOR)
        results: dict[int, Subscribed | ProblemError] = {}
        first: dict[tuple[str, Waybill], int] = {}
        ended: set[tuple[str, Waybill]] = set()
        for place, each in enumerate(subscriptions):
            if first.setdefault((each.account, each.following.waybill), place) != place:
                continue
            known = self._known(tenant, each.account, each.following.waybill)
            if known is None:
                continue
            if known.number_free_since(self.clock()) is None:
                results[place] = Subscribed(known, already=True)
            else:
                ended.add((each.account, each.following.waybill))
        unknown = [place for place in first.values() if place not in results]
        for account, places in grouped(unknown, lambda place: subscriptions[place].account).items():
            answers = self._ask_account(
                AccountName(tenant, registry.DEFAULT_AGGREGATOR, account),
                [subscriptions[place].following for place in places],
                partial(_follow_anew, ended={waybill for name, waybill in ended if name == account}),
                deadline,
            )
            for place, answer in zip(places, answers, strict=True):
                results[place] = (
                    answer
                    if isinstance(answer, ProblemError)
                    else _or_problem(self._store, tenant, subscriptions[place], answer)
                )
        new = sum(isinstance(result, Subscribed) and not result.already for result in results.values())
        if new:
            count("ParcelsFollowed", new, carrier=registry.DEFAULT_AGGREGATOR)
        for place, each in enumerate(subscriptions):
            result = results[first[each.account, each.following.waybill]]
            if isinstance(result, Subscribed) and place not in results:
                result = Subscribed(result.tracking, already=True)
            results[place] = result
        return [results[place] for place in range(len(subscriptions))]

    def change(
        self, tenant: str, changes: Sequence[tuple[str, Change]], deadline: Deadline
    ) -> "list[Tracking | ProblemError]":
        """Change up to 40 trackings. Returns each as it is then, or why it is not changed."""
        results = self._read(tenant, [tracking_id for tracking_id, _ in changes])
        amendments: dict[int, Amendment] = {}
        for place, (_, change) in enumerate(changes):
            tracking = results[place]
            if isinstance(tracking, Tracking):
                tracking = results[place] = _or_problem(self._prepare, tracking, change, deadline)
            if isinstance(tracking, Tracking) and (amendment := _amendment(tracking, change.edit(tracking))):
                amendments[place] = amendment
        results = self._tell_aggregators(
            results, amendments, lambda aggregator, changed: aggregator.amend(changed), deadline
        )
        return [
            _or_problem(self._complete, tracking, change) if isinstance(tracking, Tracking) else tracking
            for tracking, (_, change) in zip(results, changes, strict=True)
        ]

    def forget(
        self, tenant: str, tracking_ids: Sequence[str], deadline: Deadline
    ) -> "list[Tracking | ProblemError]":
        """Stop following up to 40 parcels. Returns each as it was, or why it is still followed."""
        results = self._read(tenant, tracking_ids)
        for place, tracking in enumerate(results):
            if isinstance(tracking, Tracking) and not _is_aggregated(tracking):
                detail = "The parcel belongs to an order, so it cannot be forgotten; pause it instead."
                results[place] = ProblemError("cannot_change", detail, order_id=tracking.order_id)
        waybills = {
            place: _waybill(tracking)
            for place, tracking in enumerate(results)
            if isinstance(tracking, Tracking) and _is_told(tracking)
        }
        results = self._tell_aggregators(
            results, waybills, lambda aggregator, forgotten: aggregator.forget(forgotten), deadline
        )
        store = self._trackings(tenant)
        for tracking in results:
            if isinstance(tracking, Tracking):
                store.remove(tracking)
        return results

    def pause(self, tenant: str, tracking_id: str, deadline: Deadline) -> Tracking:
        """Stop asking about a parcel, and keep its timeline. May be repeated.

        Raises TrackingNotFoundError, and ProblemError: `refused_by_carrier` or `carrier_unavailable`.
        """
        tracking = self._trackings(tenant).get(tracking_id)
        bind_log_keys(tenant=tenant, carrier=tracking.carrier)
        with carrier_problems.raised():
            return self._pause(tracking, deadline)

    def refresh(self, tenant: str, tracking_id: str) -> Tracking:
        """Ask about the parcel at once. A paused parcel stays paused.

        Raises TrackingNotFoundError.
        """
        tracking = self._trackings(tenant).get(tracking_id)
        self.timelines().nudge(tenant, tracking_id)
        return tracking

    def ask_courier(self, tenant: str, tracking_id: str, deadline: Deadline) -> Tracking:
        """Let the aggregator ask the courier itself, while the client waits.

        Raises TrackingNotFoundError, and ProblemError: `not_supported_by_carrier`, `too_many_requests` with
        the seconds to wait, `refused_by_carrier` or `carrier_unavailable`.
        """
        store = self._trackings(tenant)
        tracking = store.get(tracking_id)
        bind_log_keys(tenant=tenant, carrier=tracking.carrier)
        if not _is_told(tracking):
            raise _not_offered("/realtime", "This carrier has no realtime call. Refresh without `realtime`.")
        aggregator = self.carriers.aggregator(tracking, deadline)
        at = self.clock()
        wait = store.realtime(tracking.id, at=at, interval=REALTIME_INTERVAL)
        if wait > 0:
            detail = "The courier was asked about this parcel less than two hours ago."
            raise ProblemError("too_many_requests", detail, retry_after=math.ceil(wait))
        try:
            history = aggregator.realtime(_waybill(tracking))
        except TransientError as error:
            store.realtime_unused(tracking.id, at=at)
            raise _asked_too_often(error) or carrier_problems.of(error) from None
        except CarrierError as error:
            raise carrier_problems.of(error) from None
        count("RealtimeCalls", carrier=tracking.carrier)
        if history is not None:
            tracking = self.timelines().take(tenant, tracking.id, history, Source.POLL)
            store.schedule(tracking.id, next_poll(tracking, now=self.clock(), pace=self.pace()))
        return tracking

    def ask[T](
        self, tenant: str, account: str, question: "Callable[[Aggregates], T]", deadline: Deadline
    ) -> T:
        """Ask an account's aggregator something that is not about a tracking.

        Raises ProblemError: `validation_failed` for an unknown account, `refused_by_carrier` or
        `carrier_unavailable`.
        """
        bind_log_keys(tenant=tenant, carrier=registry.DEFAULT_AGGREGATOR)
        name = AccountName(tenant, registry.DEFAULT_AGGREGATOR, account)
        aggregator = self.carriers.aggregator(name, deadline)
        with carrier_problems.raised():
            return question(aggregator)

    def couriers(self, tenant: str, account: str, lang: str, deadline: Deadline) -> list[Courier]:
        """Whose parcels an account's aggregator can follow, as it said within a day. Raises as `ask`."""
        kept = self.table.tenant(tenant).couriers
        known = kept.get(account, lang, now=self.clock())
        if known is not None:
            return msgspec.json.decode(known, type=list[Courier])
        couriers = self.ask(tenant, account, lambda aggregator: aggregator.couriers(lang or None), deadline)
        if couriers:
            kept.put(account, lang, msgspec.json.encode(couriers), now=self.clock())
        return couriers

    def detect(self, tenant: str, account: str, number: str, deadline: Deadline) -> list[Courier]:
        """Whose a number may be, the likeliest first, by names where any are known. Raises as `ask`."""
        likely = self.ask(tenant, account, lambda aggregator: aggregator.detect(number), deadline)
        if all(courier.name != courier.code for courier in likely):
            return likely
        known: dict[str, Courier] = {}
        with suppress(ProblemError):
            couriers = self.couriers(tenant, account, "", deadline)
            known = {courier_key(courier.code): courier for courier in couriers}
        return [
            known.get(courier_key(each.code), each) if each.name == each.code else each for each in likely
        ]

    def planned(self, tenant: str, trackings: list[Tracking]) -> list[Planned]:
        """The trackings, and when each is asked about next."""
        return TrackingReader(self.table, clock=self.clock).planned(tenant, trackings)

    @staticmethod
    def raise_if_all_unavailable(results: "Sequence[object]") -> None:
        """Raise the problem of all parcels when the aggregator could be asked about none of them.

        So the whole request fails, and may be sent again with the same idempotency key.
        """
        first = results[0] if results else None
        if isinstance(first, ProblemError) and all(
            isinstance(result, ProblemError) and result.problem.code == "carrier_unavailable"
            for result in results
        ):
            raise first

    # Following.

    def _known(self, tenant: str, account: str, waybill: Waybill) -> Tracking | None:
        """The tracking of a parcel that is followed already."""
        store = self._trackings(tenant)
        tracking_id = store.find(account, *waybill)
        try:
            return None if tracking_id is None else store.get(tracking_id)
        except TrackingNotFoundError:
            return None

    def _store(self, tenant: str, subscription: Subscription, followed: Followed) -> Subscribed:
        """Store a parcel that the aggregator follows now. It may replace one that ended long ago."""
        tracking = _tracking(tenant, subscription, followed, self.clock())
        known: Tracking | None = None
        for _ in range(_ATTEMPTS):
            try:
                self._trackings(tenant).add(tracking, replaces=known)
            except AlreadyFollowedError:
                known = self._known(tenant, subscription.account, followed.waybill)
                if known is None:
                    continue
                since = known.number_free_since(self.clock())
                if since is None:
                    return Subscribed(known, already=True)
                tracking = msgspec.structs.replace(tracking, since=since)
            else:
                if followed.history is not None:
                    tracking = self.timelines().take(tenant, tracking.id, followed.history, Source.POLL)
                return Subscribed(tracking, already=False)
        raise StoreUnavailableError("the parcel is being followed and forgotten at once")

    # Changing.

    def _prepare(self, tracking: Tracking, change: Change, deadline: Deadline) -> Tracking:
        """Make the first part of a change: correct the courier, stop the polls."""
        _must_be_possible(tracking, change)
        if change.carrier_code is not None:
            if courier_key(change.carrier_code) != courier_key(tracking.carrier_code):
                tracking = self._correct(tracking, change.carrier_code, deadline)
            # Also when it was corrected before: the function that did so may have died before this.
            self.timelines().nudge(tracking.tenant, tracking.id)
        return self._pause(tracking, deadline) if change.paused else tracking

    def _complete(self, tracking: Tracking, change: Change) -> Tracking:
        resumes = change.paused is False

        def edit(before: Tracking) -> Tracking:
            if before.erased_at is not None:
                return before
            return msgspec.structs.replace(change.edit(before), paused=before.paused and not resumes)

        after = self._write(tracking, edit)
        if resumes:
            # Also when it was not paused: the function that resumed it may have died before this.
            self.timelines().nudge(tracking.tenant, tracking.id)
        return after

    def _correct(self, tracking: Tracking, carrier_code: str, deadline: Deadline) -> Tracking:
        """Follow the parcel with another courier."""
        store = self._trackings(tracking.tenant)
        known = store.find(tracking.account, carrier_code, tracking.tracking_number)
        if known not in (None, tracking.id):
            raise _followed_twice()
        aggregator = self.carriers.aggregator(tracking, deadline)
        aggregator.correct(_waybill(tracking), carrier_code)

        try:
            return self._write(tracking, lambda before: corrected_to(before, carrier_code), store.recode)
        except AlreadyFollowedError:
            raise _followed_twice() from None

    def _pause(self, tracking: Tracking, deadline: Deadline) -> Tracking:
        if not tracking.paused and _is_told(tracking):
            aggregator = self.carriers.aggregator(tracking, deadline)
            (error,) = aggregator.pause([_waybill(tracking)])
            if error is not None:
                raise error
        after = self._write(tracking, lambda before: msgspec.structs.replace(before, paused=True))
        self._trackings(tracking.tenant).schedule(tracking.id, None)
        return after

    def _write(
        self,
        tracking: Tracking,
        edit: Callable[[Tracking], Tracking],
        write: Callable[[Tracking, Tracking], None] | None = None,
    ) -> Tracking:
        """Store the tracking as `edit` makes it, also when others have written it meanwhile."""
        store = self._trackings(tracking.tenant)
        for attempt in range(1, _ATTEMPTS + 1):
            before = tracking if attempt == 1 else store.get(tracking.id)
            after = edit(before)
            if after == before:
                return before
            after = msgspec.structs.replace(after, version=before.version + 1, updated_at=self.clock())
            try:
                (write or store.save)(before, after)
            except VersionConflictError:
                if attempt == _ATTEMPTS:
                    raise
                continue
            return after
        raise AssertionError("unreachable")

    # Asking.

    def _read(self, tenant: str, tracking_ids: Sequence[str]) -> "list[Tracking | ProblemError]":
        bind_log_keys(tenant=tenant)
        trackings = {tracking.id: tracking for tracking in self._trackings(tenant).many(tracking_ids)}
        return [trackings.get(tracking_id) or _unknown() for tracking_id in tracking_ids]

    def _tell_aggregators[T](
        self,
        trackings: "Sequence[Tracking | ProblemError]",
        messages: dict[int, T],
        tell: "Callable[[Aggregates, list[T]], list[CarrierError | None]]",
        deadline: Deadline,
    ) -> "list[Tracking | ProblemError]":
        """Send `messages` about the trackings at these places to their aggregators, one call per account.

        Returns the trackings; the reason stands in the place of those whose message failed.
        """
        results = list(trackings)
        accounts = {
            place: AccountName(each.tenant, each.carrier, each.account)
            for place in messages
            if isinstance(each := trackings[place], Tracking)
        }
        for account, places in grouped(accounts, lambda place: accounts[place]).items():
            answers = self._ask_account(account, [messages[place] for place in places], tell, deadline)
            for place, problem in zip(places, answers, strict=True):
                if problem is not None:
                    results[place] = problem
        return results

    def _ask_account[T, R](
        self,
        account: AccountName,
        parcels: list[T],
        ask: "Callable[[Aggregates, list[T]], Sequence[R | CarrierError]]",
        deadline: Deadline,
    ) -> "list[R | ProblemError]":
        """Ask one account's aggregator about several parcels. Returns each one's answer, or its problem."""
        try:
            answers = ask(self.carriers.aggregator(account, deadline), parcels)
        except CarrierError as error:
            return [carrier_problems.of(error)] * len(parcels)
        except ProblemError as error:
            return [error] * len(parcels)
        return [
            carrier_problems.of(answer) if isinstance(answer, CarrierError) else answer for answer in answers
        ]

    def _trackings(self, tenant: str) -> "Trackings":
        return self.table.tenant(tenant).trackings


def _follow_anew(
    aggregator: "Aggregates", parcels: Sequence[Following], *, ended: set[Waybill]
) -> "list[Followed | CarrierError]":
    """Follow parcels. The aggregator first forgets the `ended` ones, whose numbers other parcels have now."""
    forgotten = [parcel.waybill for parcel in parcels if parcel.waybill in ended]
    errors = dict(zip(forgotten, aggregator.forget(forgotten), strict=True)) if forgotten else {}
    answers = iter(aggregator.follow([parcel for parcel in parcels if errors.get(parcel.waybill) is None]))
    return [errors.get(parcel.waybill) or next(answers) for parcel in parcels]


def _tracking(tenant: str, subscription: Subscription, followed: Followed, at: "datetime") -> Tracking:
    following = subscription.following
    return Tracking(
        id=new_id("trk"),
        tenant=tenant,
        carrier=registry.DEFAULT_AGGREGATOR,
        account=subscription.account,
        tracking_number=followed.waybill.tracking_number,
        carrier_code=followed.waybill.carrier_code,
        courier_fixed=not following.auto_correct,
        title=following.title,
        customer=following.customer,
        order_reference=following.order_reference,
        order_created_at=following.order_created_at,
        note=following.note,
        destination_country=following.destination_country,
        metadata=subscription.metadata,
        created_at=at,
        updated_at=at,
    )


def _amendment(before: Tracking, after: Tracking) -> Amendment | None:
    """The message to the aggregator about a change. Empty texts stand for what is removed."""
    if not _is_told(before):
        return None
    kept = ("title", "customer", "order_reference", "note", "destination_country", "archived")
    new: dict[str, Any] = {
        name: "" if getattr(after, name) is None else getattr(after, name)
        for name in kept
        if getattr(after, name) != getattr(before, name)
    }
    if "customer" in new:
        new["customer"] = _emptied(before.customer, after.customer)
    return Amendment(waybill=_waybill(before), **new) if new else None


def _emptied(before: Customer | None, after: Customer | None) -> Customer:
    """The new customer, with empty texts for what is removed."""
    old, new = (msgspec.structs.asdict(customer or Customer()) for customer in (before, after))
    return Customer(**{name: new[name] or (None if old[name] is None else "") for name in new})


def _must_be_possible(tracking: Tracking, change: Change) -> None:
    if tracking.erased_at is not None:
        detail = "The recipient's data was erased, so the tracking cannot be changed any more."
        raise ProblemError("cannot_change", detail, order_id=tracking.order_id)
    if _is_aggregated(tracking):
        if tracking.paused and change.paused is False:
            raise _not_offered(
                "/paused", "The aggregator cannot resume a parcel. Delete it and follow it again."
            )
        if change.carrier_code is not None and not _is_told(tracking):
            raise _not_offered("/carrier_code", "A later parcel has this number now. It is another tracking.")
        return
    if change.carrier_code is not None:
        raise _not_offered("/carrier_code", "The parcel belongs to an order, whose carrier has it.")
    if change.edit(tracking).destination_country != tracking.destination_country:
        raise _not_offered(
            "/destination_country", "The parcel belongs to an order, which has its destination."
        )


def _is_aggregated(tracking: Tracking) -> bool:
    return tracking.carrier in registry.AGGREGATORS


def _is_told(tracking: Tracking) -> bool:
    """Whether the aggregator is told of changes: it follows this parcel, not a later one of its number."""
    return _is_aggregated(tracking) and tracking.replaced_by is None


def _waybill(tracking: Tracking) -> Waybill:
    return Waybill(tracking.carrier_code or "", tracking.tracking_number)


def _or_problem[**P, T](work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | ProblemError:
    """The result of the work, or the problem that it raised for one parcel."""
    try:
        return work(*args, **kwargs)
    except CarrierError as error:
        return carrier_problems.of(error)
    except TrackingNotFoundError:
        return _unknown()
    except ProblemError as error:
        return error


def _asked_too_often(error: TransientError) -> ProblemError | None:
    if not isinstance(error, TooManyRequestsError | OverLimitError):
        return None
    wait = math.ceil(error.retry_after or RETRY_SECONDS)
    return ProblemError(
        "too_many_requests", "The aggregator allows no further call now.", retry_after=max(1, wait)
    )


def _unknown() -> ProblemError:
    return ProblemError("not_found", "There is no such tracking.")


def _followed_twice() -> ProblemError:
    message = "The parcel is followed with that courier already, as another tracking."
    error = FieldError("/carrier_code", "already_followed", message)
    return ProblemError("cannot_change", message, errors=[error])


def _not_offered(pointer: str, message: str) -> ProblemError:
    error = FieldError(pointer, "not_supported_by_carrier", message)
    return ProblemError("not_supported_by_carrier", message, errors=[error])
