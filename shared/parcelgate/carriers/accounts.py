"""Carrier accounts: a login with a carrier and its settings, one secret each in Secrets Manager.

The secret `<prefix>/<tenant>/<carrier>/<account>` is a JSON object, see `AccountContent`::

    {"base_url": "https://carrier.example/path",
     "credentials": {"app_id": "...", "app_secret": "..."},
     "overrides": {"paths": {"token": "/other/path"}},
     "ship_from": {address}}

Each carrier declares once what `credentials` and `overrides` hold: `ACCOUNT` in its `settings` has every
field with its type, its default, its form (`title`), whether it is a secret (`writeOnly`) and, below the
field, what it means. Reading, checking and every message follow from that declaration.

A wrong field breaks nothing by itself. The other fields are read, and an order can be examined and stored.
AccountError is raised when the login is used: the order waits, and continues when the account is corrected.
"""

import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Protocol

import msgspec
from botocore.exceptions import ClientError
from msgspec import Meta

from parcelgate.carriers.errors import AccountError, AuthenticationError
from parcelgate.carriers.limits import Limits
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import FieldError, ProblemError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mypy_boto3_secretsmanager import SecretsManagerClient

    from parcelgate.carriers.toolkit.calls import Transport
    from parcelgate.carriers.toolkit.tokens import TokenVault
    from parcelgate.domain.clock import Clock

_CACHE_SECONDS = 300.0
"""How long an account is used as it was read: a read is billed. One that is wrong is read again at once."""
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", re.ASCII)
_URL = "https://, a host, and at most a path"
_ADDRESS = Meta(title="an address, as in an order")


def names_an_account(tenant: str, carrier: str, account: str) -> bool:
    """Return whether this can be the name of an account. Other texts could name another secret."""
    return all(_SEGMENT.fullmatch(part) for part in (tenant, carrier, account))


def secret(looks_like: str) -> Meta:
    """Describe a credential that must not be shown."""
    return Meta(title=looks_like, min_length=1, extra_json_schema={"writeOnly": True})


def plain(looks_like: str, pattern: str | None = None) -> Meta:
    """Describe a text that may be shown."""
    return Meta(title=looks_like, pattern=pattern, min_length=1)


class AccountContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of an account's secret. The form is the same for all carriers."""

    credentials: dict[str, str]
    """The account's login with the carrier."""
    base_url: Annotated[str | None, Meta(title=_URL)] = None
    """The carrier's address."""
    overrides: dict[str, Any] = {}
    """The carrier's settings that are different for this account."""
    limits: dict[str, Any] = {}
    """Rate limits that replace the carrier's own."""
    ship_from: Annotated[Address | None, _ADDRESS] = None
    """The sender of orders that have no `ship_from`."""
    return_to: Annotated[Address | None, _ADDRESS] = None
    """The return address of orders that have no `return_to`."""
    shared_login: bool = False
    """Whether other accounts, also of other stages, have the same login with the carrier. The calls of all
    accounts that say so are counted together.
    """
    webhook_token: str | None = None
    """Part of the account's webhook address; made by `parcelgate accounts webhook-url`."""


class AccountConfig(AccountContent, frozen=True, kw_only=True):
    """One carrier account, with every field of its secret that is valid. `faults` describes the others."""

    tenant: str
    carrier: str
    name: str
    faults: tuple[str, ...] = ()

    @property
    def unreadable_defaults(self) -> tuple[str, ...]:
        """The account's default addresses that are in the secret but cannot be read."""
        return tuple(
            name
            for name in ("ship_from", "return_to")
            if any(fault.startswith((name, "the secret")) for fault in self.faults)
        )

    def limits_over(self, carriers: Limits) -> Limits:
        """The rate limits of the account: its own where it has any, otherwise the carrier's."""
        return msgspec.convert({**msgspec.to_builtins(carriers), **self.limits}, Limits)

    def __repr__(self) -> str:
        return f"AccountConfig({self.tenant}/{self.carrier}/{self.name})"


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that the account of any carrier may have. `PATHS` has the carrier's own paths, by call."""

    PATHS: ClassVar[Mapping[Any, str]] = {}

    paths: Annotated[dict[str, str], Meta(title="an object of calls and their paths below the base URL")] = {}
    """The path of each call below the base URL, by the names of `PATHS`."""
    default_time_zone: Annotated[str, Meta(title="a zone such as Australia/Sydney")] = "UTC"
    """The zone of times that come without one."""

    def __post_init__(self) -> None:
        """Check what the types cannot express. Raises ValueError, which names the field."""
        if not self.paths.keys() <= self.PATHS.keys():
            raise ValueError(f"paths: the calls are {', '.join(self.PATHS)}")
        for call, path in self.paths.items():
            needs_slash = self.PATHS[call].startswith("/") and not path.startswith("/")
            if "://" in path or not path.strip("/") or needs_slash:
                raise ValueError("paths: each is a path below the base URL, such as /orders")
        try:
            self.zone  # noqa: B018 - reading it finds it
        except (KeyError, ValueError, OSError):
            raise ValueError(
                "default_time_zone: there is no such zone; name one such as Australia/Sydney"
            ) from None

    def path(self, call: str) -> str:
        """The path of `call` for this account, with a slash at its beginning."""
        return "/" + self.paths.get(call, self.PATHS[call]).lstrip("/")

    @property
    def zone(self) -> "ZoneInfo":
        """The account's zone."""
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.default_time_zone)


class CredentialFields(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials of an account; never shown."""

    def __repr__(self) -> str:
        return "Credentials(...)"


class AccountFields[C: CredentialFields, S: AccountSettings](NamedTuple):
    """The fields of one carrier's accounts. Without a `base_url` here, every account must have its own.

    `login` is the credential that the carrier knows an account by, and counts its calls under.
    """

    credentials: type[C]
    settings: type[S]
    login: str
    base_url: str | None = None


class AccountName(NamedTuple):
    """One carrier account: its tenant, the carrier's code, and its own name."""

    tenant: str
    carrier: str
    account: str


class OfAccount(Protocol):
    """Anything that belongs to one carrier account: an order, a tracking, a webhook, or an account's name."""

    @property
    def tenant(self) -> str: ...  # noqa: D102
    @property
    def carrier(self) -> str: ...  # noqa: D102
    @property
    def account(self) -> str: ...  # noqa: D102


class Connection(NamedTuple):
    """The arguments of an adapter: an account, a transport, and what else it needs.

    `reread` fetches the account afresh.
    """

    account: AccountConfig
    send: "Transport"
    tokens: "TokenVault"
    clock: "Clock"
    reread: Callable[[], AccountConfig] | None = None


class Login[C: CredentialFields, S: AccountSettings]:
    """One account's login with its carrier. It is read again if the carrier does not accept it.

    While the account is wrong, `settings` are those that can be read, by their defaults if none can.
    """

    settings: S

    def __init__(
        self,
        fields: AccountFields[C, S],
        account: AccountConfig,
        reread: Callable[[], AccountConfig] | None = None,
    ) -> None:
        self._fields = fields
        self._reread = reread
        self._read(account)

    def _read(self, account: AccountConfig) -> None:
        self.account = account
        credentials, faults = read_fields(self._fields.credentials, account.credentials, "credentials.")
        settings, more = read_fields(self._fields.settings, account.overrides, "overrides.")
        self._base_url = _base_url(account.base_url or self._fields.base_url or "")
        if self._base_url is None:
            more.append(f"base_url must be {_URL}")
        self._credentials = credentials
        self.settings = settings or self._fields.settings()
        self.faults = [*account.faults, *faults, *more]

    @property
    def credentials(self) -> C:
        """The credentials. Raises AccountError for an account that is wrong."""
        if self.faults or self._credentials is None:
            raise AccountError(self.account.carrier, self.account.name, self.faults)
        return self._credentials

    @property
    def base_url(self) -> str:
        """The carrier's address for this account, without a slash at its end. Raises AccountError.

        The scheme's default port is left out, as HTTP clients do, because the URL may be part of a signature.
        """
        if self.faults or self._base_url is None:
            raise AccountError(self.account.carrier, self.account.name, self.faults)
        return self._base_url

    def is_renewed(self) -> bool:
        """Read the account again. Returns whether its credentials or its faults have changed."""
        if self._reread is None:
            return False
        before = self._credentials, self.faults
        self._read(self._reread())
        return (self._credentials, self.faults) != before

    def call[R](self, make: Callable[[], R]) -> R:
        """Make a call. If the carrier rejects the credentials and there are new ones, make it once more.

        A request that the carrier rejected for its credentials has had no effect.
        """
        try:
            return make()
        except AuthenticationError:
            if not self.is_renewed():
                raise
        return make()


def read_fields[T: msgspec.Struct](
    kind: type[T], content: object, place: str = ""
) -> tuple[T | None, list[str]]:
    """Read an object as `kind` declares it. If it is wrong, gives None and the faults, without values."""
    values, faults = readable(kind, content, place)
    if faults:
        return None, faults
    try:
        return kind(**values), []
    except ValueError as error:
        return None, [f"{place}{error}"]


def readable(
    kind: type[msgspec.Struct], content: object, place: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Read the valid fields of an object as `kind` declares it, and describe the faults of the others."""
    if not isinstance(content, Mapping):
        return {}, [f"{place.rstrip('.') or 'the secret'} must be a JSON object"]
    fields = _fields(kind)
    values, faults = {}, []
    if kind.__struct_config__.forbid_unknown_fields and not content.keys() <= fields.keys():
        faults.append(f"{place.rstrip('.')} has an unknown field; the fields are {', '.join(fields)}")
    for name, field in fields.items():
        if name in content:
            try:
                values[name] = msgspec.convert(content[name], field.type)
            except msgspec.ValidationError:
                faults.append(f"{place}{name} must be {looks_like(field.type)}")
        elif field.required:
            faults.append(f"{place}{name} is missing: it is {looks_like(field.type)}")
    return values, faults


@cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(kind)}


def looks_like(kind: Any) -> str:
    """Describe a declared type in words."""
    schema = msgspec.json.schema(kind)
    if "title" not in schema:
        schema = next(one for one in schema.get("anyOf", [schema]) if one.get("type") != "null")
    if "title" in schema:
        return str(schema["title"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    words = {
        "boolean": "true or false",
        "integer": "a whole number",
        "number": "a number",
        "array": "a list",
        "string": "a text",
    }
    return words.get(schema.get("type", ""), "a JSON object")


def _base_url(text: str) -> str | None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        return None
    if parts.query or parts.fragment or "@" in parts.netloc:
        return None
    usual = {"http": 80, "https": 443}[parts.scheme]
    name = f"[{host}]" if ":" in host else host
    where = name if port in (None, usual) else f"{name}:{port}"
    return f"{parts.scheme}://{where}{parts.path}".rstrip("/")


class Accounts:
    """Reads carrier accounts, and remembers each for five minutes.

    Parameters
    ----------
    client
        The Secrets Manager client.
    prefix
        What every secret's name begins with.
    allows_http
        Whether a carrier may be called without TLS. Only the local environment allows it.
    wall_clock
        Another clock, for tests. A monotonic one may stand while Lambda has frozen the environment.
    """

    # Not Powertools' parameters: importing them costs 45 ms of CPU (they load boto3), for these lines.
    def __init__(
        self,
        client: "SecretsManagerClient",
        prefix: str,
        *,
        allows_http: bool = False,
        wall_clock: Callable[[], float] | None = None,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._allows_http = allows_http
        self._wall_clock = wall_clock or time.time
        self._kept: dict[str, tuple[float, AccountConfig]] = {}

    def read(self, tenant: str, carrier: str, account: str, *, fresh: bool = False) -> AccountConfig:
        """Return the account's configuration. With `fresh` it is read from Secrets Manager now.

        Raises ProblemError (`validation_failed`, pointer `/account`) when the tenant has no such account.
        """
        if not names_an_account(tenant, carrier, account):
            raise _unknown_account()
        name = f"{self._prefix}/{tenant}/{carrier}/{account}"
        kept_until, config = self._kept.get(name, (0.0, None))
        if config is None or fresh or self._wall_clock() >= kept_until:
            content, faults = read_content(self._text(name), allows_http=self._allows_http)
            config = AccountConfig(
                **{"credentials": {}, **content}, tenant=tenant, carrier=carrier, name=account, faults=faults
            )
            self._kept[name] = (self._wall_clock() + _CACHE_SECONDS, config)
        return config

    def _text(self, name: str) -> str:
        try:
            return self._client.get_secret_value(SecretId=name).get("SecretString", "")
        except ClientError as error:
            # InvalidRequest: the secret is being deleted.
            if error.response["Error"]["Code"] in {"ResourceNotFoundException", "InvalidRequestException"}:
                self._kept.pop(name, None)
                raise _unknown_account() from None
            raise


def read_content(text: str, *, allows_http: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read a secret's text field by field, and describe the faults of the fields that are wrong."""
    try:
        content = msgspec.json.decode(text.removeprefix("\ufeff"))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}, ("the secret is not JSON",)
    values, faults = readable(AccountContent, content)
    try:
        msgspec.convert(values.get("limits", {}), Limits)
    except msgspec.ValidationError:
        faults.append(f"limits must be numbers: {', '.join(Limits.__struct_fields__)}")
        del values["limits"]
    if not allows_http and (values.get("base_url") or "https:").casefold().startswith("http:"):
        faults.append(f"base_url must be {_URL}; http is allowed in the local environment only")
    return values, tuple(faults)


def _unknown_account() -> ProblemError:
    error = FieldError(
        "/account",
        "unknown_account",
        "There is no such account with this carrier. Use the name of one that is stored.",
    )
    return ProblemError("validation_failed", "The carrier account is not known.", errors=[error])
