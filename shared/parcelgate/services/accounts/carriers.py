"""From a tenant's carrier account to the carrier, ready to be called."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, AccountName, Accounts, Connection, OfAccount
from parcelgate.carriers.port import Aggregates, Carrier
from parcelgate.carriers.toolkit.calls import Transport
from parcelgate.carriers.toolkit.tokens import TokenVault
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.problems import FieldError, ProblemError
from parcelgate.services.accounts.rate_limited_transport import RateLimitedTransport

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from parcelgate.store.table import Table

_TOKEN_WAIT = timedelta(seconds=8)
"""For a token that another environment is getting; who waited in vain comes again later."""


class Carriers:
    """The carriers of one environment. Make it once: it remembers accounts and tokens.

    >>> def handler(event, context):
    ...     carriers.of(order, Deadline.of(context).minus(2)).create(order)

    Parameters
    ----------
    table
        The store, for the platforms' tokens and each account's limits.
    accounts
        Gives the carrier accounts.
    transport
        Makes the way out, whose calls end by the given deadline. It is asked for when something is sent,
        since the HTTP library is dear to import. Each account's own limits stand before it.
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
        transport: Callable[[Deadline | None], Transport],
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
        self._vaults: dict[AccountName, TokenVault] = {}

    def of(self, subject: OfAccount, deadline: Deadline | None = None) -> Carrier:
        """The carrier of an order, or of whatever else belongs to an account; its calls end by `deadline`.

        Raises ProblemError (`validation_failed`) for an unknown carrier or account. An account that is
        wrong is found out by its first call, which raises AccountError.
        """
        if subject.carrier not in registry.CARRIERS:
            error = FieldError("/carrier", "unknown_carrier", "There is no such carrier here.")
            raise ProblemError("validation_failed", "The carrier is not known.", errors=[error])
        return cast("Carrier", self.tracker(subject, deadline))

    def aggregator(self, subject: OfAccount, deadline: Deadline | None = None) -> Aggregates:
        """The aggregator that follows anybody's parcels. Raises what `of` raises."""
        return cast("Aggregates", self.tracker(subject, deadline))

    def tracker(
        self, subject: OfAccount, deadline: Deadline | None = None, *, clock: Clock | None = None
    ) -> Carrier | Aggregates:
        """Whoever can be asked where a parcel is, or has told us. Raises what `of` raises.

        With another `clock` it judges by that time: a webhook is as fresh as it was when it came.
        """
        name = AccountName(subject.tenant, subject.carrier, subject.account)
        config = self.account(*name)
        transport = RateLimitedTransport(
            lambda: self._transport(deadline),
            carrier=name.carrier,
            limits=config.limits_over(registry.profile(name.carrier).limits),
            account=self._table.tenant(name.tenant).limits(name.carrier, name.account),
            deadline=deadline,
            clock=self._clock,
            sleep=self._sleep,
        )
        connection = Connection(
            config,
            send=transport,
            tokens=_VaultOnDemand(lambda: self._vault(name)),
            clock=clock or self._clock,
            reread=lambda: self.account(*name, fresh=True),
        )
        return registry.build(name.carrier, connection)

    def account(self, tenant: str, carrier: str, account: str, *, fresh: bool = False) -> AccountConfig:
        """The account's configuration; see `Accounts.read`."""
        return self._accounts().read(tenant, carrier, account, fresh=fresh)

    def _vault(self, name: AccountName) -> TokenVault:
        if name not in self._vaults:
            self._vaults[name] = self._table.tenant(name.tenant).token_vault(
                name.carrier,
                name.account,
                key_id=self._kms_key(),
                kms=self._kms(),
                clock=self._clock,
                wait=_TOKEN_WAIT,
            )
        return self._vaults[name]


class _VaultOnDemand:
    """A vault that is opened when a token is wanted: who only examines orders needs no key."""

    def __init__(self, opened: Callable[[], TokenVault]) -> None:
        self._opened = opened

    def get(self, now: datetime) -> str | None:
        return self._opened().get(now)

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:
        return self._opened().renew(refused, fetch)
