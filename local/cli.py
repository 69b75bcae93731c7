"""`parcelgate`: what an operator does with a stack, on AWS or on this machine.

Every command works on the stack that `make up` started, when there is one, or on the deployed stack named by
`--stack` with the AWS credentials of the environment.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import boto3
import typer
from rich.console import Console
from rich.table import Table as Grid

from local import emulator
from parcelgate.carriers import registry
from parcelgate.services import api_keys, operations
from parcelgate.services.retries import RetryQueues
from parcelgate.services.settings import Settings
from parcelgate.store.errors import KeyNotFoundError, OrderNotFoundError
from parcelgate.store.table import Table

LOCAL_STACK = Path(".local/stack.json")
LOCAL_NAME = "parcelgate-local"

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
keys = typer.Typer(help="API keys: made, listed and revoked. A key is shown once; only its hash is stored.")
accounts = typer.Typer(help="Carrier accounts: the credentials Parcelgate uses with a carrier.")
orders = typer.Typer(help="Orders: many at once, or one that needs a person.")
app.add_typer(keys, name="keys", no_args_is_help=True)
app.add_typer(accounts, name="accounts", no_args_is_help=True)
app.add_typer(orders, name="orders", no_args_is_help=True)

out = Console()
err = Console(stderr=True)

StackOption = Annotated[
    str | None,
    typer.Option("--stack", help="CloudFormation stack on AWS; without it, the stack of `make up`."),
]
TenantOption = Annotated[str, typer.Option("--tenant", help="Whose it is.")]
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
        """The deployed stack of that name; the one of `make up` when there is none."""
        if stack is not None:
            return cls(boto3.Session(), stack)
        if not LOCAL_STACK.exists():
            fail("No stack is running here. Start one with `make up`, or name one on AWS with --stack.")
        return cls.local(LOCAL_STACK)

    @classmethod
    def local(cls, file: Path) -> "Deployment":
        """The stack on this machine that `file`, a `stack.json`, describes."""
        endpoint: str = json.loads(file.read_text())["aws_endpoint_url"]
        administrator = emulator.ADMINISTRATOR
        session = boto3.Session(
            administrator["AWS_ACCESS_KEY_ID"],
            administrator["AWS_SECRET_ACCESS_KEY"],
            region_name=emulator.REGION,
        )
        return cls(session, LOCAL_NAME, endpoint)

    def client(self, service: str) -> Any:
        """A client for one of the stack's AWS services."""
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


def fail(message: str, *, code: int = 1) -> NoReturn:
    """End the command with one line that says what to do."""
    err.print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(code)


@keys.command("create")
def create_key(
    tenant: TenantOption,
    scope: Annotated[
        list[str] | None, typer.Option(help="May be given several times; all scopes by default.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    stack: StackOption = None,
) -> None:
    """Make a key and print it, alone, to standard output."""
    try:
        key = api_keys.create(Deployment.named(stack).table, tenant, scope or sorted(api_keys.SCOPES), name)
    except ValueError as error:
        fail(str(error))
    err.print("Keep it now: it cannot be shown again.")
    sys.stdout.write(key + "\n")


@keys.command("list")
def list_keys(tenant: TenantOption, stack: StackOption = None) -> None:
    """Show a tenant's keys, never their secrets."""
    grid = Grid("key id", "name", "scopes", "created", "revoked")
    for key in api_keys.list_keys(Deployment.named(stack).table, tenant):
        grid.add_row(key.id, key.name, " ".join(key.scopes), _time(key.created_at), _time(key.revoked_at))
    out.print(grid)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The part between pg_ and the next underscore.")],
    tenant: TenantOption,
    stack: StackOption = None,
) -> None:
    """Make a key useless within 60 seconds."""
    try:
        api_keys.revoke(Deployment.named(stack).table, tenant, key_id)
    except KeyNotFoundError:
        fail(f"{tenant} has no key {key_id}; see `parcelgate keys list --tenant {tenant}`.")
    out.print(f"{key_id} is revoked; it stops working within 60 seconds.")


@accounts.command("put")
def put_account(
    carrier: Annotated[str, typer.Argument(help="lso")],
    tenant: TenantOption,
    file: Annotated[
        Path, typer.Option(help="JSON with the credentials; - for standard input.", allow_dash=True)
    ],
    account: Annotated[str, typer.Option(help="The name orders use for it.")] = "default",
    stack: StackOption = None,
) -> None:
    """Store a carrier account's credentials and settings in Secrets Manager, or replace them."""
    if carrier not in registry.names():
        fail(f"There is no carrier {carrier}; there are: {', '.join(registry.names())}.")
    text = sys.stdin.read() if str(file) == "-" else file.read_text()
    try:
        settings: Any = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"{file} is not JSON: {error}")
    deployment = Deployment.named(stack)
    name = f"{deployment.outputs['SecretPrefix']}/{tenant}/{carrier}/{account}"
    client = deployment.client("secretsmanager")
    try:
        client.create_secret(Name=name, SecretString=json.dumps(settings))
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=json.dumps(settings))
    out.print(f"{name} is stored; functions see it within a minute.")


@orders.command("reread")
def reread_order(order_id: OrderArgument, tenant: TenantOption, stack: StackOption = None) -> None:
    """Have the carrier asked how an order stands; what it says is then true of the order here."""
    deployment = Deployment.named(stack)
    try:
        order = operations.reread(deployment.table, deployment.retries, tenant, order_id)
    except OrderNotFoundError:
        fail(f"{tenant} has no order {order_id}.")
    except operations.NotForThisOrderError as error:
        fail(f"{order_id} is {error.order.status}: there is nothing to be asked that is not asked anyway.")
    out.print(
        f"{order_id} is {order.status}; {order.carrier} is asked within seconds, for 12 hours if need be."
    )


@orders.command("close")
def close_order(
    order_id: OrderArgument,
    tenant: TenantOption,
    not_at_carrier: Annotated[
        bool, typer.Option("--not-at-carrier", help="You have looked: the carrier does not have it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    stack: StackOption = None,
) -> None:
    """End an order that needs attention and is not with the carrier: it fails, its reference is free."""
    if not not_at_carrier:
        fail("Look the order up with the carrier first. Does it not have it? Then say --not-at-carrier.")
    deployment = Deployment.named(stack)
    if not yes:
        out.print(
            f"Closing {order_id} frees its reference. If the carrier has it after all, it is paid twice."
        )
        typer.confirm("Close it?", abort=True)
    try:
        operations.close(deployment.table, tenant, order_id)
    except OrderNotFoundError:
        fail(f"{tenant} has no order {order_id}.")
    except operations.NotForThisOrderError as error:
        fail(f"{order_id} is {error.order.status}; only an order that needs attention is closed by hand.")
    out.print(f"{order_id} is failed; its reference is free.")


@orders.command("import")
def import_orders(
    file: Annotated[Path, typer.Argument(help="Orders as CSV or JSON; docs/importing.md says how.")],
    key: Annotated[str | None, typer.Option(envvar="PARCELGATE_KEY", help="An API key.")] = None,
    url: Annotated[str | None, typer.Option(envvar="PARCELGATE_URL", help="The API, without /v1.")] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Whose orders: instead of a key, by whoever may make keys.")
    ] = None,
    stack: StackOption = None,
) -> None:
    """Create orders from a file, show how far they are, and write what became of each beside the file.

    Ends with 0 when every order was confirmed, with 1 when some were not. It can be interrupted: the
    same command goes on. Run again later, it sends what is new in the file and what had failed.
    """
    from local import importing
    from local.order_files import FileError, results_path

    try:
        with _door(key, url, tenant, stack) as (address, secret):
            whole = importing.run(file, importing.Api(address, secret), err)
    except (FileError, OSError) as error:
        fail(str(error), code=2)
    except importing.ImportFailedError as error:
        fail(f"{error} The same command goes on from here.", code=2)
    except KeyboardInterrupt:
        fail("Interrupted; the same command goes on from here.", code=130)
    out.print(str(results_path(file)), soft_wrap=True, highlight=False, markup=False)
    if not whole:
        raise typer.Exit(1)


@contextmanager
def _door(
    key: str | None, url: str | None, tenant: str | None, stack: str | None
) -> Iterator[tuple[str, str]]:
    """Where the API is, and a key: the given ones, the local stack's, or one made for the occasion."""
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
        fail("Say whose orders these are: give --key, or --tenant.")
    made = api_keys.create(deployment.table, tenant, ["orders:read", "orders:write"], "an import")
    try:
        yield address, made
    finally:
        api_keys.revoke(deployment.table, tenant, made.split("_")[1])


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else ""
