"""The transitions of orders: pure functions from an order to its next version.

Each gives a `Change`: the new version of the order, with the line for its audit trail. `apply` writes it over
the version it was made from, and decides again when somebody else wrote first. `submission` alone decides
which answer of a carrier leads to which transition.

Every write that moves an order on also sets its deadline (`watch_at`): by then somebody must deal with it
again. The sweep takes every overdue order. So a deadline is later than the regular work can take, and an
order that needs nothing more has none.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.carriers import registry
from parcelgate.carriers.errors import (
    CarrierError,
    OverLimitError,
    PartlyRefusedError,
    PausedError,
    RefusedError,
)
from parcelgate.carriers.results import Cancellation, Confirmed, Failed, ParcelResult, Submitted
from parcelgate.domain.ids import new_id
from parcelgate.domain.measures import Money
from parcelgate.domain.merchants.rate_cards import RateCard
from parcelgate.domain.orders import (
    Actor,
    Charge,
    Label,
    LabelStatus,
    Order,
    OrderEvent,
    OrderStatus,
    Parcel,
    PriceSource,
    Refund,
    ReturnRequest,
    Submission,
    Waiting,
    WaitingFor,
    first_tracking_id,
)
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.domain.trackings import BEFORE_ITS_ORDER, Tracking
from parcelgate.observability.logs import bind_log_keys, log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.orders import problems
from parcelgate.services.settings import Settings
from parcelgate.store.errors import StoreUnavailableError, VersionConflictError
from parcelgate.store.orders import Orders

if TYPE_CHECKING:
    from parcelgate.store.table import Table

OPEN = (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)
"""The statuses of an order that is not submitted yet, or whose carrier has not decided yet."""
RETRY_LIFE = timedelta(hours=12)
"""How long a retry queue tries before it gives up."""
HELD = timedelta(hours=1)
"""An order that a pause holds has its deadline so far ahead. It is moved on when half of that is over."""
MOST_DETAILS = 50_000
"""Bytes of a carrier's own words that are kept with an order; the order must fit into one item of 400 KB."""
MOST_WARNINGS = 50
"""How many warnings of one answer are kept."""
_ATTEMPTS = 5


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The next version of an order, and everything that is written together with it."""

    after: Order
    event: OrderEvent | None = None
    trackings: tuple[Tracking, ...] = ()
    hook: str | None = None


type Decide = Callable[[Order], Change | None]
"""Decides what a stored order becomes. None: leave it as it is."""


def read(table: "Table", tenant: str, order_id: str) -> tuple[Orders, Order]:
    """Read an order of a tenant. Returns the tenant's orders and the order; binds its ids as log keys.

    Raises OrderNotFoundError.
    """
    orders = table.tenant(tenant).orders
    order = orders.get(order_id)
    bind_log_keys(**order.log_keys)
    return orders, order


def apply(orders: Orders, order: Order, decide: Decide) -> Order:
    """Write what `decide` makes of the order. If the stored order has changed, read it and decide again.

    Returns the order as it is then, unchanged where `decide` returned None. Raises VersionConflictError when
    other writers came first every time, and whatever else the store raises.
    """
    after, _ = settle(orders, order, decide)
    return after


def settle(orders: Orders, order: Order, decide: Decide) -> tuple[Order, bool]:
    """As `apply`, and whether this call changed the order.

    So the caller that changed the order counts it, and nobody else does.
    """
    for _ in range(_ATTEMPTS):
        change = decide(order)
        if change is None:
            return order, False
        try:
            orders.save(order, change.after, change.event, trackings=change.trackings, hook=change.hook)
        except (VersionConflictError, StoreUnavailableError):
            # The answer to the write was lost. The stored order shows whether it was written.
            order = orders.get(order.id)
            continue
        _count(order, change.after)
        return change.after, True
    raise VersionConflictError(order.id)


def _count(before: Order, after: Order) -> None:
    missing = after.label.status is LabelStatus.UNAVAILABLE and after.erased_at is None
    if missing and before.label.status is not after.label.status:
        count("LabelsUnavailable", carrier=after.carrier)
    if before.status in OPEN and after.status not in OPEN:
        code = after.problem.code if after.problem else "none"
        count("OrderOutcomes", carrier=after.carrier, status=after.status, problem=code)


# Deadlines


def soon(settings: Settings, at: datetime) -> datetime:
    """The deadline of work that a function begins at this moment: by then it is done, or in a queue."""
    return at + settings.deadline_margin


def workflow_ends(settings: Settings, at: datetime) -> datetime:
    """The deadline of a workflow that begins at this moment, or of fetching a label."""
    return at + settings.order_deadline + settings.deadline_margin


def retries_end(settings: Settings, since: datetime, at: datetime | None = None) -> datetime:
    """The deadline of what the retry queue has tried `since` then, and still tries `at`."""
    return max(since + RETRY_LIFE, at or since) + settings.deadline_margin


def refund_ends(settings: Settings, since: datetime) -> datetime:
    """The deadline of a refund that begins at this moment."""
    return since + settings.refund_deadline + settings.deadline_margin


def submission_ends(settings: Settings, order: Order, since: datetime) -> datetime:
    """Until when the workflow may work on an open order, `since` its beginning, before a person is told.

    While certainly nothing was sent, it may wait as long as the retry queues try. Otherwise the carrier's
    time to decide begins with the first create that the carrier may have taken. Both begin again after a
    pause of the account.
    """
    submission = order.submission
    sent_at = submission.first_sent_at or submission.sending_at
    if sent_at is None:
        return submission.began(since) + RETRY_LIFE
    return submission.began(sent_at) + settings.order_deadline


def patience(trouble: object, settings: Settings) -> timedelta:
    """How long an order waits in vain before it is given up, when `trouble` is what it meets.

    A wait for the account's own call rate may last longest: its turn comes in the end.
    """
    return RETRY_LIFE if isinstance(trouble, OverLimitError) else settings.order_deadline


# What an order waits for


def waiting(order: Order, for_: WaitingFor, *, at: datetime) -> Waiting:
    """The order's wait for this: the present one if there is one, or a new one."""
    if order.waiting is not None and order.waiting.for_ is for_:
        return order.waiting
    return Waiting(for_=for_, since=at, next_attempt_at=at)


def held_up(
    order: Order, error: object, *, at: datetime, next_attempt_at: datetime, actor: Actor, **facts: Any
) -> Change | None:
    """The order after an attempt that met `error`, with a line for that attempt in its audit trail.

    A call that a pause of the account holds is no attempt: the trail has one line for each pause. None if
    that is written, and nothing else is to be.
    """
    if order.status is OrderStatus.CONFIRMED:
        for_ = WaitingFor.LABEL
    elif order.carrier_order_number and order.status in OPEN and not order.submission.compensating_since:
        for_ = WaitingFor.DECISION
    else:
        for_ = WaitingFor.CARRIER
    wait, trouble = waiting(order, for_, at=at), problems.trouble(error)
    if isinstance(error, PausedError):
        return _paused(order, wait.paused(trouble), at=at, actor=actor, **facts)
    facts["waiting"] = wait.troubled(trouble, next_attempt_at=next_attempt_at)
    words = getattr(error, "words", None)
    return noted(order, at, "order.waiting", actor, detail=trouble.code, words=words, **facts)


def is_paused(order: Order) -> bool:
    """Whether the order waited for an account that was paused when it was last tried."""
    last = order.waiting.last_error if order.waiting else None
    return last is not None and last.code == problems.PAUSED


def _paused(order: Order, wait: Waiting, *, at: datetime, actor: Actor, **facts: Any) -> Change | None:
    """The order held by a pause. Its deadline is kept ahead, so that nobody gives it up meanwhile."""
    submission: Submission = facts.pop("submission", order.submission)
    due = facts.pop("watch_at", order.watch_at)
    until = order.submission.paused_until
    if order.waiting == wait and submission == order.submission and until and at < until:
        return None
    submission = msgspec.structs.replace(submission, paused_until=at + HELD / 2)
    facts |= {"submission": submission, "waiting": wait, "watch_at": max(due or at, at + HELD)}
    if order.waiting == wait:
        return Change(after=order.changed(at=order.updated_at, **facts))
    detail = wait.last_error.code if wait.last_error else None
    return noted(order, at, "order.waiting", actor, detail=detail, **facts)


def explain_wait(
    orders: Orders, order_id: str, error: Exception, *, at: datetime, pause: timedelta, actor: Actor
) -> None:
    """Store why an order still waits for its label, or for its carrier to cancel it.

    Nothing is written for a label that is merely not ready, or for trouble that the carrier did not make.
    """
    if not isinstance(error, CarrierError):
        return

    def decide(order: Order) -> Change | None:
        if order.status is not OrderStatus.CANCELLING and not wants_label(order):
            return None
        return held_up(order, error, at=at, next_attempt_at=at + pause, actor=actor)

    apply(orders, orders.get(order_id), decide)


# How a change is made


def moved(
    order: Order,
    at: datetime,
    to: OrderStatus,
    kind: str,
    *,
    watch_at: datetime | None = None,
    actor: Actor = Actor.WORKFLOW,
    words: CarrierWords | None = None,
    hook: str | None = None,
    **facts: Any,
) -> Change:
    """The order in another status, with a line in its audit trail that names both statuses."""
    after = order.move(to, at=at, watch_at=watch_at, **facts)
    code = after.problem.code if after.problem else None
    event = OrderEvent(at=at, type=kind, actor=actor, from_=order.status, to=to, detail=code, carrier=words)
    return Change(after=after, event=event, hook=hook)


def noted(
    order: Order,
    at: datetime,
    kind: str,
    actor: Actor = Actor.CARRIER,
    *,
    detail: str | None = None,
    words: CarrierWords | None = None,
    hook: str | None = None,
    **facts: Any,
) -> Change:
    """The order with other facts and the same status, with a line in its audit trail."""
    event = OrderEvent(at=at, type=kind, actor=actor, detail=detail, carrier=words)
    return Change(after=order.changed(at=at, **facts), event=event, hook=hook)


# The submission


def same_submission(order: Order, mine: Order) -> bool:
    """Whether `order` is open and has the same mark as `mine`, or none if `mine` has none."""

    def mark(order: Order) -> tuple[Any, ...]:
        submission = order.submission
        return submission.sending_at, submission.sender, submission.callback_hash

    return order.status in OPEN and mark(order) == mark(mine)


def marked(order: Order, submission: Submission, *, at: datetime, watch_at: datetime) -> Change:
    """The order is marked: only the sender of the submission may send it now."""
    hook = submission.callback_hash
    if order.status is OrderStatus.ACCEPTED:
        to = OrderStatus.PROCESSING
        return moved(
            order,
            at,
            to,
            "order.processing",
            watch_at=watch_at,
            hook=hook,
            submission=submission,
            waiting=order.waiting,
        )
    return noted(
        order,
        at,
        "order.sent_again",
        _sender(submission),
        hook=hook,
        watch_at=watch_at,
        submission=submission,
    )


def not_taken(order: Order) -> dict[str, Any]:
    """The carrier certainly has nothing: the mark is removed, and the order may be sent again."""
    return {"submission": _unmarked(order.submission, lost=order.submission.lost)}


def outcome_unknown(order: Order, *, at: datetime) -> dict[str, Any]:
    """The outcome is unknown. The sender is done, so the carrier can be asked at once."""
    if order.submission.over_at is not None or order.carrier_order_number is not None:
        return {}
    return {"submission": msgspec.structs.replace(order.submission, over_at=at)}


def submitted(order: Order, answer: Submitted, *, at: datetime) -> Change:
    """The carrier has taken the order under its number, and decides later."""
    if order.carrier_order_number not in (None, answer.carrier_order_number):
        return needs_attention(order, problems.conflict(answer.carrier_order_number), at=at)
    return noted(
        order,
        at,
        "carrier.accepted",
        submission=msgspec.structs.replace(order.submission, answered=True),
        waiting=Waiting(for_=WaitingFor.DECISION, since=at),
        carrier_order_number=answer.carrier_order_number,
        parcels=numbered(order, answer.parcels),
    )


def refused(order: Order, error: RefusedError, *, at: datetime) -> Change:
    """The carrier refused the order. If a lost create of ours may have the reference, a person must look."""
    taken = any(each.code == "reference_in_use" for each in error.errors)
    if taken and order.submission.lost:
        return needs_attention(order, problems.unknown(error.words), at=at)
    code = "reference_in_use" if taken and error.words is not None else "refused_by_carrier"
    return failed(order, problems.create_refused(code, errors=error.errors, words=error.words), at=at)


def partly_refused(order: Order, error: PartlyRefusedError, *, at: datetime, watch_at: datetime) -> Change:
    """The parcels that the carrier took must be taken back. Their numbers and all refusals are stored."""
    refusals = {refusal.reference: problems.parcel_refused(refusal) for refusal in error.refused}
    return noted(
        order,
        at,
        "carrier.refused_parcels",
        words=error.words,
        watch_at=watch_at,
        parcels=tuple(
            msgspec.structs.replace(parcel, problem=refusals.get(parcel.reference, parcel.problem))
            for parcel in numbered(order, error.accepted)
        ),
        carrier_order_number=error.carrier_order_number,
        problem=problems.partly_refused(order, error),
        submission=msgspec.structs.replace(order.submission, compensating_since=at),
    )


def found(order: Order, number: str, *, at: datetime) -> Change:
    """The carrier has the order after all, under `number`."""
    return noted(order, at, "carrier.found", carrier_order_number=number)


def not_found(order: Order, *, at: datetime) -> Change:
    """The carrier says for the first time that it has no such order."""
    submission = msgspec.structs.replace(order.submission, not_found_at=at)
    return noted(order, at, "carrier.not_found", submission=submission)


def to_be_sent_again(order: Order, *, at: datetime) -> Change:
    """The carrier has nothing of the create that was lost: the order may be sent again."""
    actor = _sender(order.submission)
    submission = _unmarked(order.submission, lost=True)
    return noted(order, at, "order.to_be_sent_again", actor, submission=submission)


def _unmarked(submission: Submission, *, lost: bool) -> Submission:
    """The submission without its mark. It remembers a lost create, which the carrier may have after all."""
    return Submission(
        lost=lost,
        first_sent_at=submission.first_sent_at if lost else None,
        paused_until=submission.paused_until,
    )


def _sender(submission: Submission) -> Actor:
    return Actor.RETRY if submission.task_token is None else Actor.WORKFLOW


def failing(order: Order, result: Failed, *, at: datetime, watch_at: datetime) -> Change:
    """The carrier could not carry out the order: what it holds must be taken back."""
    return noted(
        order,
        at,
        "carrier.failed",
        words=result.words,
        watch_at=watch_at,
        problem=problems.failure(result.words),
        carrier_order_number=order.carrier_order_number or result.carrier_order_number,
        submission=msgspec.structs.replace(order.submission, compensating_since=at),
    )


def taken_back(
    order: Order, cancellation: Cancellation, *, at: datetime, problem: Problem | None = None
) -> Change:
    """The carrier has nothing of the order any more. The parcels lose their tracking numbers."""
    parcels = tuple(
        msgspec.structs.replace(parcel, tracking_number=None, master_tracking_number=None)
        for parcel in order.parcels
    )
    problem = problem or order.problem or problems.failure(None)
    refund = refund_of(cancellation, at=at)
    return failed(msgspec.structs.replace(order, parcels=parcels), problem, at=at, refund=refund)


# The carrier's answers


def numbered(order: Order, results: tuple[ParcelResult, ...]) -> tuple[Parcel, ...]:
    """The order's parcels with the carrier's numbers. A known number is kept where none is given."""
    by_reference = {result.reference: result for result in results}

    def numbers(parcel: Parcel) -> Parcel:
        result = by_reference.get(parcel.reference)
        if result is None:
            return parcel
        return msgspec.structs.replace(
            parcel,
            tracking_number=result.tracking_number or parcel.tracking_number,
            master_tracking_number=result.master_tracking_number or parcel.master_tracking_number,
            carrier_parcel_number=result.carrier_parcel_number or parcel.carrier_parcel_number,
        )

    return tuple(numbers(parcel) for parcel in order.parcels)


def rate_card_price(table: "Table", order: Order) -> Money | None:
    """The order's price by the merchant's own price list; None where its carrier tells prices itself.

    No trouble is raised: an order that is bought must be stored, also without its price.
    """
    return price_by(rate_card(table, order), order)


def rate_card(table: "Table", order: Order) -> RateCard | None:
    """The price list of the order's account; None where its carrier tells prices itself. Raises nothing."""
    if "rates" in registry.profile(order.carrier).grades:
        return None
    try:
        return table.tenant(order.tenant).rate_cards.get(order.carrier, order.account)
    except Exception as error:
        log.error("the rate card could not be read: no price", extra=safe_error_fields(error))
        return None


def price_by(card: RateCard | None, order: Order) -> Money | None:
    """The order's price by this list. Raises nothing."""
    try:
        return None if card is None else priced(card, order)
    except Exception as error:
        log.error("the rate card has no price that can be read", extra=safe_error_fields(error))
        return None


def priced(card: RateCard, order: Order) -> Money | None:
    """What the order costs by its account's rate card. The one service of a carrier needs no name."""
    services = registry.profile(order.carrier).services
    service = order.service or (services[0].code if len(services) == 1 else None)
    return card.price(service, order.ship_to.country, [parcel.weight for parcel in order.parcels])


def price_facts(order: Order, result: Confirmed, by_rate_card: Money | None = None) -> dict[str, Any]:
    """What is known of the price: the carrier's word, else the rate card's, else what was known before."""
    if result.price is None and by_rate_card is not None:
        return {
            "price": by_rate_card,
            "price_source": PriceSource.RATE_CARD,
            "charges": (Charge("freight", by_rate_card),),
        }
    source = order.price_source if result.price is None else PriceSource.CARRIER
    charges = result.charges or order.charges
    return {"price": result.price or order.price, "price_source": source, "charges": charges}


def confirmed(
    order: Order,
    result: Confirmed,
    *,
    at: datetime,
    watch_at: datetime,
    actor: Actor = Actor.WORKFLOW,
    by_rate_card: Money | None = None,
) -> Change:
    """The carrier has the order: its numbers, its price and a tracking for each parcel, in one write."""
    parcels = tuple(
        msgspec.structs.replace(parcel, tracking_id=parcel.tracking_id or _tracking_id(order, place))
        for place, parcel in enumerate(numbered(order, result.parcels))
    )
    change = moved(
        order,
        at,
        OrderStatus.CONFIRMED,
        "order.confirmed",
        watch_at=watch_at,
        actor=actor,
        parcels=parcels,
        carrier_order_number=result.carrier_order_number,
        master_tracking_numbers=result.master_tracking_numbers,
        **price_facts(order, result, by_rate_card),
        billable_weight=result.billable_weight,
        warnings=(*order.warnings, *result.warnings[:MOST_WARNINGS]),
        carrier_details=bounded(result.details),
        # Nobody is waited for any more. A task token is long, and every write of the order would pay for it.
        submission=msgspec.structs.replace(order.submission, task_token=None),
        problem=None,
        attention=None,
        waiting=waiting(order, WaitingFor.LABEL, at=at),
    )
    trackings = tuple(tracking_of(change.after, parcel, at=at) for parcel in parcels)
    return msgspec.structs.replace(change, trackings=trackings)


def _tracking_id(order: Order, place: int) -> str:
    first = first_tracking_id(order.id)
    return first if place == 0 and first not in order.tracking_ids else new_id("trk")


def bounded(details: dict[str, Any]) -> dict[str, Any]:
    """The carrier's own details, or nothing if they are too large for a stored order."""
    return details if len(msgspec.json.encode(details)) <= MOST_DETAILS else {}


def tracking_of(order: Order, parcel: Parcel, *, at: datetime) -> Tracking:
    """The tracking of a parcel that has its number."""
    return Tracking(
        id=parcel.tracking_id or "",
        tenant=order.tenant,
        carrier=order.carrier,
        account=order.account,
        tracking_number=parcel.tracking_number or "",
        order_id=order.id,
        parcel_reference=parcel.reference,
        carrier_number=parcel.carrier_parcel_number or order.carrier_order_number,
        service=order.service,
        since=order.created_at - BEFORE_ITS_ORDER,
        destination_country=order.ship_to.country,
        destination_state=order.ship_to.state,
        created_at=at,
        updated_at=at,
    )


def failed(
    order: Order,
    problem: Problem,
    *,
    at: datetime,
    refund: Refund | None = None,
    actor: Actor = Actor.WORKFLOW,
) -> Change:
    """The order has failed: nothing was bought, or the money comes back. Its reference is free."""
    return moved(
        order,
        at,
        OrderStatus.FAILED,
        "order.failed",
        actor=actor,
        words=problem.carrier,
        problem=problem,
        attention=None,
        refund=order.refund if refund is None else refund,
    )


def cancelled(order: Order, refund: Refund, *, at: datetime, actor: Actor) -> Change:
    """The carrier has cancelled the order. Its reference is free."""
    to, kind = OrderStatus.CANCELLED, "order.cancelled"
    return moved(order, at, to, kind, actor=actor, refund=refund, problem=None, attention=None)


def cancellation_answered(
    order: Order, answer: Cancellation | RefusedError, *, at: datetime, settings: Settings, actor: Actor
) -> Change | None:
    """The carrier has answered a cancellation. None where that changes nothing.

    A cancellation counts also when it was given up meanwhile, a refusal only while the order is `cancelling`.
    """
    agreed = isinstance(answer, Cancellation)
    if order.status is not OrderStatus.CANCELLING and not (
        agreed and order.status is OrderStatus.NEEDS_ATTENTION
    ):
        return None
    if isinstance(answer, RefusedError):
        return cancel_refused(order, answer, at=at, settings=settings)
    return cancelled(order, refund_of(answer, at=at), at=at, actor=actor)


def cancelling(order: Order, *, at: datetime, settings: Settings, actor: Actor) -> Change:
    """The carrier is to cancel the order, and is asked until it answers."""
    return moved(
        order,
        at,
        OrderStatus.CANCELLING,
        "order.cancelling",
        watch_at=soon(settings, at),
        actor=actor,
        waiting=waiting(order, WaitingFor.CARRIER, at=at),
    )


def cancel_refused(order: Order, error: RefusedError, *, at: datetime, settings: Settings) -> Change:
    """The carrier does not cancel the order. It is confirmed again, with the reason as its problem."""
    problem = carrier_problems.refused("cannot_cancel", error)
    if not all(parcel.tracking_id for parcel in order.parcels):
        # The order was never confirmed. It came from needs_attention and goes back there.
        return needs_attention(order, problem, at=at, actor=Actor.CARRIER)
    waits = order.label.status is LabelStatus.PENDING
    return moved(
        order,
        at,
        OrderStatus.CONFIRMED,
        "order.cancel_refused",
        watch_at=workflow_ends(settings, at) if waits else None,
        actor=Actor.CARRIER,
        words=error.words,
        problem=problem,
        waiting=waiting(order, WaitingFor.LABEL, at=at) if waits else None,
    )


def needs_attention(order: Order, problem: Problem, *, at: datetime, actor: Actor = Actor.WORKFLOW) -> Change:
    """The order cannot go on automatically. A person, or a late answer of the carrier, must move it on."""
    to, kind = OrderStatus.NEEDS_ATTENTION, "order.needs_attention"
    return moved(order, at, to, kind, actor=actor, words=problem.carrier, problem=problem)


def attention(
    order: Order, problem: Problem, *, at: datetime, actor: Actor = Actor.WORKFLOW, **facts: Any
) -> Change:
    """Trouble for a person, which does not change the status."""
    return noted(
        order,
        at,
        "order.attention",
        actor,
        detail=problem.code,
        words=problem.carrier,
        attention=problem,
        **facts,
    )


def label_ready(order: Order, label: Label, *, at: datetime) -> Change:
    """The label is stored. The order needs no deadline any more."""
    trouble = trouble_left(order, "label_unavailable")
    label = msgspec.structs.replace(label, first_ready_at=order.label.first_ready_at or at)
    return noted(
        order,
        at,
        "label.ready",
        Actor.WORKFLOW,
        label=label,
        watch_at=_return_due(order),
        waiting=None,
        attention=trouble,
    )


def label_unavailable(order: Order, *, at: datetime, words: CarrierWords | None = None) -> Change:
    """The carrier never gave a usable label; the order stays confirmed."""
    problem = problems.label_unavailable(words)
    return noted(
        order,
        at,
        "label.unavailable",
        Actor.WORKFLOW,
        detail=problem.code,
        label=msgspec.structs.replace(order.label, status=LabelStatus.UNAVAILABLE),
        attention=problem,
        watch_at=_return_due(order),
        waiting=None,
    )


def wants_label(order: Order) -> bool:
    """Whether the order is confirmed and its label not there yet."""
    return order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.PENDING


def given_up(order: Order, reason: str, *, at: datetime, words: CarrierWords | None = None) -> Change | None:
    """The order is given up: see `OrderSubmitter.give_up`."""
    if order.status in OPEN:
        return needs_attention(order, problems.stranded(order, reason, words), at=at)
    return label_given_up(order, at=at, words=words)


def label_given_up(order: Order, *, at: datetime, words: CarrierWords | None = None) -> Change | None:
    """The label that the order waits for will not come; None where it waits for none."""
    return label_unavailable(order, at=at, words=words) if wants_label(order) else None


def change_lost(order: Order, *, at: datetime, settings: Settings) -> Change:
    """It is unknown whether the carrier made a change: the label is fetched again."""
    waits = order.status is OrderStatus.CONFIRMED
    return attention(
        order,
        problems.change_unknown(),
        at=at,
        changing_until=None,
        label=order.label.thrown_away(),
        watch_at=workflow_ends(settings, at) if waits else order.watch_at,
        waiting=waiting(order, WaitingFor.LABEL, at=at) if waits else order.waiting,
    )


def deadline_left(order: Order, *, at: datetime, settings: Settings) -> datetime | None:
    """The deadline of an order that is as it was, once a request about it has ended."""
    if order.status is not OrderStatus.CONFIRMED:
        return order.watch_at
    label_due = workflow_ends(settings, at) if wants_label(order) else None
    return order.changing_until or _return_due(order) or label_due


def _return_due(order: Order) -> datetime | None:
    return None if order.return_request is None else order.return_request.asking_until


def return_taken(order: Order, number: str | None, *, at: datetime, settings: Settings) -> Change:
    """The carrier has taken the request to send the order back, under `number` if it has a new one."""
    after = msgspec.structs.replace(order, return_request=ReturnRequest(taken_at=at))
    return noted(
        order,
        at,
        "order.return_requested",
        Actor.CLIENT,
        detail=number,
        return_request=after.return_request,
        attention=trouble_left(order, "return_unknown"),
        watch_at=deadline_left(after, at=at, settings=settings),
    )


def return_lost(
    order: Order, *, at: datetime, settings: Settings, words: CarrierWords | None = None
) -> Change:
    """It is unknown whether the carrier has taken a request to send the order back."""
    after = msgspec.structs.replace(order, return_request=ReturnRequest(lost=True))
    return attention(
        order,
        problems.return_unknown(words),
        at=at,
        return_request=after.return_request,
        watch_at=deadline_left(after, at=at, settings=settings),
    )


def trouble_left(order: Order, *settled: str) -> Problem | None:
    """The order's `attention`, or None if its code is one of those that are now settled."""
    trouble = order.attention
    return None if trouble is None or trouble.code in settled else trouble


def refund_of(cancellation: Cancellation, *, at: datetime) -> Refund:
    """The refund to show once the carrier has accepted the cancellation."""
    return Refund(
        status=cancellation.refund_status,
        amount=cancellation.amount,
        requested_at=None if cancellation.refund_status == "none" else at,
    )
