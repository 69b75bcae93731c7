"""The stack that a command works on, as its AWS account has it: where keys and carrier accounts are kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.command.rendering import NO_ANSWER, WRONG_USE, fail
from parcelgate.services.accounts import api_keys
from parcelgate.store.keys import tenant_prefix
from parcelgate.store.table import Table
from parcelgate.store.tenants.usage import UsageTable

if TYPE_CHECKING:
    import boto3

LOCAL_STACK = Path(__file__).resolve().parents[2] / ".local" / "stack.json"
LOCAL_NAME = "parcelgate-local"
LOCAL_TENANT = "demo"
"""The tenant whose key `make up` prints."""


class Deployment:
    """The stack that a command works on."""

    def __init__(self, session: "boto3.Session", name: str, endpoint: str | None = None) -> None:
        self._session = session
        self._endpoint = endpoint
        (description,) = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        self.outputs = {item["OutputKey"]: item["OutputValue"] for item in description["Outputs"]}

    @classmethod
    def named(cls, stack: str | None) -> "Deployment":
        """Return the deployed stack of that name; without a name, the stack of `make up`."""
        if stack is None and not LOCAL_STACK.exists():
            fail(
                "No stack is running here. Start one with `make up`, or name one on AWS with --stack.",
                code=NO_ANSWER,
            )
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return cls(boto3.Session(), stack) if stack is not None else cls.local(LOCAL_STACK)
        except (BotoCoreError, ClientError) as error:
            what = f"The stack {stack}" if stack else "The stack of `make up`"
            fail(f"{what} cannot be reached: {error}", code=NO_ANSWER)

    @classmethod
    def local(cls, file: Path) -> "Deployment":
        """Return the stack on this machine that `file`, a `stack.json`, describes."""
        import boto3

        from local.stack import emulator

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
    def usage(self) -> UsageTable:
        """The table in which the requests of tenants are counted, and their own limits stand."""
        return UsageTable(self.client("dynamodb"), self.outputs["UsageTableName"])

    @property
    def table(self) -> Table:
        """The stack's table."""
        return Table(self.client("dynamodb"), self.outputs["TableName"])

    def is_tenant(self, tenant: str) -> bool:
        """Return whether the stack knows a tenant: it has a key, or an account with a carrier."""
        if api_keys.list_keys(self.table, tenant):
            return True
        return any(name == tenant for name, _, _ in self.accounts(tenant))

    def accounts(self, tenant: str = "") -> Iterator[tuple[str, str, str]]:
        """Yield the carrier accounts that are stored, of all tenants or one: tenant, carrier and account."""
        start = f"{self.outputs['SecretPrefix']}/"
        within = f"{start}{tenant}/" if tenant else start
        pages = self.client("secretsmanager").get_paginator("list_secrets")
        for page in pages.paginate(Filters=[{"Key": "name", "Values": [within]}]):
            for secret in page["SecretList"]:
                # The filter is none for exact case, and other stages may have longer names.
                names = secret["Name"].removeprefix(start).split("/")
                if secret["Name"].startswith(within) and len(names) == 3:
                    yield names[0], names[1], names[2]


def tenant_or_default(tenant: str, stack: str | None) -> str:
    """Return the named tenant; without a name, the tenant of the local stack."""
    if tenant:
        try:
            tenant_prefix(tenant)
        except ValueError as error:
            fail(f"{tenant!r} cannot be a tenant: {error}.", code=WRONG_USE)
        return tenant
    if stack is not None:
        fail("Name the tenant with --tenant.", code=WRONG_USE)
    return LOCAL_TENANT


def known(deployment: Deployment, tenant: str) -> None:
    """End the command if there is no such tenant, because then nothing of it can be found."""
    if not deployment.is_tenant(tenant):
        fail(f"There is no tenant {tenant} here: it has neither a key nor a carrier account.")
