"""A worker of a queue takes a place before it works for a carrier account.

A carrier that is slow holds its callers for many seconds. Without places one slow account would soon have
all workers of a queue, and every other tenant would wait for its carrier. An account has fewer places than a
queue has workers, so there is always a worker for the others. A message that finds no place goes back into
its queue as a new message: that is no attempt, and its back-off stays as it was.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.accounts import AccountName
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.observability.logs import log
from parcelgate.services.redelivery import backoff
from parcelgate.store.errors import StoreError

if TYPE_CHECKING:
    from parcelgate.store.places import Place, Places
    from parcelgate.store.table import Table

_AFTERLIFE = timedelta(seconds=5)
"""How long a worker may still live after its time is over."""
_FIRST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(seconds=30)


class NoPlaceError(Exception):
    """Others work for the account already. The message must come again a little later."""


class AccountPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """The places of every carrier account in one kind of queue, such as `batches`: `most` for each."""

    table: "Table"
    kind: str
    most: int
    clock: Clock = now
    roll: Callable[[], float] = random.random

    @contextmanager
    def held(self, account: AccountName, deadline: Deadline) -> Iterator[None]:
        """Hold one of the account's places. Raises NoPlaceError when none is free, and StoreError."""
        places = self._of(account)
        place = self._take(places, deadline)
        if place is None:
            raise NoPlaceError(self.kind)
        with until_given_back(places, place):
            yield

    def take(self, account: AccountName, deadline: Deadline) -> "Callable[[], None] | None":
        """Take one of the account's places. Returns how to give it back; None when none is free."""
        places = self._of(account)
        place = self._take(places, deadline)
        return None if place is None else lambda: give_back(places, place)

    def wait(self, held: int) -> timedelta:
        """How long a message stays away that was held back for the `held`-th time. At least a second."""
        pause = backoff(held, first=_FIRST_WAIT, cap=_LONGEST_WAIT, roll=self.roll())
        return pause + timedelta(seconds=1)

    def _of(self, account: AccountName) -> "Places":
        tenant = self.table.tenant(account.tenant)
        return tenant.places(self.kind, account.carrier, account.account, most=self.most)

    def _take(self, places: "Places", deadline: Deadline) -> "Place | None":
        at = self.clock()
        return places.take(at, at + timedelta(seconds=max(deadline.remaining(), 0.0)) + _AFTERLIFE)


@contextmanager
def until_given_back(places: "Places", place: "Place") -> Iterator[None]:
    """Give a place back when the work is done or has failed."""
    try:
        yield
    except Exception:
        give_back(places, place)
        raise
    give_back(places, place)


def give_back(places: "Places", place: "Place") -> None:
    """Give a place back, in a second call if the first fails. If that fails too, its time ends it."""
    try:
        try:
            places.give_back(place)
        except StoreError:
            # Nobody else has it until its time is over: with few places, that would hold up the account.
            places.give_back(place)
    except StoreError as error:
        log.warning(
            "a place could not be given back; it ends by itself", extra={"error": type(error).__name__}
        )
