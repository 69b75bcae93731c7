"""What an operator does: see what needs a person and the figures, resolve orders, replay and redrive."""

from parcelgate.domain.clock import now
from parcelgate.domain.problems import FieldError, ProblemError, invalid
from parcelgate.http.answers import LARGEST_PAGE, Answer, answer, copied
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.operator import DismissInput, ResolveInput
from parcelgate.http.requests.orders import read
from parcelgate.http.requests.queries.plain import read_page_query
from parcelgate.http.requests.queries.stats import read_stats_query
from parcelgate.http.resources.operator import (
    AttentionPage,
    DeadLetterList,
    InboxPage,
    RedriveResource,
    parked_webhook,
    webhook_resource,
)
from parcelgate.http.resources.orders import order_resource
from parcelgate.http.resources.stats import stats_resource
from parcelgate.runtime import runtime
from parcelgate.services.operator import operations
from parcelgate.services.operator.attention import AttentionList
from parcelgate.services.operator.dead_letters import DeadLetters
from parcelgate.services.operator.operations import Outcome
from parcelgate.services.stats.reports import StatsReader
from parcelgate.services.trackings import delivery_status
from parcelgate.store.inbox import DISMISSED, PARKED, Dismissal, InboxEntry, id_of
from parcelgate.store.keys import is_id
from parcelgate.store.table import Table

REDRIVE_SECONDS = 20.0
"""How long the client waits while dead letters are sent again."""

api = Api(
    "operate",
    tokens=lambda: runtime.table.page_tokens.token,
    limits=lambda: runtime.rate_limiter,
)


@api.route
def list_attention(request: Request) -> Answer:
    """Give a page of what needs a person, the worst first."""
    attention: AttentionList = runtime.attention_list
    limit, cursor = read_page_query(request.query)
    page = attention.page(request.tenant, limit=limit, cursor=cursor)
    return answer(AttentionPage(data=tuple(page.data), next_cursor=page.next_cursor))


@api.route
def resolve_order(request: Request) -> Answer:
    """Do with an order what a person has found out about it."""
    table: Table = runtime.table
    tenant, order_id = request.tenant, request.parameters["id"]

    def resolve() -> Answer:
        outcome = read(ResolveInput, request.body).outcome
        try:
            match outcome:
                case Outcome.REREAD:
                    order = operations.reread(table, runtime.retry_queues, tenant, order_id)
                case Outcome.NOT_AT_CARRIER:
                    order = operations.close(table, tenant, order_id)
                case Outcome.REFUNDED:
                    order = operations.refunded(table, tenant, order_id)
        except operations.NotForThisOrderError as error:
            detail = f"The order is {error.order.status}; the outcome {outcome} does not apply to it."
            raise ProblemError("cannot_change", detail, order_id=order_id) from None
        delivery = delivery_status.statuses(table.tenant(tenant), [order])
        return answer(order_resource(order, request.site, delivery))

    return do_once(request, table.tenant(tenant), resolve)


@api.route
def list_inbox(request: Request) -> Answer:
    """Give a page of parked webhooks, newest first."""
    limit, cursor = read_page_query(request.query)
    page = runtime.table.tenant(request.tenant).inbox.page(limit=limit, cursor=cursor)
    return answer(InboxPage(data=tuple(map(parked_webhook, page.data)), next_cursor=page.next_cursor))


@api.route
def read_inbox(request: Request) -> Answer:
    """Give what is known of one webhook."""
    return answer(webhook_resource(_webhook(request)))


@api.route
def replay_inbox(request: Request) -> Answer:
    """Have a webhook processed again."""
    table: Table = runtime.table

    def replay() -> Answer:
        operations.replay(table, request.tenant, _webhook(request).id)
        return answer(webhook_resource(_webhook(request)), 202)

    return do_once(request, table.tenant(request.tenant), replay)


@api.route
def dismiss_inbox(request: Request) -> Answer:
    """Note that a person has dealt with a parked webhook."""
    table: Table = runtime.table
    own = table.tenant(request.tenant)

    def dismiss() -> Answer:
        given = read(DismissInput, request.body)
        entry = _webhook(request)
        if entry.state not in (PARKED, DISMISSED):
            detail = f"The webhook is {entry.state}. Only one that is parked can be dismissed."
            raise ProblemError("cannot_change", detail)
        by = given.by or own.api_keys.name_of(request.key_id) or request.key_id
        operations.dismiss(table, request.tenant, entry.id, Dismissal(now(), by, given.reason))
        return answer(webhook_resource(_webhook(request)))

    return do_once(request, own, dismiss)


@api.route
def list_dead_letters(request: Request) -> Answer:
    """Give every dead-letter queue of the stack."""
    letters: DeadLetters = runtime.dead_letters
    return answer(DeadLetterList(tuple(letters.all(request.tenant))))


@api.route
def redrive_dead_letters(request: Request) -> Answer:
    """Send the messages of a dead-letter queue again."""
    letters: DeadLetters = runtime.dead_letters

    def redrive() -> Answer:
        done = letters.redrive(request.parameters["queue"], request.within(REDRIVE_SECONDS))
        return answer(copied(RedriveResource, done), 202)

    return do_once(request, runtime.table.tenant(request.tenant), redrive)


@api.route
def read_stats(request: Request) -> Answer:
    """Give figures over some days."""
    stats: StatsReader = runtime.stats_reader
    query = read_stats_query(request.query, today=now().date())
    report = stats.report(request.tenant, query.first, query.last, query.by)
    shown = answer(stats_resource(report, query.first, query.last, query.by))
    if len(shown.body) > LARGEST_PAGE:
        message = "The answer is too large. Ask for fewer days, or tell less apart."
        raise invalid([FieldError("/by", "too_large", message)])
    return shown


def _webhook(request: Request) -> InboxEntry:
    name = request.parameters["id"]
    entry = runtime.table.tenant(request.tenant).inbox.get(id_of(name)) if is_id(name) else None
    if entry is None:
        raise ProblemError("not_found", "There is no such webhook. Each is kept for 30 days.")
    return entry


handler = api.handler
