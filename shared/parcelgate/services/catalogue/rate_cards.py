"""Keeping merchants' own price lists: one for each account of a carrier that tells no prices."""

from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.accounts import names_an_account
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.merchants.rate_cards import RateCard, RateCardRow
from parcelgate.domain.problems import ProblemError
from parcelgate.observability.logs import bind_log_keys
from parcelgate.services.catalogue import sellers

if TYPE_CHECKING:
    from parcelgate.carriers.accounts import Accounts
    from parcelgate.store.table import Table


class RateCardKeeper(msgspec.Struct, frozen=True):
    """Stores, shows and deletes rate cards."""

    table: "Table"
    accounts: "Accounts"
    clock: Clock = now

    def put(self, tenant: str, carrier: str, account: str, rows: tuple[RateCardRow, ...]) -> RateCard:
        """Store the rate card of an account in the place of its earlier one.

        Raises ProblemError: `not_found` for an unknown carrier or account, `not_supported_by_carrier` for a
        carrier that tells its prices itself.
        """
        bind_log_keys(tenant=tenant, carrier=carrier)
        _must_need_one(carrier)
        try:
            self.accounts.read(tenant, carrier, account)
        except ProblemError:
            raise ProblemError("not_found", f"There is no account {account} with {carrier}.") from None
        card = RateCard(carrier=carrier, account=account, rows=rows, updated_at=self.clock())
        own = self.table.tenant(tenant)
        own.rate_cards.put(card)
        own.account_names.add(carrier, account)
        return card

    def get(self, tenant: str, carrier: str, account: str) -> RateCard:
        """The rate card of an account. Raises ProblemError: `not_found`."""
        _must_be_a_name(tenant, carrier, account)
        card = self.table.tenant(tenant).rate_cards.get(carrier, account)
        if card is None:
            raise ProblemError("not_found", "The account has no rate card.")
        return card

    def delete(self, tenant: str, carrier: str, account: str) -> None:
        """Delete the rate card of an account, if there is one.

        Raises ProblemError: `not_found` for what can be no account.
        """
        _must_be_a_name(tenant, carrier, account)
        self.table.tenant(tenant).rate_cards.delete(carrier, account)


def _must_be_a_name(tenant: str, carrier: str, account: str) -> None:
    """Refuse what can be no account before it is part of a key, which has a bound."""
    if not names_an_account(tenant, carrier, account):
        raise ProblemError("not_found", "There is no such account.")


def _must_need_one(carrier: str) -> None:
    if "rates" in sellers.profile_of(carrier).grades:
        detail = "This carrier tells its prices itself, which always count: a rate card has no place here."
        raise ProblemError("not_supported_by_carrier", detail)
