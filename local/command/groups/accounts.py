"""`parcelgate accounts`: carrier accounts, whose credentials Parcelgate uses with a carrier."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from local.command import accounts as account_files
from local.command.access import JsonOption, StackOption, TenantOption, example
from local.command.deployment import Deployment, known, tenant_or_default
from local.command.rendering import fail, note, say, show
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import names_an_account
from parcelgate.services.accounts import webhook_urls
from parcelgate.store.credentials.webhook_tokens import Hook

group = typer.Typer(help="Store carrier accounts: the credentials that Parcelgate uses with a carrier.")


@group.command(
    "put",
    epilog=example("parcelgate accounts put lso --tenant acme --file - --stack parcelgate-production"),
)
def put_account(
    carrier: Annotated[str, typer.Argument(help=", ".join(registry.trackers()))],
    file: Annotated[
        Path, typer.Option(help="A JSON file with the credentials; - reads standard input.", allow_dash=True)
    ],
    tenant: TenantOption = "",
    account: Annotated[str, typer.Option(help="The name of the account, as orders use it.")] = "default",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace the whole account: remove stored fields that are not given."),
    ] = False,
    stack: StackOption = None,
) -> None:
    """Store a carrier account in Secrets Manager, or change it. Fields not given keep their values."""
    tenant = tenant_or_default(tenant, stack)
    if carrier not in registry.trackers():
        fail(f"There is no carrier {carrier}; there are: {', '.join(registry.trackers())}.")
    if not names_an_account(tenant, carrier, account):
        fail(
            f"{tenant}/{carrier}/{account} cannot be the name of an account: tenant and account are 1 to 64 "
            "letters, digits, dots, dashes and underscores, and begin with a letter or a digit."
        )
    source = "Standard input" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{source} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}.")
    try:
        given: Any = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"{source} is not JSON: {error}")
    if not isinstance(given, dict):
        fail(f'{source} must hold an object, such as {{"credentials": {{...}}}}.')
    deployment = Deployment.named(stack)
    name = f"{deployment.outputs['SecretPrefix']}/{tenant}/{carrier}/{account}"
    client = deployment.client("secretsmanager")
    stored = webhook_urls.content(client, name)
    content = account_files.merged({} if replace else stored, given)
    if "webhook_token" in stored:
        content.setdefault("webhook_token", stored["webhook_token"])
    if wrong := account_files.faults(carrier, content, allows_http=stack is None):
        fail("\n".join(["Nothing is stored, because the account would be wrong:", *wrong]))
    for line in account_files.changes(carrier, stored, content):
        say(line)
    try:
        client.create_secret(Name=name, SecretString=json.dumps(content))
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=json.dumps(content))
    deployment.table.tenant(tenant).account_names.add(carrier, account)
    say(f"{name} is stored; functions see it within a minute.")


@group.command("fields", epilog=example("parcelgate accounts fields lme"))
def account_fields(
    carrier: Annotated[str, typer.Argument(help=", ".join(registry.trackers()))], as_json: JsonOption = False
) -> None:
    """Print the fields of a carrier's accounts: the form and the meaning of each."""
    if carrier not in registry.trackers():
        fail(f"There is no carrier {carrier}; there are: {', '.join(registry.trackers())}.")
    columns = ("field", "looks like", "needed", "meaning")
    show(columns, [*account_files.fields(carrier)], as_json=as_json)


@group.command("webhook-url", epilog=example("parcelgate accounts webhook-url lme --tenant acme"))
def webhook_url(
    carrier: Annotated[str, typer.Argument(help="The carrier that sends the webhooks.")],
    tenant: TenantOption = "",
    account: Annotated[str, typer.Option(help="The name of the account, as orders use it.")] = "default",
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
