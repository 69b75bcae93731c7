"""Which carrier account something is about. The accounts themselves are in `carriers.accounts`."""

from typing import NamedTuple, Protocol


class AccountName(NamedTuple):
    """One carrier account: its tenant, the carrier's code, and its own name."""

    tenant: str
    carrier: str
    account: str


class OfAccount(Protocol):
    """What belongs to one carrier account: an order, a tracking, a webhook; or the account's name itself."""

    @property
    def tenant(self) -> str: ...  # noqa: D102
    @property
    def carrier(self) -> str: ...  # noqa: D102
    @property
    def account(self) -> str: ...  # noqa: D102
