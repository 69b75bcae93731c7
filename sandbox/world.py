"""Settings, and the parts that all carriers of one sandbox share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox import carriers
from sandbox.controls.clock import Clock
from sandbox.controls.faults import Faults
from sandbox.controls.ledger import Ledger
from sandbox.parcels.steering import Tally
from sandbox.wire.callbacks import Callbacks
from sandbox.wire.tasks import Tasks

#: Carrier name → account name → that login's credentials, in the carrier's own terms.
Accounts = Mapping[str, Mapping[str, Mapping[str, Any]]]


def default_accounts() -> Accounts:
    """Give the logins that are known when none are named."""
    logins = {name: carriers.package(name).DEFAULT_LOGIN for name in carriers.names()}
    return {name: {"default": login} for name, login in logins.items() if login is not None}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a sandbox runs.

    Attributes
    ----------
    accounts
        The logins that are let in.
    callback_interval
        Seconds between two attempts of a callback (LSO: 300, documented).
    acceleration
        How many times faster than in life parcels move; at 1440 a day passes in a minute.
    processing_seconds
        How long an asynchronous order takes to finish, and TrackingMore to look at a new parcel.
    token_seconds
        How long a token lives, which is also what is said in `expiresIn`.
    """

    accounts: Accounts = field(default_factory=default_accounts)
    callback_interval: float = 300.0
    acceleration: float = 1440.0
    processing_seconds: float = 0.5
    token_seconds: int = 7200


class World:
    """One sandbox's clock, ledger, faults and work in progress."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        #: Carrier name → the accounts that it lets in by now.
        self.accounts = {name: set(logins) for name, logins in settings.accounts.items()}
        self.clock = Clock()
        self.ledger = Ledger()
        self.faults = Faults()
        self.tally = Tally()
        self.tasks = Tasks()
        self.callbacks = Callbacks(self.clock, self.ledger, settings.callback_interval)
        #: Carrier name → account name → where that account's parcels are told of unasked.
        self.webhooks: dict[str, dict[str, str]] = {}

    def set_webhooks(self, carrier: str, urls: Mapping[str, str | None]) -> None:
        """Set the addresses of some of a carrier's accounts; None takes one away."""
        all_of_them = {**self.webhooks.get(carrier, {}), **urls}
        self.webhooks[carrier] = {account: url for account, url in all_of_them.items() if url is not None}

    def reset(self) -> None:
        """Forget everything but what belongs to the accounts: their webhooks stay."""
        self.tasks.cancel()
        self.clock.reset()
        self.ledger.reset()
        self.faults.reset()
        self.tally.reset()

    async def close(self) -> None:
        """Stop all work and let go of connections."""
        self.tasks.cancel()
        await self.callbacks.close()
