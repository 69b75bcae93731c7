"""Asking what an order would cost, without buying anything: of one carrier, or of all side by side."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.port import QuotesRates
from parcelgate.carriers.results import Rate
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.merchants.rate_cards import RateCard
from parcelgate.domain.orders import Charge, Order, PriceSource
from parcelgate.domain.problems import Problem, ProblemError, invalid
from parcelgate.observability.logs import bind_log_keys, log, safe_error_fields
from parcelgate.services import carrier_problems
from parcelgate.services.orders.create import Draft, examined
from parcelgate.services.orders.transitions import priced

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.catalogue.offers import Catalogue
    from parcelgate.store.table import Table

AT_ONCE = 8
"""Calls to one carrier at the same time. Each carrier has a pool of its own, so none waits for another."""
_LATE = 0.5
"""Seconds between the deadline of the calls and the answer, so that a call can still report its error."""
_NOT_OFFERED = "not_supported_by_carrier"
_MOST_MISTAKES = 3
"""Errors of a problem that the message of a skipped service names."""


class Quote(NamedTuple):
    """The price of an order with one service, and who gave the price."""

    order: Order
    rate: Rate
    source: PriceSource


class Skipped(NamedTuple):
    """A service, or a whole account, that has no price for the order. `code` is a problem's code."""

    carrier: str
    account: str
    service: str | None
    code: str
    message: str


class RateQuestion(NamedTuple):
    """An order, and the carrier, account and service that its price is asked of; None: all of them.

    The draft's order always has a carrier. It means nothing where `carrier` is None.
    """

    draft: Draft
    carrier: str | None
    account: str | None
    service: str | None

    @property
    def is_of_one(self) -> bool:
        """Whether one service of one account is asked."""
        return self.carrier is not None and self.service is not None


class Quoter(msgspec.Struct, frozen=True):
    """Asks for prices."""

    table: "Table"
    carriers: "Carriers"
    catalogue: "Catalogue"

    def quote(self, draft: Draft, deadline: Deadline) -> list[Quote]:
        """Ask the price of an order that is not created. The carrier must have answered by `deadline`.

        Where the carrier gives no prices, the rate card of the account does. Raises ProblemError:
        `validation_failed`, `not_supported_by_carrier`, `refused_by_carrier`, or `carrier_unavailable` for
        any other trouble with the carrier.
        """
        order = examined(draft, self.carriers)
        bind_log_keys(tenant=order.tenant, carrier=order.carrier)
        return self._of_carrier(order, deadline) or [self._of_card(order, self._card(order))]

    def compare(self, question: RateQuestion, deadline: Deadline) -> tuple[list[Quote], list[Skipped]]:
        """Ask the price of every service of every account that the question leaves open, side by side.

        The quotes are sorted by currency, then by amount: nothing is converted. A service without a price is
        skipped, with the reason, also when its carrier has not answered by `deadline`.
        Raises ProblemError: `validation_failed` for an order that no carrier could take, and for a carrier
        that is named and has no account; `not_supported_by_carrier` for a carrier that is named and gives no
        price in any way.
        """
        order = question.draft.order
        if order is None or question.draft.errors:
            raise invalid(list(question.draft.errors))
        bind_log_keys(tenant=order.tenant)
        usual = question.account or "default"
        if question.carrier is not None and question.account is not None:
            self.carriers.account(order.tenant, question.carrier, question.account)
        known = self.table.tenant(order.tenant).account_names.all()
        names = dict.fromkeys([*((carrier, usual) for carrier in registry.names()), *known])
        tasks = [
            self._account(AccountName(order.tenant, carrier, account), order, question, deadline.minus(_LATE))
            for carrier, account in names
            if carrier in registry.CARRIERS
            if question.carrier in (None, carrier) and question.account in (None, account)
        ]
        quotes: list[Quote] = []
        skipped: list[Skipped] = []
        for outcome in _side_by_side(tasks, deadline):
            if isinstance(outcome, Quote):
                quotes.append(outcome)
            else:
                skipped.append(outcome)
        if question.carrier is not None and not quotes and not skipped:
            self.carriers.account(order.tenant, question.carrier, usual)
        if question.carrier is not None and not quotes and {each.code for each in skipped} == {_NOT_OFFERED}:
            raise ProblemError(_NOT_OFFERED, skipped[0].message)
        skipped.sort(key=lambda each: (each.carrier, each.account, each.service or ""))
        return sorted(quotes, key=_cheapest), skipped

    def _account(
        self, name: AccountName, order: Order, question: RateQuestion, deadline: Deadline
    ) -> "_Task":
        """Make the task of one account. It finds nothing if there is no such account."""

        def with_service(service: str) -> Draft:
            asked = msgspec.structs.replace(
                order, carrier=name.carrier, account=name.account, service=service
            )
            return Draft(asked, (), question.draft.given)

        def of_carrier(service: str) -> list[Quote]:
            return self._of_carrier(examined(with_service(service), self.carriers), deadline)

        def of_card(service: str, card: RateCard) -> list[Quote]:
            return [self._of_card(examined(with_service(service), self.carriers), card)]

        def work() -> Iterator[Quote | Skipped | _Task]:
            try:
                self.carriers.account(*name)
            except ProblemError:
                return
            if "rates" in registry.profile(name.carrier).grades:
                for service in [question.service] if question.service else self._sold(name, deadline):
                    yield _Task(name, service, partial(of_carrier, service))
                return
            card = self._card(name)
            for service in [question.service] if question.service else self._listed(name, card, deadline):
                yield from _done(_Task(name, service, partial(of_card, service, card)))

        return _Task(name, question.service, work)

    def _listed(self, name: AccountName, card: RateCard, deadline: Deadline) -> Sequence[str]:
        """The services of a rate card. A row for any service stands for all that the carrier sells."""
        if not card.has_any_service:
            return card.services
        try:
            return tuple(dict.fromkeys((*card.services, *self._sold(name, deadline))))
        except ProblemError:
            if not card.services:
                raise
            return card.services

    def _sold(self, name: AccountName, deadline: Deadline) -> list[str]:
        return [service.code for service in self.catalogue.services(*name, deadline).services]

    def _of_carrier(self, order: Order, deadline: Deadline) -> list[Quote]:
        """The carrier's own prices; none where it gives no prices."""
        carrier = self.carriers.of(order, deadline)
        if not isinstance(carrier, QuotesRates):
            return []
        with carrier_problems.raised():
            return [Quote(order, rate, PriceSource.CARRIER) for rate in carrier.rates(order)]

    def _card(self, subject: Order | AccountName) -> RateCard:
        card = self.table.tenant(subject.tenant).rate_cards.get(subject.carrier, subject.account)
        if card is None:
            detail = "The carrier gives no price beforehand, and the account has no rate card."
            raise ProblemError(_NOT_OFFERED, detail)
        return card

    def _of_card(self, order: Order, card: RateCard) -> Quote:
        price = priced(card, order)
        if price is None:
            detail = "The rate card has no price for this service, country and weight."
            raise ProblemError(_NOT_OFFERED, detail)
        rate = Rate(service=order.service or "", price=price, charges=(Charge("freight", price),))
        return Quote(order, rate, PriceSource.RATE_CARD)


class _Task(NamedTuple):
    """A question to one account. Its results may hold further tasks."""

    name: AccountName
    service: str | None
    work: Callable[[], Iterable["Quote | Skipped | _Task"]]


def _side_by_side(tasks: Iterable[_Task], deadline: Deadline) -> Iterator[Quote | Skipped]:
    """Do all tasks and those that they lead to. A task that is not done by `deadline` is skipped."""
    pools: dict[str, ThreadPoolExecutor] = {}
    running: dict[Future[list[Quote | Skipped | _Task]], _Task] = {}

    def begin(task: _Task) -> None:
        if task.name.carrier not in pools:
            pools[task.name.carrier] = ThreadPoolExecutor(AT_ONCE)
        running[pools[task.name.carrier].submit(_done, task)] = task

    for task in tasks:
        begin(task)
    try:
        while running and (left := deadline.remaining()) > 0:
            done, _ = wait(running, left, return_when=FIRST_COMPLETED)
            for future in done:
                del running[future]
                for outcome in future.result():
                    if isinstance(outcome, _Task):
                        begin(outcome)
                    else:
                        yield outcome
        for task in running.values():
            yield _skipped(task, "carrier_unavailable", "The carrier has not answered in time.")
    finally:
        for pool in pools.values():
            pool.shutdown(wait=False, cancel_futures=True)


def _done(task: _Task) -> list[Quote | Skipped | _Task]:
    """The results of a task. An error becomes the reason why it is skipped."""
    try:
        return list(task.work())
    except ProblemError as error:
        return [_skipped(task, error.problem.code, _reason(error.problem))]
    except Exception as error:
        log.error("a price could not be asked", extra=safe_error_fields(error))
        return [_skipped(task, "internal", "Something went wrong on our side.")]


def _skipped(task: _Task, code: str, message: str) -> Skipped:
    return Skipped(task.name.carrier, task.name.account, task.service, code, message)


def _reason(problem: Problem) -> str:
    """A problem in one line: what is wrong where, or what the carrier said, or its detail."""
    mistakes = [f"{error.pointer}: {error.message}" for error in problem.errors[:_MOST_MISTAKES]]
    more = len(problem.errors) - len(mistakes)
    if mistakes:
        return " ".join([*mistakes, *([f"And {more} more."] if more > 0 else [])])
    return f"{problem.detail} {problem.carrier.message}" if problem.carrier else problem.detail


def _cheapest(quote: Quote) -> tuple[object, ...]:
    price, order = quote.rate.price, quote.order
    return price.currency, price.amount, order.carrier, order.account, quote.rate.service
