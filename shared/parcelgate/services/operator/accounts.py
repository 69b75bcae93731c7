"""A tenant's carrier accounts: how their calls go, and whether their logins work. No secret is shown."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

import msgspec

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, AccountName, Login
from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    CarrierError,
    HeldBackError,
    PausedError,
    RefusedError,
)
from parcelgate.domain.clock import Clock, now, rfc3339
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.problems import ProblemError
from parcelgate.observability.logs import bind_log_keys, log
from parcelgate.store.limits import AccountRecord

if TYPE_CHECKING:
    from parcelgate.carriers.port import Aggregates, Carrier
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.table import Table

type LoginState = Literal["works", "refused", "wrong", "missing", "unknown"]

_NOBODYS = "PARCELGATE-CHECK"
"""A tracking number that no carrier has given out."""


class LastError(msgspec.Struct, frozen=True):
    """The last call that failed: when, and how. A refused login is no failure of the carrier."""

    at: datetime
    message: str


class Check(msgspec.Struct, frozen=True):
    """What came of asking the carrier now. `not_asked`: its circuit or its rate did not allow the call."""

    at: datetime
    result: Literal["works", "refused", "wrong", "unreachable", "not_asked"]
    message: str


class Paused(msgspec.Struct, frozen=True):
    """A person holds the account's calls: since when, who, and why."""

    since: datetime
    by: str
    reason: str


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """One carrier account.

    `circuit` is `open` while no calls are made because the carrier is down, and `half_open` when the next
    call tries whether it is back. `paused` is set while a person holds all its calls. `held_calls` counts the
    calls that were not made since. `login` says what the carrier last thought of it: `wrong` is an account
    whose secret has faults, `missing` one without. `shared_login`: other accounts have the same login,
    and the calls of all are counted together.
    """

    carrier: str
    account: str
    circuit: Literal["closed", "open", "half_open"]
    paused: Paused | None
    down_since: datetime | None
    rests_until: datetime | None
    last_called_at: datetime | None
    last_error: LastError | None
    held_calls: int
    login: LoginState
    shared_login: bool
    faults: tuple[str, ...]
    check: Check | None = None


class AccountDesk(msgspec.Struct, frozen=True):
    """Shows a tenant's accounts, checks one, and holds the calls of one."""

    table: "Table"
    carriers: Callable[[], "Carriers"]
    clock: Clock = now

    def all(self, tenant: str) -> list[AccountState]:
        """Every account of the tenant, by carrier and name."""
        own = self.table.tenant(tenant)
        return [
            self._state(AccountName(tenant, carrier, account))
            for carrier, account in own.account_names.all()
            if carrier in registry.trackers()
        ]

    def check(self, tenant: str, carrier: str, account: str, deadline: Deadline) -> AccountState:
        """Ask the carrier something that changes nothing and needs the login, and say how that went.

        Raises ProblemError: `not_found` for an unknown carrier or account.
        """
        name = self._known(tenant, carrier, account)
        carriers = self.carriers()
        tracker = carriers.aggregator if carrier in registry.AGGREGATORS else carriers.of
        result = try_login(carrier, lambda: tracker(name, deadline), at=self.clock())
        self.table.tenant(tenant).account_names.add(carrier, account)
        return msgspec.structs.replace(self._state(name), check=result)

    def pause(self, tenant: str, carrier: str, account: str, *, by: str, reason: str) -> AccountState:
        """Let no call of the account be made until `resume`. A pause that stands gets `by` and `reason`.

        Raises ProblemError: `not_found` for an unknown carrier or account.
        """
        name = self._known(tenant, carrier, account)
        limits = self.table.tenant(tenant).limits(carrier, account)
        limits.pause(self.clock(), by=by, reason=reason)
        log.warning("the calls of a carrier account are paused", extra={"account": account})
        self.table.tenant(tenant).account_names.add(carrier, account)
        return self._state(name)

    def resume(self, tenant: str, carrier: str, account: str) -> AccountState:
        """Let the account's calls be made again; one that is not paused is left as it is.

        Raises ProblemError: `not_found` for an unknown carrier or account.
        """
        name = self._known(tenant, carrier, account)
        pause = self.table.tenant(tenant).limits(carrier, account).resume()
        if pause is not None:
            since = rfc3339(pause.since)
            log.warning(
                "the calls of a carrier account are resumed", extra={"account": account, "paused_at": since}
            )
        return self._state(name)

    def _known(self, tenant: str, carrier: str, account: str) -> AccountName:
        bind_log_keys(tenant=tenant, carrier=carrier)
        name = AccountName(tenant, carrier, account)
        if carrier not in registry.trackers() or self._config(name, fresh=True) is None:
            raise ProblemError("not_found", "There is no such carrier account.")
        return name

    def _config(self, name: AccountName, *, fresh: bool = False) -> AccountConfig | None:
        try:
            return self.carriers().account(*name, fresh=fresh)
        except ProblemError:
            return None

    def _state(self, name: AccountName) -> AccountState:
        record = self.table.tenant(name.tenant).limits(name.carrier, name.account).record()
        config = self._config(name)
        faults = Login(registry.account_fields(name.carrier), config).faults if config else []
        failed = record.failed_at
        return AccountState(
            carrier=name.carrier,
            account=name.account,
            circuit=self._circuit(record),
            paused=Paused(*record.pause) if record.pause else None,
            down_since=record.failing_since if record.down_until else None,
            rests_until=record.rest_until if record.rest_until and record.rest_until > self.clock() else None,
            last_called_at=record.called_at,
            last_error=LastError(failed, record.failure or "") if failed else None,
            held_calls=record.held,
            login=_login(config, faults, record),
            shared_login=config is not None and config.shared_login,
            faults=tuple(faults),
        )

    def _circuit(self, record: AccountRecord) -> Literal["closed", "open", "half_open"]:
        if record.down_until is None:
            return "closed"
        return "open" if record.down_until > self.clock() else "half_open"


def try_login(carrier: str, tracker: "Callable[[], Carrier | Aggregates]", *, at: datetime) -> Check:
    """Ask a carrier or an aggregator something that changes nothing and needs the login; how that went."""
    try:
        if carrier in registry.AGGREGATORS:
            cast("Aggregates", tracker()).usage()
        else:
            tracker().track([_NOBODYS])
    except AccountError as error:
        return Check(at, "wrong", error.detail)
    except AuthenticationError as error:
        return Check(at, "refused", _words(error, "The carrier does not accept the account's login."))
    except RefusedError:
        # It was let in, and does not know the number.
        pass
    except PausedError as error:
        return Check(at, "not_asked", f"The carrier was not asked. {error.detail}")
    except HeldBackError:
        detail = "The carrier was not asked: it is down, or the account's rate is used up. Try again later."
        return Check(at, "not_asked", detail)
    except CarrierError as error:
        return Check(at, "unreachable", _words(error, "The carrier did not answer, or not as it should."))
    return Check(at, "works", "The carrier accepts the account's login.")


def _login(config: AccountConfig | None, faults: list[str], record: AccountRecord) -> LoginState:
    if config is None:
        return "missing"
    if faults:
        return "wrong"
    if record.refused_at:
        return "refused"
    return "works" if record.called_at and not record.failing_since else "unknown"


def _words(error: CarrierError, otherwise: str) -> str:
    return error.words.message if error.words and error.words.message else otherwise
