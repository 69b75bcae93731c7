"""The address for the webhooks of a carrier account: made, printed again, replaced.

The token in it is kept in the account's secret, so that the address can be printed again. The table has
the token's hash alone.
"""

import json
import secrets
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from parcelgate.carriers import registry
from parcelgate.store.credentials.webhook_tokens import Hook

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from parcelgate.store.table import Table

_MEMBER = "webhook_token"


class NoAddressError(Exception):
    """The carrier sends no webhooks to an address of the account."""


class NoAccountError(Exception):
    """The account has no secret, or one that is no JSON object."""


def webhook_url(
    table: "Table",
    client: "SecretsManagerClient",
    hook: Hook,
    *,
    secret_prefix: str,
    base_url: str,
    rotate: bool = False,
) -> str:
    """The address to which the carrier of `hook` sends the webhooks of its account.

    It stays the same until `rotate` asks for a new one. The old one is closed then. Raises NoAddressError,
    and NoAccountError. After any other error the same call again completes the work.
    """
    if hook.carrier not in registry.trackers() or not registry.pushes(hook.carrier):
        raise NoAddressError(hook.carrier)
    name = f"{secret_prefix}/{hook.tenant}/{hook.carrier}/{hook.account}"
    settings = _read(client, name)
    old = settings.get(_MEMBER)
    token = secrets.token_urlsafe(32) if rotate or not old else str(old)
    table.webhook_tokens.put(token, hook)
    if token != old:
        # The old token is closed first: that is why it is replaced.
        if old:
            table.webhook_tokens.remove(str(old))
        client.put_secret_value(SecretId=name, SecretString=json.dumps(settings | {_MEMBER: token}))
    return f"{base_url.rstrip('/')}/webhooks/{hook.carrier}/{hook.account}/{token}"


def content(client: "SecretsManagerClient", name: str, *, stage: str | None = None) -> dict[str, Any]:
    """The content of the secret of that name; empty when there is none that can be read.

    `stage` is that of another version than the present one: `AWSPREVIOUS` is the one before it.
    """
    try:
        return _read(client, name, stage)
    except NoAccountError:
        return {}


def with_its_token(client: "SecretsManagerClient", name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """`settings` for an account whose secret has that name, with the token that it has there already."""
    token = content(client, name).get(_MEMBER)
    return {_MEMBER: token, **settings} if token else settings


def _read(client: "SecretsManagerClient", name: str, stage: str | None = None) -> dict[str, Any]:
    version: Any = {"VersionStage": stage} if stage else {}
    try:
        settings = json.loads(client.get_secret_value(SecretId=name, **version)["SecretString"])
    except ClientError as error:
        if error.response["Error"]["Code"] in {"ResourceNotFoundException", "InvalidRequestException"}:
            raise NoAccountError(name) from None
        raise
    except (KeyError, ValueError):
        raise NoAccountError(name) from None
    if not isinstance(settings, dict):
        raise NoAccountError(name)
    return settings
