"""From a tenant's carrier account to the carrier, ready to be called within the account's limits.

Every call must pass four limits: the account's rate, a rest that the carrier asked for, a circuit breaker,
and the pause by which a person holds the account's calls. They are counted over all environments. The rate of
a login that several accounts have is counted over all of them, too. A call that may not be made now raises
HeldBackError at once, and its caller tries again later.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import msgspec

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, AccountName, Accounts, Connection, OfAccount
from parcelgate.carriers.errors import (
    HeldBackError,
    OverLimitError,
    PausedError,
    TooManyRequestsError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.limits import Limits
from parcelgate.carriers.port import Aggregates, Carrier
from parcelgate.carriers.toolkit.calls import Request, Response, Transport, retry_after
from parcelgate.carriers.toolkit.tokens import TokenVault
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import FieldError, ProblemError
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count, count_overall
from parcelgate.store.errors import StoreError
from parcelgate.store.limits import LOOK_AGAIN, AccountLimits, Entry, LoginLimits, Pause, Reason

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from parcelgate.store.limits import LoginsTable
    from parcelgate.store.table import Table

_REFUSALS = (401, 403)
"""The carrier is there, and does not let the account in."""
_TOKEN_WAIT = timedelta(seconds=8)
"""How long a call waits for a token that another function is getting; after that it is tried again later."""
PATIENCE = 2.0
"""How many seconds a call waits for its turn before it is held back."""
PROBE_LIFE = timedelta(seconds=60)
"""How long a call may take that tries whether a carrier is back. After that another call may try."""
SHOWN_DOWN = timedelta(minutes=10)
"""How long a carrier is shown as down after it could have been tried again and nobody did."""
LANE_USE = 0.9
"""The share of a lane that is used: calls arrive at the carrier less evenly than they leave here."""


def paused(pause: Pause, carrier: str, account: str) -> PausedError:
    """The error of a call that a pause holds."""
    detail = (
        f"The calls of the {carrier} account {account} are paused since "
        f"{pause.since:%Y-%m-%d %H:%M} UTC by {pause.by}: {pause.reason.rstrip(' .')}."
    )
    return PausedError(Reason.PAUSED, detail=detail, retry_after=LOOK_AGAIN.total_seconds())


def usable(carriers: "Carriers", order: Order, deadline: Deadline | None) -> Carrier:
    """The carrier of an order that comes again. Raises HeldBackError when its account cannot be used."""
    try:
        return carriers.of(order, deadline)
    except Exception as error:
        # The account's secret is missing, malformed or cannot be read, so the carrier was not called.
        log.error("the carrier account cannot be used", extra=safe_error_fields(error))
        raise HeldBackError("the carrier account cannot be used") from None


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
    logins
        Gives the table in which the calls of shared logins are counted.
    transport
        Makes the HTTP transport, whose calls end by the given deadline. It is made when something is sent,
        since importing the HTTP library is slow. Each account's limits are applied before it.
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
        logins: "Callable[[], LoginsTable]",
        transport: Callable[[Deadline | None], Transport],
        kms: "Callable[[], KMSClient]",
        kms_key: Callable[[], str],
        clock: Clock = now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = table
        self._accounts = accounts
        self._logins = logins
        self._transport = transport
        self._kms = kms
        self._kms_key = kms_key
        self._clock = clock
        self._sleep = sleep
        self._vaults: dict[AccountName, TokenVault] = {}

    def of(self, subject: OfAccount, deadline: Deadline | None = None) -> Carrier:
        """Return the carrier of an order, or of anything else of an account; its calls end by `deadline`.

        Raises ProblemError (`validation_failed`) for an unknown carrier or account. An account that is
        wrong is noticed by its first call, which raises AccountError.
        """
        if subject.carrier not in registry.CARRIERS:
            error = FieldError("/carrier", "unknown_carrier", "There is no such carrier here.")
            raise ProblemError("validation_failed", "The carrier is not known.", errors=[error])
        return cast("Carrier", self.tracker(subject, deadline))

    def aggregator(self, subject: OfAccount, deadline: Deadline | None = None) -> Aggregates:
        """The aggregator of an account, which follows parcels of any courier. Raises what `of` raises."""
        return cast("Aggregates", self.tracker(subject, deadline))

    def tracker(
        self, subject: OfAccount, deadline: Deadline | None = None, *, clock: Clock | None = None
    ) -> Carrier | Aggregates:
        """The carrier or aggregator that knows where a parcel is. Raises what `of` raises.

        `clock` gives the time by which it judges whether a webhook is too old.
        """
        name = AccountName(subject.tenant, subject.carrier, subject.account)
        config = self.account(*name)
        transport = RateLimitedTransport(
            lambda: self._transport(deadline),
            carrier=name.carrier,
            limits=config.limits_over(registry.profile(name.carrier).limits),
            account=self._table.tenant(name.tenant).limits(name.carrier, name.account),
            login=self._shared_login(config),
            deadline=deadline,
            clock=self._clock,
            sleep=self._sleep,
        )
        connection = Connection(
            config,
            send=transport,
            tokens=_VaultOnDemand(lambda: self._vault(name)),
            clock=clock or self._clock,
            reread=lambda: self._reread(name),
        )
        return registry.adapter(name.carrier)(connection)

    def account(self, tenant: str, carrier: str, account: str, *, fresh: bool = False) -> AccountConfig:
        """The account's configuration; see `Accounts.read`."""
        return self._accounts().read(tenant, carrier, account, fresh=fresh)

    def held_by(self, subject: OfAccount) -> PausedError | None:
        """The error that a call would meet because a person has paused the account; None if nobody has.

        Raises StoreError.
        """
        limits = self._table.tenant(subject.tenant).limits(subject.carrier, subject.account)
        pause = limits.record().pause
        return None if pause is None else paused(pause, subject.carrier, subject.account)

    def _shared_login(self, config: AccountConfig) -> LoginLimits | None:
        """Where the calls of the account's login are counted; None if it is the account's alone."""
        if not config.shared_login:
            return None
        login = config.credentials.get(registry.account_fields(config.carrier).login)
        # Without it nothing is called: the login is wrong.
        return self._logins().limits(config.carrier, login) if login else None

    def _reread(self, name: AccountName) -> AccountConfig:
        """Read an account again, because the carrier does not accept its login."""
        try:
            self._table.tenant(name.tenant).limits(name.carrier, name.account).refused(self._clock())
        except StoreError as error:
            log.warning("a refused login could not be noted", extra={"error": type(error).__name__})
        return self.account(*name, fresh=True)

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
    """A vault that is opened when a token is needed. To check an order no KMS key is needed."""

    def __init__(self, opened: Callable[[], TokenVault]) -> None:
        self._opened = opened

    def get(self, now: datetime) -> str | None:
        return self._opened().get(now)

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:
        return self._opened().renew(refused, fetch)


class RateLimitedTransport(msgspec.Struct, frozen=True):
    """A transport that keeps one carrier account's limits.

    Parameters
    ----------
    way_out
        Gives the transport that really sends. It is made before a call takes its turn, because the first
        time takes longer than the pause that some carriers want between calls.
    carrier
        Whose limits these are, for metrics.
    limits
        The account's limits.
    account
        Where they are counted.
    login
        Where the rate is counted besides, if other accounts have the same login.
    deadline
        By when the call must be over.
    """

    way_out: Callable[[], Transport]
    carrier: str
    limits: Limits
    account: AccountLimits
    login: LoginLimits | None = None
    deadline: Deadline | None = None
    clock: Clock = now
    sleep: Callable[[float], None] = time.sleep

    def send(self, request: Request) -> Response:
        """Send once, if the account's limits allow. Raises HeldBackError, and what the transport raises."""
        transport = self.way_out()
        if request.public_only:
            # A document at another host: the limits do not hold for it.
            return transport.send(request)
        entry = self._enter(request)
        try:
            response = transport.send(request)
        except HeldBackError:
            if entry.probe:
                self._note(self.account.let_go)
            raise
        except TooManyRequestsError as error:
            self._passed(entry)
            self._rest(error.retry_after)
            raise
        except (TransientError, UnknownOutcomeError) as error:
            self._failed(request, entry, type(error).__name__)
            raise
        status = response.status if request.verdict is None else request.verdict(response)
        if status == 429:
            self._passed(entry)
            self._rest(None)
            raise TooManyRequestsError(f"{request.call}: too many requests", retry_after=self.limits.rest)
        if 500 <= status < 600:
            self._failed(request, entry, f"status {status}")
            seconds = retry_after(response.headers.get("retry-after"))
            if seconds is not None:
                self._rest(seconds)
        elif status not in _REFUSALS or entry.probe:
            self._passed(entry)
        return response

    def _enter(self, request: Request) -> Entry:
        limits = self.limits
        turns: list[tuple[AccountLimits | LoginLimits, float, int]]
        turns = [(self.account, limits.rate, limits.burst)]
        if self.login is not None:
            # After the account: a call that its pause or its circuit holds takes no turn from the others.
            turns.append((self.login, limits.rate, limits.burst))
        lane = limits.lanes.get(request.lane) if request.lane else None
        if lane is not None and request.lane:
            # The lane first: an unused turn of a lane does no harm, an unused probe would.
            counted = self.login or self.account
            turns.insert(0, (counted.lane(request.lane), lane * LANE_USE, 1))
        narrowest, entered = turns[0], Entry()
        waited, turn = 0.0, self.clock()
        while True:
            if turns[0] is narrowest:
                turn = self.clock()
            entry = self._asked(*turns[0])
            if entry.reason is None:
                asked, *_ = turns.pop(0)
                if asked is self.account:
                    entered = entry
                if turns:
                    continue
                if lane is None or entered.probe or not self._is_late(turn, lane):
                    return entered
                # The next call could follow too soon. So take a new turn of the lane, once.
                turns, lane = [narrowest], None
                continue
            wait = entry.wait
            left = PATIENCE - waited
            if self.deadline is not None:
                left = min(left, self.deadline.remaining() / 2)
            if entry.reason is not Reason.BUSY or wait > left:
                count("CallsHeldBack", carrier=self.carrier, reason=entry.reason.name.lower())
                if entry.reason in (Reason.DOWN, Reason.PAUSED):
                    self._note(self.account.held)
                if entered.probe:
                    self._note(self.account.let_go)
                if entry.pause is not None:
                    raise paused(entry.pause, self.carrier, self.account.name)
                kind = HeldBackError if entry.reason is Reason.DOWN else OverLimitError
                raise kind(f"{request.call}: {entry.reason}", retry_after=wait)
            self.sleep(wait)
            waited += wait

    def _is_late(self, turn: datetime, lane: float) -> bool:
        """Whether too much time has passed since the lane's turn was taken for it to count."""
        return (self.clock() - turn).total_seconds() > (1 / LANE_USE - 1) / lane

    def _asked(self, limits: AccountLimits | LoginLimits, rate: float, burst: int) -> Entry:
        try:
            if isinstance(limits, LoginLimits):
                return limits.enter(self.clock(), rate=rate, burst=burst)
            return limits.enter(self.clock(), rate=rate, burst=burst, probe_life=PROBE_LIFE)
        except StoreError as error:
            # Without the count the limits could be broken. And the order could not be stored.
            raise HeldBackError(f"the limits cannot be read: {type(error).__name__}") from None

    def _passed(self, entry: Entry) -> None:
        if entry.probe or entry.troubled:
            self._note(lambda: self.account.succeeded(probe=entry.probe))
        if entry.probe:
            self._note(self.account.show_up)

    def _failed(self, request: Request, entry: Entry, what: str) -> None:
        limits = self.limits

        def note() -> None:
            down = self.account.failed(
                self.clock(),
                probe=entry.probe,
                failures=limits.failures,
                window=timedelta(seconds=limits.window),
                cool_down=timedelta(seconds=limits.cool_down),
                what=f"{request.call}: {what}",
            )
            if down:
                log.warning(
                    "the carrier counts as down",
                    extra={"carrier": self.carrier, "call": request.call, "last": what},
                )
                count_overall("CarrierDown", carrier=self.carrier)
                self.account.show_down(self.clock() + timedelta(seconds=limits.cool_down) + SHOWN_DOWN)

        self._note(note)

    def _rest(self, seconds: float | None) -> None:
        duration = timedelta(seconds=self.limits.rest if seconds is None else seconds)
        self._note(lambda: self.account.rest(self.clock(), duration))

    def _note(self, write: Callable[[], None]) -> None:
        """Store something for the other callers. If that fails, the carrier's answer counts nevertheless."""
        try:
            write()
        except StoreError as error:
            log.warning(
                "the result of a call could not be counted for the account's limits",
                extra={"error": type(error).__name__},
            )
