"""Carrier accounts, as an operator sees them."""

import msgspec

from parcelgate.services.operator.accounts import AccountState


class CarrierAccountResource(AccountState, frozen=True, kw_only=True):
    """A carrier account: how its calls go, and whether its login works. `check` is that of this request.

    `circuit` is `open` while no calls are made because the carrier is down, and `half_open` when the next
    call tries whether it is back. `paused` is set while a person holds all its calls. `held_calls` counts the
    calls that were not made since. `login` says what the carrier last thought of it: `wrong` is an account
    whose secret has faults, `missing` one without. `shared_login`: other accounts have the same login,
    and the calls of all are counted together.
    """


class AccountList(msgspec.Struct, frozen=True):
    """The carrier accounts of the tenant, by carrier and name."""

    data: tuple[CarrierAccountResource, ...]
