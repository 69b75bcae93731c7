"""`parcelgate accounts`: carrier accounts, whose credentials Parcelgate uses with a carrier."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from local.command import access as hooks
from local.command import account_content
from local.command.access import (
    Access,
    AccountOption,
    JsonOption,
    StackOption,
    TenantOption,
    api_command,
    example,
    reported,
    user,
)
from local.command.account_secret import AccountSecret
from local.command.api import Api, part
from local.command.deployment import LOCAL_TENANT, Deployment, known, tenant_or_default
from local.command.json_files import read_json, reason_of, source_of
from local.command.rendering import (
    NOT_FOUND,
    WRONG_USE,
    ask,
    fail,
    listed,
    moment,
    note,
    say,
    show,
    show_json,
)
from parcelgate.carriers import registry
from parcelgate.services.accounts import webhook_urls
from parcelgate.store.credentials.webhook_tokens import Hook

group = typer.Typer(
    help="Store, list and check carrier accounts: the credentials that are used with a carrier."
)

CarrierArgument = Annotated[str, typer.Argument(metavar="CARRIER", help=", ".join(registry.trackers()))]
SharedOption = Annotated[
    bool | None,
    typer.Option(
        "--shared-login/--own-login",
        help="Whether other accounts, also of other stages, have the same login. "
        "Their calls are counted together.",
    ),
]
_OPERATOR = ("operator",)
_CALLS = {"closed": "made", "half_open": "trying", "open": "stopped"}
"""What the state of the circuit breaker means for calls, in the words of the console."""


@group.command(
    "put",
    epilog=example(
        "parcelgate accounts put lso --tenant acme --file - --stack parcelgate-production",
        "parcelgate accounts put lso --tenant acme --shared-login --stack parcelgate-production",
    ),
)
def put_account(
    carrier: CarrierArgument,
    file: Annotated[
        Path | None,
        typer.Option(help="A JSON file with the credentials; - reads standard input.", allow_dash=True),
    ] = None,
    shared_login: SharedOption = None,
    tenant: TenantOption = "",
    account: AccountOption = "default",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace the whole account: remove stored fields that are not given."),
    ] = False,
    stack: StackOption = None,
) -> None:
    """Store a carrier account in Secrets Manager, or change it. Fields not given keep their values."""
    tenant = tenant_or_default(tenant, stack)
    _known_carrier(carrier)
    given: Any = {}
    if file is not None:
        given = read_json(file)
        if not isinstance(given, dict):
            fail(
                f'{source_of(file)} must hold an object, such as {{"credentials": {{...}}}}.', code=WRONG_USE
            )
    elif shared_login is None or replace:
        fail("Name the file with the account: `--file`.", code=WRONG_USE)
    _store(carrier, account, tenant, stack, given | _marked(shared_login), replace=replace)


def _marked(shared_login: bool | None) -> dict[str, Any]:
    """What an option says of the login: a field that is null is removed."""
    return {} if shared_login is None else {"shared_login": shared_login or None}


def _store(
    carrier: str,
    account: str,
    tenant: str,
    stack: str | None,
    given: dict[str, Any],
    *,
    replace: bool = False,
) -> None:
    """Store an account, or change it; end the command if it would be wrong."""
    secret = AccountSecret(carrier, account, tenant, stack)
    content = account_content.merged({} if replace else secret.content, given)
    if "webhook_token" in secret.content:
        content.setdefault("webhook_token", secret.content["webhook_token"])
    secret.check(content)
    secret.store(content)


def _known_carrier(carrier: str) -> None:
    if carrier not in registry.trackers():
        fail(f"There is no carrier {carrier}; there are: {', '.join(registry.trackers())}.", code=WRONG_USE)


@group.command("fields", epilog=example("parcelgate accounts fields lme"))
def account_fields(carrier: CarrierArgument, as_json: JsonOption = False) -> None:
    """Print the fields of a carrier's accounts: the form and the meaning of each."""
    _known_carrier(carrier)
    columns = ("field", "looks like", "needed", "meaning")
    show(columns, [*account_content.fields(carrier)], as_json=as_json)


@group.command("webhook-url", epilog=example("parcelgate accounts webhook-url lme --tenant acme"))
def webhook_url(
    carrier: Annotated[str, typer.Argument(help="The carrier that sends the webhooks.")],
    tenant: TenantOption = "",
    account: AccountOption = "default",
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new address. The old one stops working.")
    ] = False,
    stack: StackOption = None,
) -> None:
    """Print the webhook address to enter in the carrier's portal. The address is a secret."""
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    try:
        url = webhook_urls.webhook_url(
            deployment.table,
            deployment.client("secretsmanager"),
            Hook(tenant, carrier, account),
            secret_prefix=deployment.outputs["SecretPrefix"],
            base_url=deployment.outputs["WebhookBaseUrl"],
            rotate=rotate,
        )
    except webhook_urls.NoAddressError:
        has = ", ".join(name for name in registry.trackers() if registry.pushes(name))
        fail(f"{carrier} has no webhook address for an account. These have: {has}. {_instead(carrier)}")
    except webhook_urls.NoAccountError:
        known(deployment, tenant)
        fail(f"{tenant} has no account {account} with {carrier}. Store it: `parcelgate accounts put`.")
    if rotate:
        note("The old address no longer works. Enter this one in the carrier's portal.")
    sys.stdout.write(url + "\n")


def _instead(carrier: str) -> str:
    if carrier not in registry.trackers():
        return f"There is no carrier {carrier}."
    if registry.webhook_answer(carrier) is not None:
        return "Parcelgate gives it an address with each order, so you need not enter one."
    return "It sends no webhooks; Parcelgate polls it."


@api_command(group, "list", "parcelgate accounts list", scopes=_OPERATOR)
def list_accounts(api: Api, as_json: JsonOption = False) -> None:
    """List the carrier accounts: whether their logins work, and whether their carriers answer."""
    columns = {
        "carrier": lambda each: each["carrier"],
        "account": lambda each: each["account"],
        "login": lambda each: each["login"] + (", shared" if each.get("shared_login") else ""),
        "calls": lambda each: "paused" if each["paused"] else _CALLS.get(each["circuit"], each["circuit"]),
        "paused": lambda each: each["paused"] and _pause(each["paused"]),
        "last called": lambda each: moment(each["last_called_at"]),
        "held calls": lambda each: each["held_calls"],
        "last error": lambda each: each["last_error"] and each["last_error"]["message"],
        "faults": lambda each: "; ".join(each["faults"]),
    }
    found = api.get("/v1/carrier-accounts")["data"]
    listed(
        found,
        columns,
        as_json=as_json,
        empty="There is no carrier account. Add one: `parcelgate accounts add`.",
    )


@api_command(group, "check", "parcelgate accounts check lso", scopes=_OPERATOR)
def check_account(
    api: Api, carrier: CarrierArgument, account: AccountOption = "default", as_json: JsonOption = False
) -> None:
    """Ask the carrier whether it accepts an account's login. It ends with 1 if it does not."""
    state = api.post(f"/v1/carrier-accounts/{part(carrier)}/{part(account)}/check")
    if as_json:
        show_json(state)
    _tell_check(state, as_json=as_json)


@api_command(
    group,
    "pause",
    'parcelgate accounts pause lso --reason "LSO moves its platform on Friday night"',
    scopes=_OPERATOR,
)
def pause_account(
    api: Api,
    carrier: CarrierArgument,
    reason: Annotated[str, typer.Option(help="Why. Everybody who reads a waiting order reads it.")],
    account: AccountOption = "default",
    by: Annotated[
        str | None, typer.Option(help="Who pauses them. Default: your name on this machine.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold all calls of an account until they are resumed. Orders, labels and polls wait; nothing is lost."""
    who = by or user()
    body = {"reason": reason, **({"by": who} if who else {})}
    state = api.post(f"/v1/carrier-accounts/{part(carrier)}/{part(account)}/pause", body)
    if as_json:
        show_json(state)
        return
    say(f"The calls of {carrier}/{account} are paused {_pause(state['paused'])}")
    note(f"To resume them: parcelgate accounts resume {carrier} --account {account}")


def _pause(pause: dict[str, Any]) -> str:
    return f"since {moment(pause['since'])} by {pause['by']}: {pause['reason']}"


@api_command(group, "resume", "parcelgate accounts resume lso", scopes=_OPERATOR)
def resume_account(
    api: Api, carrier: CarrierArgument, account: AccountOption = "default", as_json: JsonOption = False
) -> None:
    """Let the calls of a paused account be made again. What waits goes on within two or three minutes."""
    state = api.post(f"/v1/carrier-accounts/{part(carrier)}/{part(account)}/resume")
    if as_json:
        show_json(state)
    else:
        say(f"The calls of {carrier}/{account} are made again. What waits goes on within a few minutes.")


def _tell_check(state: dict[str, Any], *, as_json: bool = False) -> None:
    check = state["check"]
    sentence = f"{state['carrier']}/{state['account']}: {check['message']}"
    if state.get("shared_login"):
        sentence += " Other accounts have the same login; their calls are counted together."
    if check["result"] != "works":
        fail(sentence)
    if not as_json:
        say(sentence)


@group.command(
    "add", epilog=example("parcelgate accounts add lme --tenant acme --stack parcelgate-production")
)
def add_account(
    carrier: CarrierArgument,
    account: AccountOption = "default",
    everything: Annotated[
        bool, typer.Option("--every-field", help="Ask for the optional credentials and the address, too.")
    ] = False,
    shared_login: SharedOption = None,
    tenant: TenantOption = "",
    stack: StackOption = None,
) -> None:
    """Ask for the login of a carrier account, store it, and try it with the carrier.

    What is secret is not shown while you type. A key of several lines is read from a file: write @ and its
    path.
    """
    tenant = tenant_or_default(tenant, stack)
    _known_carrier(carrier)
    content: dict[str, Any] = {"credentials": {}}
    for name, form, needed, meaning in account_content.fields(carrier):
        place, _, inner = name.rpartition(".")
        if name == "credentials" or place not in ("", "credentials"):
            continue
        if not needed.startswith("required") and not (everything and (inner or name == "base_url")):
            continue
        value = _asked(name, form, meaning, needed)
        if value:
            (content["credentials"] if place else content)[inner or name] = value
    _store(carrier, account, tenant, stack, content | _marked(shared_login))
    access = Access(tenant=tenant if stack or tenant != LOCAL_TENANT else None, stack=stack)
    with reported(), access.credentials(_OPERATOR, "parcelgate accounts add") as (url, key):
        api = Api(url, key, transport=hooks.transport, sleep=hooks.sleep)
        _tell_check(api.post(f"/v1/carrier-accounts/{part(carrier)}/{part(account)}/check"))


@group.command(
    "rotate",
    epilog=example(
        "parcelgate accounts rotate lme --tenant acme --stack parcelgate-production",
        "parcelgate accounts rotate lme --back --tenant acme --stack parcelgate-production",
    ),
)
def rotate_account(
    carrier: CarrierArgument,
    account: AccountOption = "default",
    back: Annotated[
        bool, typer.Option("--back", help="Use the credentials that were stored before the last change.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--every-field", help="Ask for the credentials that are no secrets, too.")
    ] = False,
    untried: Annotated[
        bool,
        typer.Option("--untried", help="Store them also if the carrier cannot be reached from this machine."),
    ] = False,
    tenant: TenantOption = "",
    stack: StackOption = None,
) -> None:
    """Ask for new secrets of a stored account, try them with the carrier, and only then store them.

    Secrets that the carrier refuses change nothing. The credentials before them are kept: --back takes them
    up again.
    """
    tenant = tenant_or_default(tenant, stack)
    _known_carrier(carrier)
    secret = AccountSecret(carrier, account, tenant, stack)
    if not secret.content:
        fail(
            f"{tenant} has no account {account} with {carrier}. Store it: `parcelgate accounts add`.",
            code=NOT_FOUND,
        )
    if back:
        given = secret.previous().get("credentials")
        if given is None:
            fail("There are no earlier credentials.", code=NOT_FOUND)
    else:
        given = {}
        for name, form, needed, meaning in account_content.fields(carrier):
            place, _, inner = name.rpartition(".")
            wanted = needed.endswith(", secret") or everything
            if place == "credentials" and wanted and (value := _asked(name, form, meaning, needed)):
                given[inner] = value
    content = secret.content | {"credentials": secret.content.get("credentials", {}) | given}
    if content == secret.content:
        fail("These are the stored credentials. Nothing is changed.")
    secret.check(content)
    tried = secret.try_with(content)
    if tried.result != "works" and not (untried and tried.result == "unreachable"):
        fail(f"Nothing is changed. {carrier}/{account}: {tried.message}")
    note(f"{carrier}/{account}: {tried.message}")
    secret.store(content)
    whose = f"--tenant {tenant}{f' --stack {stack}' if stack else ''}"
    note(f"To go back: parcelgate accounts rotate {carrier} --account {account} --back {whose}")


def _asked(name: str, form: str, meaning: str, needed: str) -> str:
    note(f"{meaning} It is {form}.")
    optional = not needed.startswith("required")
    value = ask(
        f"{name}{' (optional)' if optional else ''}",
        instead="Store the account from a file: `parcelgate accounts put`.",
        hide_input="secret" in needed,
        err=True,
        **({"default": "", "show_default": False} if optional else {}),
    )
    if value.startswith("@"):
        try:
            return Path(value[1:]).expanduser().read_text("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{value[1:]} cannot be read: {reason_of(error)}.", code=WRONG_USE)
    return value.strip()
