"""Which API a command calls, and with which key; and the form that commands have in common.

In this order: `--url` and `--key`; a profile; a stack on AWS with `--tenant`, for which a key is made for
this run; the profile that `parcelgate profiles use` has chosen; the stack of `make up`.
"""

import getpass
import inspect
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import typer

from local.command import deployment, profiles
from local.command.api import Api, ApiError
from local.command.deployment import Deployment, known, tenant_or_default
from local.command.rendering import INTERRUPTED, WRONG_USE, fail

_PANEL = "Which stack"

ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        envvar="PARCELGATE_PROFILE",
        rich_help_panel=_PANEL,
        help="A stack that `parcelgate login` has stored; `local` is the one of `make up`.",
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="PARCELGATE_KEY", rich_help_panel=_PANEL, help="An API key."),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="PARCELGATE_URL", rich_help_panel=_PANEL, help="The API's address, without /v1."
    ),
]
AnyTenantOption = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        rich_help_panel=_PANEL,
        help="The tenant, in place of a key. One is made for this run, with your AWS credentials.",
    ),
]
StackOption = Annotated[
    str | None,
    typer.Option(
        "--stack",
        rich_help_panel=_PANEL,
        help="The CloudFormation stack on AWS. Default: the stack of `make up`.",
    ),
]
TenantOption = Annotated[
    str,
    typer.Option(
        "--tenant", rich_help_panel=_PANEL, help="The tenant. Default on the stack of `make up`: `demo`."
    ),
]
AccountOption = Annotated[str, typer.Option("--account", help="The name of the account, as orders use it.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="The largest number to list.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

transport: httpx.BaseTransport | None = None
sleep: Callable[[float], None] = time.sleep
"""What calls go through, and how a command waits; tests set both."""


@dataclass(frozen=True)
class Access:
    """Whose API a command shall call: the values of its options."""

    profile: str | None = None
    url: str | None = None
    key: str | None = None
    tenant: str | None = None
    stack: str | None = None

    @classmethod
    def of(cls, context: typer.Context, given: dict[str, Any]) -> "Access":
        """Take the options that say whose API it is out of a command's values.

        What the command line names is stronger than what the environment does.
        """
        values = {option: given.pop(option) for option in OPTIONS}
        sources = {option: context.get_parameter_source(option) for option in OPTIONS}
        written = {option for option, source in sources.items() if source and source.name == "COMMANDLINE"}
        weaker = {"profile"} if written & {"url", "tenant", "stack"} else set()
        weaker |= {"url", "key"} if written & {"profile", "tenant", "stack"} else set()
        return cls(**values | dict.fromkeys(weaker - written))

    @contextmanager
    def credentials(self, scopes: Sequence[str], purpose: str) -> Iterator[tuple[str, str]]:
        """Give the API's address and a key. A key that is made here is revoked at the end."""
        if self.profile is not None and (self.url or self.tenant is not None or self.stack is not None):
            fail("Give --profile, --url with --key, or --tenant with --stack, but not both.", code=WRONG_USE)
        if self.url and self.key:
            yield checked_url(self.url), self.key
        elif self.url and self.tenant is None and self.stack is None:
            # A stored key goes to the address with which it was stored, and to no other.
            fail("Give the --key for this --url, too.", code=WRONG_USE)
        elif (stored := self._stored()) is not None:
            yield checked_url(stored.url), self.key or stored.key
        else:
            yield from self._of_deployment(scopes, purpose)

    def _stored(self) -> "profiles.Profile | None":
        if self.profile is None and (self.tenant is not None or self.stack is not None):
            return None
        name = self.profile or profiles.chosen()
        if name != profiles.LOCAL:
            return profiles.load(name)
        if not deployment.LOCAL_STACK.exists():
            return None
        here = json.loads(deployment.LOCAL_STACK.read_text())
        return profiles.Profile(here["api_url"], here["api_key"])

    def _of_deployment(self, scopes: Sequence[str], purpose: str) -> Iterator[tuple[str, str]]:
        from parcelgate.services.accounts import api_keys

        if self.tenant is not None:
            tenant_or_default(self.tenant, self.stack)
        stack = Deployment.named(self.stack)
        address = checked_url(self.url) if self.url else stack.outputs["ApiUrl"]
        if self.key is not None:
            yield address, self.key
            return
        if self.tenant is None:
            fail("Give --key or --tenant.", code=WRONG_USE)
        known(stack, self.tenant)
        made = api_keys.create(stack.table, self.tenant, scopes, purpose)
        try:
            yield address, made
        finally:
            api_keys.revoke(stack.table, self.tenant, made.split("_")[1])


def user() -> str:
    """Return the name of whoever calls the command, as this machine knows it; empty if it does not."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def checked_url(url: str) -> str:
    """Return an address to which a key can be sent unread; end the command if it is none."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL("")
    if parts.scheme not in ("http", "https") or not parts.host:
        fail(f"{url} is no address of an API. It looks like https://api.example.com.", code=WRONG_USE)
    if parts.scheme == "http" and parts.host not in ("localhost", "127.0.0.1", "::1"):
        fail("The key would travel in clear: the address must begin with https://.", code=WRONG_USE)
    return url


def example(*lines: str) -> str:
    """Return the examples below a command's help."""
    return "\n\n".join(("Example:" if len(lines) == 1 else "Examples:", *lines))


OPTIONS: dict[str, Any] = {
    "profile": ProfileOption,
    "url": UrlOption,
    "key": KeyOption,
    "tenant": AnyTenantOption,
    "stack": StackOption,
}


def api_command(
    group: typer.Typer, name: str, *examples: str, scopes: Sequence[str]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command that calls the API: its first parameter is an `Api`.

    The options that say which API it is come to its own; `scopes` are those of a key made for the run. What
    the API refuses ends the command in its words.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        def command(context: typer.Context, **given: Any) -> None:
            access = Access.of(context, given)
            with reported(), access.credentials(scopes, context.command_path) as (url, key):
                function(Api(url, key, transport=transport, sleep=lambda seconds: sleep(seconds)), **given)

        _, *own = inspect.signature(function, eval_str=True).parameters.values()
        keyword = inspect.Parameter.KEYWORD_ONLY
        options = [
            inspect.Parameter(option, keyword, default=None, annotation=kind)
            for option, kind in OPTIONS.items()
        ]
        parameters = [each.replace(kind=keyword) for each in own]
        first = inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
        command.__signature__ = inspect.Signature([first, *parameters, *options])  # type: ignore[attr-defined]
        command.__annotations__ = {}
        command.__doc__ = function.__doc__
        group.command(name, epilog=example(*examples))(command)
        return function

    return register


@contextmanager
def reported() -> Iterator[None]:
    """End the command in the API's words if a call does not succeed, and with 130 at a Ctrl-C."""
    try:
        yield
    except ApiError as error:
        fail(str(error), code=error.exit_code)
    except KeyboardInterrupt:
        fail("Interrupted.", code=INTERRUPTED)
