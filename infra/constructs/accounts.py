"""Carrier accounts: secrets that an operator puts there, one for each account of each tenant."""

from constructs import Construct

from infra.constructs.policy import Access, access, account_arn, allow
from infra.settings import Settings


def account_access(scope: Construct, settings: Settings) -> Access:
    """Reading carrier accounts. Their names are not known here, only what they begin with."""
    secrets = account_arn(scope, "secretsmanager", f"secret:{settings.secret_prefix}/*")
    return access(
        allow("secretsmanager:GetSecretValue", on=secrets),
        because="Accounts are added while the stack runs.",
        SECRET_PREFIX=settings.secret_prefix,
    )
