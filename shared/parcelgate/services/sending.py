"""Sending an order to a carrier that answers a create at once.

One place for all who send: the request itself, the retry queue and the batch worker. The order is marked
by a conditional write before it is sent, and one write stores what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import Order
from parcelgate.services.settings import Settings

if TYPE_CHECKING:
    from parcelgate.services.accounts import CarrierFor, Remaining
    from parcelgate.services.retries import RetryQueues
    from parcelgate.store.table import Table


class SendAgainError(Exception):
    """The order is not settled: the retry queue's message is to come again, in `after` seconds or later."""

    def __init__(self, after: float | None = None) -> None:
        super().__init__("to be sent, or asked about, again")
        self.after = after


class Sender:
    """Sends orders to carriers that answer at once.

    Parameters
    ----------
    table
        The store.
    carriers
        Finds the carrier of an order; `Carriers.within`.
    retries
        Where an order goes that is not settled now.
    """

    def __init__(
        self,
        *,
        table: Table,
        carriers: Callable[[Remaining | None], CarrierFor],
        settings: Settings,
        retries: Callable[[], RetryQueues],
        clock: Clock = now,
    ) -> None:
        self.table = table
        self._carriers = carriers
        self._settings = settings
        self._retries = retries
        self._clock = clock

    def send(self, order: Order, remaining: Remaining) -> Order:
        """Send a stored order, once, unless somebody has; the order as it then stands.

        `confirmed`, `failed` or `needs_attention`, or still open (`accepted`, `processing`) and then in
        its carrier's retry queue. Never raises for trouble with the carrier. `remaining` is what is left
        for the carrier's answer and for storing it, in seconds.
        """
        raise NotImplementedError

    def send_many(self, orders: Sequence[Order], remaining: Remaining) -> list[Order]:
        """Send stored orders of one carrier account, in its largest requests; as they then stand, in order.

        Each order is marked, sent and stored for itself: what is true of `send` is true of each.
        """
        raise NotImplementedError

    def retry(self, order: Order, remaining: Remaining) -> Order:
        """Go on with an order of the retry queue: ask the carrier where it may have it, else send it.

        Raises SendAgainError while the order is not settled.
        """
        raise NotImplementedError

    def give_up(self, order: Order) -> Order:
        """The retry queue's time is over: a person must look at the order, if it is still open."""
        raise NotImplementedError


@cache
def wired() -> Sender:
    """The sender of this environment, over its own clients."""
    from parcelgate.services.accounts import Carriers
    from parcelgate.services.retries import queues
    from parcelgate.store.clients import client
    from parcelgate.store.table import Table

    settings = Settings()
    table = Table(client("dynamodb"), settings.table)
    return Sender(table=table, carriers=Carriers(table, settings).within, settings=settings, retries=queues)
