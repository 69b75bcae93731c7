"""The secret of a carrier account: what it holds, how it is stored, and whether its login works."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from local.command import account_content
from local.command.deployment import LOCAL_NAME, Deployment
from local.command.rendering import WRONG_USE, fail, say
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, Connection, names_an_account, read_content
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.clock import now
from parcelgate.domain.deadline import Deadline
from parcelgate.services.accounts import webhook_urls
from parcelgate.services.operator.accounts import Check, try_login

_TRY_SECONDS = 20.0
"""How long a try of a login may take."""


class AccountSecret:
    """The secret of a carrier account. What would be wrong with it ends the command."""

    def __init__(self, carrier: str, account: str, tenant: str, stack: str | None) -> None:
        if not names_an_account(tenant, carrier, account):
            fail(
                f"{tenant}/{carrier}/{account} cannot be the name of an account: tenant and account are 1 to "
                "64 letters, digits, dots, dashes and underscores, and begin with a letter or a digit.",
                code=WRONG_USE,
            )
        self._carrier, self._account, self._tenant = carrier, account, tenant
        self.allows_http = stack in (None, LOCAL_NAME)
        self._deployment = Deployment.named(stack)
        self.name = f"{self._deployment.outputs['SecretPrefix']}/{tenant}/{carrier}/{account}"
        self._client = self._deployment.client("secretsmanager")
        self.content = webhook_urls.content(self._client, self.name)

    def previous(self) -> dict[str, Any]:
        """Return the content before the last change; empty if there is none."""
        return webhook_urls.content(self._client, self.name, stage="AWSPREVIOUS")

    def check(self, content: dict[str, Any]) -> None:
        """End the command if the account would be wrong."""
        if wrong := account_content.faults(self._carrier, content, allows_http=self.allows_http):
            fail(
                "\n".join(["Nothing is stored, because the account would be wrong:", *wrong]), code=WRONG_USE
            )

    def store(self, content: dict[str, Any]) -> None:
        """Store the content and say what changes. Secrets Manager keeps the one before it.

        A change that was stored since this one was begun ends the command: it would be lost.
        """
        if webhook_urls.content(self._client, self.name) != self.content:
            fail(f"{self.name} was changed meanwhile by somebody else. Nothing is stored. Do it again.")
        for line in account_content.changes(self._carrier, self.content, content):
            say(line)
        text = json.dumps(content)
        try:
            self._client.create_secret(Name=self.name, SecretString=text)
        except self._client.exceptions.ResourceExistsException:
            self._client.put_secret_value(SecretId=self.name, SecretString=text)
        self._deployment.table.tenant(self._tenant).account_names.add(self._carrier, self._account)
        say(f"{self.name} is stored; functions see it within five minutes.")

    def try_with(self, content: dict[str, Any]) -> Check:
        """Try a login with the carrier, from this machine. Nothing is stored."""
        values, faults = read_content(json.dumps(content), allows_http=self.allows_http)
        config = AccountConfig(
            **{"credentials": {}, **values},
            tenant=self._tenant,
            carrier=self._carrier,
            name=self._account,
            faults=faults,
        )
        connection = Connection(
            config, send=HttpTransport(Deadline.after(_TRY_SECONDS)), tokens=_OneToken(), clock=now
        )
        return try_login(self._carrier, lambda: registry.adapter(self._carrier)(connection), at=now())


class _OneToken:
    """A carrier's token for one try of a login: it is fetched anew, and kept nowhere."""

    _token: str | None = None

    def get(self, now: datetime) -> str | None:  # noqa: ARG002 - as `TokenVault`
        return self._token

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:  # noqa: ARG002
        self._token, _ = fetch()
        return self._token
