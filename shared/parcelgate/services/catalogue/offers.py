"""Which services a carrier sells to an account: the carrier's own catalogue where it has one."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.port import ListsServices
from parcelgate.carriers.results import Service
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.problems import ProblemError
from parcelgate.services import carrier_problems
from parcelgate.services.catalogue import sellers

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers

KEPT_SECONDS = 600.0
"""How long a catalogue is remembered: it changes rarely and is asked for often."""


class Catalogued(NamedTuple):
    """The services, and who named them: `carrier`, or `parcelgate` from what is known of the carrier."""

    services: tuple[Service, ...]
    source: str


class Catalogue:
    """The services of carriers, each account's remembered for ten minutes.

    Parameters
    ----------
    carriers
        Gives what finds carriers: asked for only when a carrier is asked.
    monotonic
        Another clock, for tests.
    """

    def __init__(
        self,
        carriers: "Callable[[], Carriers]",
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._carriers = carriers
        self._monotonic = monotonic
        self._kept: dict[AccountName, tuple[float, Catalogued]] = {}

    def services(self, tenant: str, carrier: str, account: str | None, deadline: Deadline) -> Catalogued:
        """The services that the account may use; without `account`, the default one if there is one.

        Raises ProblemError: `not_found` for an unknown carrier, `not_supported_by_carrier` for one that
        sells no services, `validation_failed` for an unknown account that was named, `refused_by_carrier`, or
        `carrier_unavailable`.
        """
        profile = sellers.profile_of(carrier)
        known = Catalogued(profile.services, "parcelgate")
        if "services" not in profile.capabilities:
            return known
        name = AccountName(tenant, carrier, account or "default")
        kept_until, kept = self._kept.get(name, (0.0, None))
        if kept is not None and self._monotonic() < kept_until:
            return kept
        try:
            adapter = self._carriers().of(name, deadline)
        except ProblemError:
            if account is not None:
                raise
            return known
        if not isinstance(adapter, ListsServices):
            return known
        with carrier_problems.raised():
            catalogued = Catalogued(tuple(adapter.services()), "carrier")
        self._kept[name] = (self._monotonic() + KEPT_SECONDS, catalogued)
        return catalogued
