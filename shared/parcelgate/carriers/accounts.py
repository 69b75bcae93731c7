"""Carrier accounts: a login with a carrier and its settings, one secret each in Secrets Manager.

The secret `<prefix>/<tenant>/<carrier>/<account>` is a JSON object::

    {"base_url": "https://carrier.example/path",          optional: the carrier's documented host
     "credentials": {"app_id": "...", "app_secret": "..."},
     "overrides": {"paths": {"token": "/other/path"}},     optional: see the carrier's `settings`
     "limits": {"rate": 5, "burst": 20},                   optional: see `parcelgate.carriers.limits`
     "ship_from": {address}, "return_to": {address},       optional: the account's defaults
     "webhook_token": "..."}                               optional: see `services.accounts.webhook_urls`
"""

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from parcelgate.carriers.limits import Limits
from parcelgate.domain.addresses import Address
from parcelgate.domain.problems import FieldError, ProblemError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_CACHE_SECONDS = 60.0
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", re.ASCII)


class AccountError(Exception):
    """A carrier account's secret is not usable: for the operator to mend. Never quotes the secret."""


class _Secret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credentials: dict[str, str]
    base_url: str | None = None
    overrides: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    ship_from: Address | None = None
    return_to: Address | None = None
    webhook_token: str | None = None


class AccountConfig(_Secret, frozen=True, kw_only=True):
    """One carrier account, as its secret describes it."""

    tenant: str
    carrier: str
    name: str

    def credential(self, name: str) -> str:
        """One of the credentials. Raises AccountError when it is missing or empty."""
        found = self.credentials.get(name)
        if not found:
            raise AccountError(f"{self}: credentials: {name} is missing")
        return found

    def limits_over(self, carriers: Limits) -> Limits:
        """The carrier's limits, and in their place those that the account has of its own."""
        return msgspec.convert({**msgspec.to_builtins(carriers), **self.limits}, Limits)

    def __repr__(self) -> str:
        return f"AccountConfig({self.tenant}/{self.carrier}/{self.name})"


class Accounts:
    """Reads carrier accounts, and remembers each for a minute.

    Parameters
    ----------
    client
        The Secrets Manager client.
    prefix
        What every secret's name begins with.
    monotonic
        Another clock, for tests.
    """

    # Not Powertools' parameters: importing them costs 45 ms of CPU (they load boto3), for these lines.
    def __init__(
        self,
        client: "SecretsManagerClient",
        prefix: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._monotonic = monotonic
        self._kept: dict[str, tuple[float, AccountConfig]] = {}

    def read(self, tenant: str, carrier: str, account: str, *, fresh: bool = False) -> AccountConfig:
        """The account's configuration; with `fresh`, as it stands in Secrets Manager this moment.

        Raises ProblemError (`validation_failed`, pointer `/account`) when the tenant has no such
        account, and AccountError when its secret is malformed.
        """
        if not all(_SEGMENT.fullmatch(part) for part in (tenant, carrier, account)):
            raise _unknown_account()
        name = f"{self._prefix}/{tenant}/{carrier}/{account}"
        kept_until, config = self._kept.get(name, (0.0, None))
        if config is None or fresh or self._monotonic() >= kept_until:
            secret = _parsed(name, self._text(name))
            config = AccountConfig(
                tenant=tenant, carrier=carrier, name=account, **msgspec.structs.asdict(secret)
            )
            self._kept[name] = (self._monotonic() + _CACHE_SECONDS, config)
        return config

    def _text(self, name: str) -> str:
        try:
            return self._client.get_secret_value(SecretId=name).get("SecretString", "")
        except ClientError as error:
            # InvalidRequest: the secret is on its way to deletion.
            if error.response["Error"]["Code"] in {"ResourceNotFoundException", "InvalidRequestException"}:
                raise _unknown_account() from None
            raise


def _parsed(name: str, text: str) -> _Secret:
    try:
        secret = msgspec.json.decode(text, type=_Secret)
        msgspec.convert(secret.limits, Limits)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise AccountError(f"secret {name}: {where_wrong(error)}") from None
    return secret


def where_wrong(error: Exception) -> str:
    """Which place of a decoded document is wrong, without a word of what stands there."""
    if not isinstance(error, msgspec.ValidationError):
        return "not JSON"
    place = re.search(r"`(\$[^`]*)`$", str(error))
    return f"wrong type, or an unknown or missing field, at {place[1] if place else '$'}"


def _unknown_account() -> ProblemError:
    error = FieldError("/account", "unknown_account", "There is no such account with this carrier.")
    return ProblemError("validation_failed", "The carrier account is not known.", errors=[error])
