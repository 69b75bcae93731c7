"""From a tenant's carrier account to the carrier, ready to be called."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, Accounts
from parcelgate.carriers.port import Aggregates, Carrier
from parcelgate.carriers.toolkit.calls import Transport
from parcelgate.carriers.toolkit.tokens import TokenVault
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.problems import FieldError, ProblemError
from parcelgate.services.accounts.rate_limited_transport import RateLimitedTransport

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from parcelgate.store.table import Table

type Remaining = Callable[[], float]
"""Seconds left for calls to carriers in this invocation."""

type CarrierFor = Callable[[str, str, str], Carrier]
"""Finds a carrier by tenant, carrier code and account."""

_TOKEN_WAIT = timedelta(seconds=8)
"""For a token that another environment is getting; who waited in vain comes again later."""


class Carriers:
    """The carriers of one environment. Make it once: it remembers accounts and tokens.

    >>> def handler(event, context):
    ...     carrier_for = CARRIERS.within(lambda: context.get_remaining_time_in_millis() / 1000 - 2)
    ...     carrier_for("acme", "lso", "default").rates(order)

    Parameters
    ----------
    table
        The store, for the platforms' tokens and each account's limits.
    accounts
        Gives the carrier accounts.
    transport
        Makes the way out for the given remaining time, ready to send. It is asked for when something is
        sent, since the HTTP library is dear to import. Each account's own limits stand before it.
    kms, kms_key
        Give what the platforms' tokens are encrypted with.
    clock, sleep
        Time, for tests.
    """

    def __init__(
        self,
        table: "Table",
        *,
        accounts: Callable[[], Accounts],
        transport: Callable[[Remaining | None], Transport],
        kms: "Callable[[], KMSClient]",
        kms_key: Callable[[], str],
        clock: Clock = now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = table
        self._accounts = accounts
        self._transport = transport
        self._kms = kms
        self._kms_key = kms_key
        self._clock = clock
        self._sleep = sleep
        self._vaults: dict[tuple[str, str, str], TokenVault] = {}

    def within(self, remaining: Remaining | None) -> CarrierFor:
        """`carrier_for` for one invocation: every call is over when `remaining` is."""

        def carrier_for(tenant: str, carrier: str, account: str) -> Carrier:
            return self.carrier_for(tenant, carrier, account, remaining=remaining)

        return carrier_for

    def carrier_for(
        self, tenant: str, carrier: str, account: str, *, remaining: Remaining | None = None
    ) -> Carrier:
        """The carrier, speaking for one account.

        Raises ProblemError (`validation_failed`) for an unknown carrier or account, and AccountError for
        an account whose secret is malformed.
        """
        if carrier not in registry.CARRIERS:
            error = FieldError("/carrier", "unknown_carrier", "There is no such carrier here.")
            raise ProblemError("validation_failed", "The carrier is not known.", errors=[error])
        return cast("Carrier", self._adapter(tenant, carrier, account, remaining, self._clock))

    def aggregator_for(
        self, tenant: str, aggregator: str, account: str, *, remaining: Remaining | None = None
    ) -> Aggregates:
        """Who follows anybody's parcels, speaking for one account. Raises what `carrier_for` raises."""
        return cast("Aggregates", self._adapter(tenant, aggregator, account, remaining, self._clock))

    def tracker_for(
        self,
        tenant: str,
        carrier: str,
        account: str,
        *,
        remaining: Remaining | None = None,
        clock: Clock | None = None,
    ) -> Carrier | Aggregates:
        """Whoever can be asked where a parcel is, or has told us. Raises what `carrier_for` raises.

        With another `clock` it judges by that time: a delivery is as fresh as it was when it came.
        """
        return self._adapter(tenant, carrier, account, remaining, clock or self._clock)

    def _adapter(
        self, tenant: str, carrier: str, account: str, remaining: Remaining | None, clock: Clock
    ) -> Carrier | Aggregates:
        config = self.account(tenant, carrier, account)
        transport = RateLimitedTransport(
            lambda: self._transport(remaining),
            carrier=carrier,
            limits=config.limits_over(registry.profile(carrier).limits),
            account=self._table.tenant(tenant).limits(carrier, account),
            remaining=remaining,
            clock=self._clock,
            sleep=self._sleep,
        )
        return registry.build(
            carrier,
            config,
            send=transport,
            tokens=_VaultOnDemand(lambda: self._vault((tenant, carrier, account))),
            clock=clock,
            reread=lambda: self.account(tenant, carrier, account, fresh=True),
        )

    def account(self, tenant: str, carrier: str, account: str, *, fresh: bool = False) -> AccountConfig:
        """The account's configuration; see `Accounts.read`."""
        return self._accounts().read(tenant, carrier, account, fresh=fresh)

    def _vault(self, whose: tuple[str, str, str]) -> TokenVault:
        if whose not in self._vaults:
            tenant, carrier, account = whose
            self._vaults[whose] = self._table.tenant(tenant).tokens.vault(
                carrier,
                account,
                key_id=self._kms_key(),
                kms=self._kms(),
                clock=self._clock,
                wait=_TOKEN_WAIT,
            )
        return self._vaults[whose]


class _VaultOnDemand:
    """A vault that is opened when a token is wanted: who only examines orders needs no key."""

    def __init__(self, opened: Callable[[], TokenVault]) -> None:
        self._opened = opened

    def get(self, now: datetime) -> str | None:
        return self._opened().get(now)

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:
        return self._opened().renew(refused, fetch)
