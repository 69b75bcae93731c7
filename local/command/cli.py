"""`parcelgate` operates a stack, on AWS or on this machine.

Every command works on the stack that `make up` started, or, with `--stack`, on that stack on AWS with the AWS
credentials of the environment.
"""

import base64
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NoReturn

import boto3
import httpx
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table as Grid

from local.command import accounts as account_files
from local.stack import emulator
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import names_an_account
from parcelgate.domain.clock import rfc3339
from parcelgate.services.accounts import api_keys, webhook_urls
from parcelgate.services.operator import operations
from parcelgate.services.orders.retry_queues import RetryQueues
from parcelgate.services.settings import Settings
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.errors import KeyNotFoundError, OrderNotFoundError
from parcelgate.store.inbox import InboxEntry
from parcelgate.store.keys import tenant_prefix
from parcelgate.store.table import Table

LOCAL_STACK = Path(".local/stack.json")
LOCAL_NAME = "parcelgate-local"
LOCAL_TENANT = "demo"
"""The tenant whose key `make up` prints."""

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
keys = typer.Typer(help="Make, list and revoke API keys. A key is shown once; only its hash is stored.")
accounts = typer.Typer(help="Store carrier accounts: the credentials that Parcelgate uses with a carrier.")
rates = typer.Typer(help="Store rate cards: your own prices with a carrier that gives none.")
orders = typer.Typer(help="Import many orders, or look after one that needs a person.")
inbox = typer.Typer(help="List, read and replay parked webhooks: those that could not be used.")
app.add_typer(keys, name="keys", no_args_is_help=True)
app.add_typer(accounts, name="accounts", no_args_is_help=True)
app.add_typer(rates, name="rates", no_args_is_help=True)
app.add_typer(orders, name="orders", no_args_is_help=True)
app.add_typer(inbox, name="inbox", no_args_is_help=True)

out = Console()
err = Console(stderr=True)

StackOption = Annotated[
    str | None,
    typer.Option("--stack", help="The CloudFormation stack on AWS. Default: the stack of `make up`."),
]
TenantOption = Annotated[
    str, typer.Option("--tenant", help="The tenant. Default on the stack of `make up`: `demo`.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WEBHOOK_HELP = "The webhook's id, or the beginning of it, such as `lme#3f9a`."
KeyOption = Annotated[str | None, typer.Option("--key", envvar="PARCELGATE_KEY", help="An API key.")]
UrlOption = Annotated[
    str | None, typer.Option("--url", envvar="PARCELGATE_URL", help="The address of the API, without /v1.")
]
CardCarrierArgument = Annotated[
    str, typer.Argument(metavar="CARRIER", help="A carrier that gives no prices, such as ubi.")
]
CardAccountOption = Annotated[
    str, typer.Option("--account", help="The name of the account, as orders use it.")
]
OrderArgument = Annotated[str, typer.Argument(metavar="ORDER_ID", help="The order's id, `ord_...`.")]


class Deployment:
    """The stack that a command works on."""

    def __init__(self, session: boto3.Session, name: str, endpoint: str | None = None) -> None:
        self._session = session
        self._endpoint = endpoint
        (description,) = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        self.outputs = {item["OutputKey"]: item["OutputValue"] for item in description["Outputs"]}

    @classmethod
    def named(cls, stack: str | None) -> "Deployment":
        """Return the deployed stack of that name; without a name, the stack of `make up`."""
        if stack is None and not LOCAL_STACK.exists():
            fail("No stack is running here. Start one with `make up`, or name one on AWS with --stack.")
        try:
            return cls(boto3.Session(), stack) if stack is not None else cls.local(LOCAL_STACK)
        except (BotoCoreError, ClientError) as error:
            what = f"The stack {stack}" if stack else "The stack of `make up`"
            fail(f"{what} cannot be reached: {error}")

    @classmethod
    def local(cls, file: Path) -> "Deployment":
        """Return the stack on this machine that `file`, a `stack.json`, describes."""
        endpoint: str = json.loads(file.read_text())["aws_endpoint_url"]
        administrator = emulator.ADMINISTRATOR
        session = boto3.Session(
            administrator["AWS_ACCESS_KEY_ID"],
            administrator["AWS_SECRET_ACCESS_KEY"],
            region_name=emulator.REGION,
        )
        return cls(session, LOCAL_NAME, endpoint)

    def client(self, service: str) -> Any:
        """Return a client for one of the stack's AWS services."""
        return self._session.client(service, endpoint_url=self._endpoint)

    @property
    def table(self) -> Table:
        """The stack's table."""
        return Table(self.client("dynamodb"), self.outputs["TableName"])

    @property
    def retries(self) -> RetryQueues:
        """The stack's retry queues."""
        urls = {carrier: self.outputs[f"RetryQueueUrl{carrier.capitalize()}"] for carrier in registry.names()}
        settings = Settings({"PARCELGATE_RETRY_QUEUE_URLS": json.dumps(urls)})
        return RetryQueues(self.client("sqs"), settings)

    def is_tenant(self, tenant: str) -> bool:
        """Return whether the stack knows a tenant: it has a key, or an account with a carrier."""
        if api_keys.list_keys(self.table, tenant):
            return True
        start = f"{self.outputs['SecretPrefix']}/{tenant}/"
        pages = self.client("secretsmanager").get_paginator("list_secrets")
        names = (
            secret["Name"]
            for page in pages.paginate(Filters=[{"Key": "name", "Values": [start]}])
            for secret in page["SecretList"]
        )
        return any(name.startswith(start) for name in names)


def tenant_or_default(tenant: str, stack: str | None) -> str:
    """Return the named tenant; without a name, the tenant of the local stack."""
    if tenant:
        try:
            tenant_prefix(tenant)
        except ValueError as error:
            fail(f"{tenant!r} cannot be a tenant: {error}.", code=2)
        return tenant
    if stack is not None:
        fail("Name the tenant with --tenant.", code=2)
    return LOCAL_TENANT


def known(deployment: Deployment, tenant: str) -> None:
    """End the command if there is no such tenant, because then nothing of it can be found."""
    if not deployment.is_tenant(tenant):
        fail(f"There is no tenant {tenant} here: it has neither a key nor a carrier account.")


def show(headings: tuple[str, ...], rows: list[tuple[str, ...]], *, as_json: bool = False) -> None:
    """Print rows without cutting anything: JSON, a table, or plain lines if a table does not fit.

    A pipe gets a line for each row, with tabs between its cells.
    """
    if as_json:
        objects = [dict(zip(headings, row, strict=True)) for row in rows]
        sys.stdout.write(json.dumps(objects, ensure_ascii=False, indent=2) + "\n")
        return
    grid = Grid(*headings)
    for row in rows:
        grid.add_row(*map(escape, row))
    if (
        out.is_terminal
        and Measurement.get(out, out.options.update(max_width=10_000), grid).maximum <= out.width
    ):
        out.print(grid)
        return
    for row in rows:
        sys.stdout.write("\t".join(re.sub(r"\s+", " ", cell) for cell in row) + "\n")


def fail(message: str, *, code: int = 1) -> NoReturn:
    """End the command with one line that says what to do."""
    err.print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(code)


@keys.command("create")
def create_key(
    tenant: TenantOption = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A scope of the key; may be given several times. Default: all but operator."),
    ] = None,
    name: Annotated[str, typer.Option(help="A name that says what the key is for.")] = "",
    stack: StackOption = None,
) -> None:
    """Make a key. Standard output has the key and nothing else."""
    tenant = tenant_or_default(tenant, stack)
    try:
        key = api_keys.create(
            Deployment.named(stack).table, tenant, scope or sorted(api_keys.SHOP_SCOPES), name
        )
    except ValueError as error:
        fail(str(error))
    err.print("Store it now: it cannot be shown again.")
    sys.stdout.write(key + "\n")


@keys.command("list")
def list_keys(tenant: TenantOption = "", as_json: JsonOption = False, stack: StackOption = None) -> None:
    """List a tenant's keys, without their secrets."""
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    rows = [
        (key.id, key.name, " ".join(key.scopes), _time(key.created_at), _time(key.revoked_at))
        for key in api_keys.list_keys(deployment.table, tenant)
    ]
    if not rows:
        known(deployment, tenant)
    show(("key id", "name", "scopes", "created", "revoked"), rows, as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The part between pg_ and the next underscore.")],
    tenant: TenantOption = "",
    stack: StackOption = None,
) -> None:
    """Revoke a key. It stops working within 60 seconds."""
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    try:
        api_keys.revoke(deployment.table, tenant, key_id)
    except KeyNotFoundError:
        known(deployment, tenant)
        fail(f"{tenant} has no key {key_id}; see `parcelgate keys list --tenant {tenant}`.")
    out.print(f"{key_id} is revoked; it stops working within 60 seconds.")


@accounts.command("put")
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
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    try:
        client.create_secret(Name=name, SecretString=json.dumps(content))
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=json.dumps(content))
    deployment.table.tenant(tenant).account_names.add(carrier, account)
    out.print(f"{name} is stored; functions see it within a minute.")


@accounts.command("fields")
def account_fields(
    carrier: Annotated[str, typer.Argument(help=", ".join(registry.trackers()))], as_json: JsonOption = False
) -> None:
    """Print the fields of a carrier's accounts: the form and the meaning of each."""
    if carrier not in registry.trackers():
        fail(f"There is no carrier {carrier}; there are: {', '.join(registry.trackers())}.")
    columns = ("field", "looks like", "needed", "meaning")
    show(columns, [*account_files.fields(carrier)], as_json=as_json)


@accounts.command("webhook-url")
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
        err.print("The old address no longer works. Enter this one in the carrier's portal.")
    sys.stdout.write(url + "\n")


def _instead(carrier: str) -> str:
    if carrier not in registry.trackers():
        return f"There is no carrier {carrier}."
    if registry.webhook_answer(carrier) is not None:
        return "Parcelgate gives it an address with each order, so you need not enter one."
    return "It sends no webhooks; Parcelgate polls it."


@rates.command("put")
def put_rate_card(
    carrier: CardCarrierArgument,
    file: Annotated[Path, typer.Argument(help="A CSV file of prices; docs/rates.md describes it.")],
    account: CardAccountOption = "default",
    key: KeyOption = None,
    url: UrlOption = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant, in place of --key.")] = None,
    stack: StackOption = None,
) -> None:
    """Store a price list in the place of the earlier one. Nothing is stored when a line is wrong."""
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.")
    with _operator_access(key, url, tenant, stack) as call:
        card = call("PUT", carrier, account, content).json()
    out.print(f"{carrier}/{account} has a rate card of {len(card['rows'])} rows.", highlight=False)


@rates.command("show")
def show_rate_card(
    carrier: CardCarrierArgument,
    account: CardAccountOption = "default",
    key: KeyOption = None,
    url: UrlOption = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant, in place of --key.")] = None,
    as_json: JsonOption = False,
    stack: StackOption = None,
) -> None:
    """Show the price list of an account."""
    with _operator_access(key, url, tenant, stack) as call:
        card = call("GET", carrier, account).json()
    rows = [
        (
            row["service"],
            row["destination_country"],
            "{value} {unit}".format(**row["weight_up_to"]),
            row["price"]["amount"],
            row["price"]["currency"],
        )
        for row in card["rows"]
    ]
    columns = ("service", "destination_country", "weight_up_to", "price", "currency")
    show(columns, rows, as_json=as_json)


@rates.command("delete")
def delete_rate_card(
    carrier: CardCarrierArgument,
    account: CardAccountOption = "default",
    key: KeyOption = None,
    url: UrlOption = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant, in place of --key.")] = None,
    stack: StackOption = None,
) -> None:
    """Delete the price list of an account. Orders that were priced by it keep their prices."""
    with _operator_access(key, url, tenant, stack) as call:
        call("DELETE", carrier, account)
    out.print(f"{carrier}/{account} has no rate card.", highlight=False)


@contextmanager
def _operator_access(
    key: str | None, url: str | None, tenant: str | None, stack: str | None
) -> Iterator[Callable[..., httpx.Response]]:
    """Return a function that calls the rate card of an account, and ends the command if the API refuses."""
    with _api_access(key, url, tenant, stack, scopes=("operator",), purpose="a rate card") as (
        address,
        secret,
    ):

        def call(method: str, carrier: str, account: str, content: bytes | None = None) -> httpx.Response:
            headers = {"Authorization": f"Bearer {secret}"}
            if content is not None:
                headers["Content-Type"] = "text/csv"
            path = f"{address.rstrip('/')}/v1/carrier-accounts/{carrier}/{account}/rate-card"
            try:
                answer = httpx.request(method, path, headers=headers, content=content, timeout=60)
            except httpx.TransportError as error:
                fail(f"{address} does not answer ({type(error).__name__}).")
            if not answer.is_success:
                fail("\n".join(_refusals(answer)))
            return answer

        yield call


def _refusals(answer: httpx.Response) -> Iterator[str]:
    """Return what the API says against a rate card: a line of text for each wrong line of the file."""
    try:
        problem = answer.json()
        yield str(problem.get("detail") or problem.get("message") or answer.reason_phrase)
        for error in problem.get("errors", ()):
            _, _, line, *column = error["pointer"].split("/") if error["pointer"] else ("", "", "", "")
            place = f"Line {line}{''.join(f', column {name}' for name in column if name)}: " if line else ""
            yield f"{place}{error['message']}"
    except (ValueError, AttributeError, KeyError):
        yield f"{answer.status_code} {answer.reason_phrase}"


@inbox.command("list")
def list_parked(
    tenant: TenantOption = "",
    limit: Annotated[int | None, typer.Option(min=1, help="The largest number of webhooks to list.")] = None,
    as_json: JsonOption = False,
    stack: StackOption = None,
) -> None:
    """List parked webhooks with the reason of each, the newest first."""
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    rows = [
        (entry.id, _time(entry.received_at), entry.account, entry.order_id or "", entry.reason or "")
        for entry in islice(deployment.table.tenant(tenant).inbox.parked(), limit)
    ]
    if not rows:
        known(deployment, tenant)
    if rows or as_json:
        show(("webhook", "received", "account", "order", "reason"), rows, as_json=as_json)
    else:
        err.print("No webhook is parked.")


@inbox.command("show")
def show_webhook(
    webhook: Annotated[str, typer.Argument(help=WEBHOOK_HELP)],
    tenant: TenantOption = "",
    stack: StackOption = None,
) -> None:
    """Show one webhook: its reason, its time and its content, which may have personal data."""
    entry = _webhook(Deployment.named(stack), tenant_or_default(tenant, stack), webhook)
    body, form = _legible(entry.body)
    facts = {
        "webhook": entry.id,
        "carrier": entry.carrier,
        "account": entry.account,
        "order": entry.order_id,
        "state": entry.state,
        "reason": entry.reason,
        "received": rfc3339(entry.received_at),
        "closed": rfc3339(entry.closed_at) if entry.closed_at else None,
        "headers": ", ".join(sorted(entry.headers)) or None,
        "body": f"{len(entry.body)} bytes{form}",
    }
    for name, fact in facts.items():
        if fact is not None:
            sys.stdout.write(f"{name:10}{fact}\n")
    sys.stdout.write(f"\n{body}\n")


@inbox.command("replay")
def replay_webhooks(
    tenant: TenantOption = "",
    webhook: Annotated[str | None, typer.Argument(help=WEBHOOK_HELP)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All parked webhooks.")] = False,
    stack: StackOption = None,
) -> None:
    """Process a parked webhook again, or all of them. Its age counts from when it first came."""
    if (webhook is None) is not everything:
        fail("Name one webhook (see `parcelgate inbox list`), or give --all.")
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    table = deployment.table
    if webhook is not None:
        entry = _webhook(deployment, tenant, webhook)
        operations.replay(table, tenant, entry.id)
        out.print(
            f"{entry.id} will be processed within seconds. If it still cannot be used, it is parked again."
        )
        return
    known(deployment, tenant)
    entries = [entry.id for entry in table.tenant(tenant).inbox.parked()]
    for entry_id in entries:
        operations.replay(table, tenant, entry_id)
    out.print(f"{len(entries)} webhooks will be processed again. See `parcelgate inbox list` in a minute.")


def _webhook(deployment: Deployment, tenant: str, name: str) -> InboxEntry:
    try:
        return operations.find_webhook(deployment.table, tenant, name)
    except operations.NoSuchWebhookError as error:
        if error.several:
            fail(f"Several parked webhooks begin with {name}. Give more of the id.")
        known(deployment, tenant)
        fail(f"{tenant} has no webhook {name}; see `parcelgate inbox list --tenant {tenant}`.")


def _legible(body: bytes) -> tuple[str, str]:
    """Return a body as text that cannot control a terminal, and a note on its encoding."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if all(letter.isprintable() or letter in "\n\t" for letter in text):
        return text, ""
    return base64.b64encode(body).decode(), ", in Base64"


@orders.command("reread")
def reread_order(order_id: OrderArgument, tenant: TenantOption = "", stack: StackOption = None) -> None:
    """Ask the carrier how an order stands, and bring the order here up to date."""
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    try:
        order = operations.reread(deployment.table, deployment.retries, tenant, order_id)
    except OrderNotFoundError:
        known(deployment, tenant)
        fail(f"{tenant} has no order {order_id}.")
    except operations.NotForThisOrderError as error:
        fail(f"{order_id} is {error.order.status}; Parcelgate already asks all that there is to ask.")
    out.print(f"{order_id} is {order.status}. Parcelgate asks {order.carrier} now, and retries for 12 hours.")


@orders.command("close")
def close_order(
    order_id: OrderArgument,
    tenant: TenantOption = "",
    not_at_carrier: Annotated[
        bool,
        typer.Option(
            "--not-at-carrier", help="Confirms that you asked the carrier and it does not have the order."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    stack: StackOption = None,
) -> None:
    """Close an order that needs attention and that the carrier does not have. It becomes failed."""
    if not not_at_carrier:
        fail("First ask the carrier. If it does not have the order, run this again with --not-at-carrier.")
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    if not yes:
        out.print(
            f"Closing {order_id} frees its reference. If the carrier has it, a new order is paid twice."
        )
        typer.confirm("Close the order?", abort=True)
    try:
        operations.close(deployment.table, tenant, order_id)
    except OrderNotFoundError:
        known(deployment, tenant)
        fail(f"{tenant} has no order {order_id}.")
    except operations.NotForThisOrderError as error:
        fail(f"{order_id} is {error.order.status}; only an order that needs attention can be closed.")
    out.print(f"{order_id} has failed now. Its reference is free.")


@orders.command("import")
def import_orders(
    file: Annotated[
        Path, typer.Argument(help="A CSV or JSON file of orders; docs/importing.md describes it.")
    ],
    key: KeyOption = None,
    url: UrlOption = None,
    tenant: Annotated[
        str | None, typer.Option(help="The tenant, in place of --key. Needs the right to make keys.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check the orders. Nothing is bought.")] = False,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Ignore columns that are not fields of an order.")
    ] = False,
    stack: StackOption = None,
) -> None:
    """Create orders from a file, show the progress, and write the results beside the file.

    It ends with 0 when every order was confirmed, with 1 when some were not. After an interruption, the
    same command continues. Later it sends the orders that are new in the file and those that failed.
    """
    from local.command import importing
    from local.command.order_files import FileError, results_path

    try:
        with _api_access(
            key, url, tenant, stack, scopes=("orders:read", "orders:write"), purpose="an import"
        ) as (address, secret):
            api = importing.Api(address, secret)
            if check:
                _tell(*importing.check(file, api, ignore_unknown=ignore_unknown))
                return
            whole = importing.run(file, api, err, ignore_unknown=ignore_unknown)
    except (FileError, OSError) as error:
        fail(str(error), code=2)
    except importing.ImportFailedError as error:
        fail(f"{error} Run the same command again to continue.", code=2)
    except KeyboardInterrupt:
        fail("Interrupted. Run the same command again to continue.", code=130)
    out.print(str(results_path(file)), soft_wrap=True, highlight=False, markup=False)
    if not whole:
        raise typer.Exit(1)


def _tell(total: int, wrong: list[str], warned: list[str]) -> None:
    """Print the result of a check; end with 1 when anything is wrong."""
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    for line in warned:
        sys.stdout.write(f"Warning. {line}\n")
    if wrong:
        things = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        fail(f"Nothing was bought. {things} wrong with {_orders(total)}.")
    sys.stdout.write(f"{_orders(total)} {'is' if total == 1 else 'are'} correct. Nothing was bought.\n")


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"


@contextmanager
def _api_access(
    key: str | None,
    url: str | None,
    tenant: str | None,
    stack: str | None,
    *,
    scopes: Sequence[str],
    purpose: str,
) -> Iterator[tuple[str, str]]:
    """Return the API's address and a key: the given ones, the local stack's, or a key made for this run."""
    if key and url:
        yield url, key
        return
    if tenant is None and stack is None and LOCAL_STACK.exists():
        here = json.loads(LOCAL_STACK.read_text())
        yield url or here["api_url"], key or here["api_key"]
        return
    deployment = Deployment.named(stack)
    address = url or deployment.outputs["ApiUrl"]
    if key is not None:
        yield address, key
        return
    if tenant is None:
        fail("Give --key or --tenant.")
    known(deployment, tenant)
    made = api_keys.create(deployment.table, tenant, scopes, purpose)
    try:
        yield address, made
    finally:
        api_keys.revoke(deployment.table, tenant, made.split("_")[1])


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else ""
