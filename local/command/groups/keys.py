"""`parcelgate keys` and `tenants`: the API keys of a tenant, and who works with a stack."""

import sys
from collections import defaultdict
from typing import Annotated

import typer

from local.command.access import JsonOption, StackOption, TenantOption, example
from local.command.deployment import Deployment, known, tenant_or_default
from local.command.rendering import fail, note, say, show, text
from parcelgate.services.accounts import api_keys
from parcelgate.services.accounts.rates import Kind
from parcelgate.store.errors import KeyNotFoundError

_MostOption = Annotated[int | None, typer.Option(min=0, help="The largest number in a minute.")]

group = typer.Typer(help="Make, list and revoke API keys. A key is shown once; only its hash is stored.")


@group.command("create", epilog=example("parcelgate keys create --tenant acme --name shop"))
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
    note("Store it now: it cannot be shown again.")
    sys.stdout.write(key + "\n")


@group.command("list", epilog=example("parcelgate keys list --tenant acme"))
def list_keys(tenant: TenantOption = "", as_json: JsonOption = False, stack: StackOption = None) -> None:
    """List a tenant's keys, without their secrets, and the day (UTC) on which each was last used."""
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    keys = api_keys.list_keys(deployment.table, tenant)
    used = deployment.usage.last_used(tenant, [key.id for key in keys])
    rows = [
        (
            key.id,
            key.name,
            " ".join(key.scopes),
            text(key.created_at),
            text(key.revoked_at),
            str(used.get(key.id, "")),
        )
        for key in keys
    ]
    if not rows:
        known(deployment, tenant)
    show(("key id", "name", "scopes", "created", "revoked", "last used"), rows, as_json=as_json)


@group.command("revoke", epilog=example("parcelgate keys revoke 01M7ZRKR --tenant acme"))
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
    say(f"{key_id} is revoked; it stops working within 60 seconds.")


@group.command("limits", epilog=example("parcelgate keys limits --tenant acme --orders 5000"))
def limits(
    tenant: TenantOption = "",
    requests: _MostOption = None,
    orders: _MostOption = None,
    batches: _MostOption = None,
    refreshes: _MostOption = None,
    as_json: JsonOption = False,
    stack: StackOption = None,
) -> None:
    """Show or set what a tenant may ask for in a minute. Each of its keys may have half of it.

    A refresh is a parcel that is refreshed, or followed anew. What you set counts within a minute; 0 takes a
    limit of the tenant's own back.
    """
    tenant = tenant_or_default(tenant, stack)
    deployment = Deployment.named(stack)
    known(deployment, tenant)
    given = (requests, orders, batches, refreshes)
    changes = {str(kind): most or None for kind, most in zip(Kind, given, strict=True) if most is not None}
    if changes:
        deployment.usage.set_limits(tenant, changes)
    own = deployment.usage.limits(tenant)
    rows = [(str(kind), str(own.get(kind, "as the stack has it"))) for kind in Kind]
    show(("kind", "a minute"), rows, as_json=as_json)


def tenants(as_json: JsonOption = False, stack: StackOption = None) -> None:
    """List the tenants that have a carrier account: their accounts and keys, and when a key was last used.

    A tenant that has keys and no carrier account is not listed: see `parcelgate keys list --tenant`.
    """
    deployment = Deployment.named(stack)
    accounts: dict[str, list[str]] = defaultdict(list)
    for tenant, carrier, account in deployment.accounts():
        accounts[tenant].append(f"{carrier}/{account}")
    rows = []
    for tenant in sorted(accounts):
        keys = [key for key in api_keys.list_keys(deployment.table, tenant) if key.revoked_at is None]
        used = deployment.usage.last_used(tenant, [key.id for key in keys])
        last = max(map(str, used.values()), default="")
        rows.append((tenant, " ".join(sorted(accounts[tenant])), str(len(keys)), last))
    if not rows:
        note("No tenant has a carrier account yet. Store one with `parcelgate accounts add`.")
    show(("tenant", "carrier accounts", "keys", "last used"), rows, as_json=as_json)
