"""Checks what the AWS account must have before a deployment. It reads everything and changes nothing."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from infra.settings import ROLLS_BACK, Settings, settings_for
from local.deploy.findings import Finding

type Clients = Callable[[str], Any]
"""Returns the boto3 client of a service."""

BOOTSTRAP_VERSION = 6
"""The oldest bootstrap stack that the template can be deployed with."""
LAMBDA_QUOTA = "L-B99A9384"
"""The code of Lambda's quota "Concurrent executions"."""
ROLES = 60
"""More IAM roles than one stack has."""
BUNDLE_BYTES = 250_000_000
"""More room than Lambda needs for one release and the one before it, all functions together."""

_SERVICES = (
    "apigatewayv2",
    "cloudwatch",
    "dynamodb",
    "events",
    "kms",
    "lambda",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "stepfunctions",
)
_NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_REFUSED = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


@dataclass(frozen=True)
class Stack:
    """The stack as CloudFormation has it."""

    status: str
    protected: bool
    template: Mapping[str, Any] = field(default_factory=dict)

    @property
    def was_created(self) -> bool:
        """Whether there is anything to update: its creation has succeeded once."""
        return self.status.startswith(("CREATE_COMPLETE", "UPDATE_", "IMPORT_"))


@dataclass
class Look:
    """What the check saw of the account. What it could not read is None, and named in `not_looked_at`."""

    given: Mapping[str, int | str] = field(default_factory=dict)
    """The settings that the deployer gives in place of the stage's own."""
    findings: list[Finding] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)
    account: str | None = None
    region: str | None = None
    account_concurrency: int | None = None
    """The concurrency that this stage may use: the account's limit less what others have reserved."""
    stack: Stack | None = None

    @property
    def stops(self) -> bool:
        """Whether anything must be corrected before a deployment."""
        return any(finding.stops for finding in self.findings)


def look(stage: str, given: Mapping[str, int | str], *, clients: Clients | None = None) -> Look:
    """Check everything that can be checked, and go on if one check fails.

    Parameters
    ----------
    stage
        The environment's name, such as `production`.
    given
        Settings that the deployer gives in place of the stage's own.
    clients
        Takes the place of boto3 in tests; then the region is not checked.
    """
    seen = Look(given)
    settings = settings_for(stage, **given)
    session: boto3.Session | None = None
    if clients is None:
        try:
            session = boto3.Session()
        except ProfileNotFound as error:
            seen.findings.append(Finding(f"{error}.", "aws configure list-profiles"))
            return _nothing_else(seen)
        seen.region = os.environ.get("AWS_REGION") or session.region_name
        seen.findings += _region(session, seen.region)
        clients = _clients(session, seen.region or "us-east-1")
    seen.account = _account(clients, seen.findings)
    if seen.account is None or (session is not None and seen.region is None):
        return _nothing_else(seen)
    for name, check in (
        ("the CDK's bootstrap stack", _bootstrap),
        ("the stack's state", _stack),
        ("the alarms that take a release back", _alarms),
        ("Lambda's limits", _lambda),
        ("the limit of IAM roles", _roles),
        ("the gateway's limit", _gateway),
        ("the certificate", _certificate),
    ):
        try:
            seen.findings += check(clients, settings, seen)
        except (ClientError, BotoCoreError) as error:
            seen.not_looked_at.append(f"{name} ({_short(error)})")
            if check is _stack:
                seen.findings.append(
                    Finding("Nobody can tell whether the stack exists and what a deployment would lose.")
                )
    return seen


def client(service: str, region: str | None) -> Any:
    """Return the client of a service, by the deployer's credentials."""
    return boto3.Session().client(service, region_name=region)


def _nothing_else(seen: Look) -> Look:
    seen.not_looked_at.append(
        "bootstrap stack, limits and the stack's state: they need credentials and a region"
    )
    return seen


def _clients(session: boto3.Session, region: str) -> Clients:
    return lambda service: session.client(service, region_name=region)


def _region(session: boto3.Session, region: str | None) -> Iterator[Finding]:
    if region is None:
        yield Finding("No region is set. Name the region of the stack.", "export AWS_REGION=eu-central-1")
        return
    try:
        partition = session.get_partition_for_region(region)
    except BotoCoreError:
        yield Finding(f"There is no region {region}.", "aws account list-regions --output table")
        return
    if partition != "aws":
        yield Finding(
            f"The region {region} is in the partition {partition}; the stack is made for `aws` alone."
        )
        return
    missing = [name for name in _SERVICES if region not in session.get_available_regions(name)]
    if missing:
        yield Finding(
            f"AWS may not offer {', '.join(missing)} in {region}: look at AWS's list of services by region.",
            stops=False,
        )


def _account(clients: Clients, findings: list[Finding]) -> str | None:
    """Return the number of the account that the credentials belong to; None when there are none that work."""
    try:
        return str(clients("sts").get_caller_identity()["Account"])
    except (NoCredentialsError, PartialCredentialsError):
        text, command = (
            "No AWS credentials were found.",
            "aws configure sso   # or: export AWS_PROFILE=...",
        )
    except (SSOError, TokenRetrievalError):
        text, command = "The sign-in for these AWS credentials has expired.", "aws sso login"
    except ClientError as error:
        code = error.response["Error"]["Code"]
        text = f"AWS does not accept the credentials ({code})"
        text += ": they are wrong or expired." if code in _REFUSED else "."
        command = "aws sts get-caller-identity"
    except BotoCoreError as error:
        text, command = f"AWS cannot be reached: {error}", "aws sts get-caller-identity"
    findings.append(Finding(text, command))
    return None


def _bootstrap(clients: Clients, _settings: Settings, seen: Look) -> Iterator[Finding]:
    place = f"aws://{seen.account}/{seen.region or 'REGION'}"
    command = f".venv/bin/node infra/node_modules/aws-cdk/bin/cdk bootstrap {place}"
    try:
        version = clients("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        yield Finding("The CDK's bootstrap stack is missing in this account and region.", command)
        return
    if int(version) < BOOTSTRAP_VERSION:
        yield Finding(
            f"The CDK's bootstrap stack has version {version}, but {BOOTSTRAP_VERSION} is needed.", command
        )


def _lambda(clients: Clients, settings: Settings, seen: Look) -> Iterator[Finding]:
    client = clients("lambda")
    account = client.get_account_settings()
    limit = account["AccountLimit"]["ConcurrentExecutions"]
    unreserved = account["AccountLimit"].get("UnreservedConcurrentExecutions", limit)
    others = max(0, limit - unreserved - _reserved_today(client, settings))
    seen.account_concurrency = seen.given.get("account_concurrency", limit - others)
    if seen.account_concurrency > limit - others:
        yield Finding(
            f"account_concurrency is given as {seen.account_concurrency}; the account has {limit - others}. "
            "Lambda would refuse the reservation. Leave it out: the true limit is read from the account."
        )
    reserved = settings_for(settings.stage, account_concurrency=seen.account_concurrency).reserved_concurrency
    if not reserved:
        limited = sorted(settings_for(settings.stage).reserved_concurrency)
        taken = f", of which others have reserved {others}" if others else ""
        yield Finding(
            f"Lambda may run {limit} functions at once here{taken}. That is too few to reserve anything, so "
            "a carrier that hangs can delay all other work. "
            f"Until then these functions have nothing reserved: {', '.join(limited)}. "
            f'Ask for 1000 (quota {LAMBDA_QUOTA}, "Concurrent executions") and deploy again.',
            "aws service-quotas request-service-quota-increase --service-code lambda "
            f"--quota-code {LAMBDA_QUOTA} --desired-value 1000" + _in_region(seen),
            stops=False,
        )
    room = account["AccountLimit"].get("TotalCodeSize", 0) - account.get("AccountUsage", {}).get(
        "TotalCodeSize", 0
    )
    if "TotalCodeSize" in account["AccountLimit"] and room < BUNDLE_BYTES:
        yield Finding(
            f"Lambda has room for {room / 1e6:.0f} MB of code in this region, and a release may need "
            f"{BUNDLE_BYTES / 1e6:.0f} MB. Delete old versions of functions and layers, or ask for more "
            '(Lambda\'s quota "Function and layer storage").',
            stops=room < BUNDLE_BYTES / 2,
        )


def _reserved_today(client: Any, settings: Settings) -> int:
    """Return how much of the account's concurrency this stage's own functions have reserved already."""
    reserved = 0
    for name in settings_for(settings.stage).reserved_concurrency:
        try:
            answer = client.get_function_concurrency(FunctionName=settings.name(name))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            continue
        reserved += answer.get("ReservedConcurrentExecutions", 0)
    return reserved


def _roles(clients: Clients, _settings: Settings, seen: Look) -> Iterator[Finding]:
    summary = clients("iam").get_account_summary()["SummaryMap"]
    left = summary["RolesQuota"] - summary["Roles"]
    if seen.stack is None and left < ROLES:
        yield Finding(
            f"The account may have {left} more IAM roles, and a new stack may need {ROLES}. Delete roles "
            'that nobody uses, or ask for more (IAM\'s quota "Roles per account").'
        )


def _gateway(clients: Clients, settings: Settings, _seen: Look) -> Iterator[Finding]:
    account = clients("apigateway").get_account().get("throttleSettings", {})
    rate = account.get("rateLimit", 0)
    required = settings.default_throttle.rate + settings.webhook_throttle.rate
    if rate and rate < required:
        yield Finding(
            f"The gateway takes {rate:g} requests a second for the whole account in this region, and the "
            f"settings promise {required}: clients get 429 before that. Ask for more (API "
            'Gateway\'s quota "Throttle rate"), or lower the throttles in infra/settings.py.',
            stops=False,
        )


def _alarms(clients: Clients, settings: Settings, seen: Look) -> Iterator[Finding]:
    if seen.stack is None or not seen.stack.was_created or not settings.rollback_on_alarms:
        return
    names = [settings.name(name) for name in ROLLS_BACK]
    found = clients("cloudwatch").describe_alarms(AlarmNames=names, StateValue="ALARM")["MetricAlarms"]
    if found:
        ringing = ", ".join(sorted(each["AlarmName"] for each in found))
        yield Finding(
            f"{ringing}: an alarm that takes a release back rings already, so CodeDeploy would take this one "
            "back, too. Wait until it is quiet. If this release is what corrects it, deploy it without the "
            "alarms.",
            f'make deploy STAGE={settings.stage} OPTIONS="-c rollback_on_alarms=0"',
        )


def _certificate(clients: Clients, settings: Settings, seen: Look) -> Iterator[Finding]:
    if not settings.domain:
        return
    arn, domain = settings.certificate, settings.domain
    region = arn.split(":")[3] if arn.count(":") >= 5 else ""
    if seen.region is not None and region != seen.region:
        yield Finding(
            f"The certificate for {domain} is in the region {region or 'unknown'}, and the API is in "
            f"{seen.region}. API Gateway takes one of its own region only.",
            f"aws acm request-certificate --domain-name {domain} --validation-method DNS{_in_region(seen)}",
        )
        return
    certificate = clients("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    names = {certificate.get("DomainName"), *certificate.get("SubjectAlternativeNames", ())}
    if not names & {domain, f"*.{domain.partition('.')[2]}"}:
        yield Finding(f"The certificate is for {', '.join(sorted(filter(None, names)))}, not for {domain}.")
    if certificate["Status"] != "ISSUED":
        yield Finding(
            f"ACM has not issued the certificate for {domain} ({certificate['Status']}). Enter the record "
            "that it names into the DNS of the domain, and wait.",
            f"aws acm describe-certificate --certificate-arn {arn}",
        )


# The stack's state


def _stack(clients: Clients, settings: Settings, seen: Look) -> Iterator[Finding]:
    client, name = clients("cloudformation"), f"parcelgate-{settings.stage}"
    try:
        (description,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return
    status = description["StackStatus"]
    protected = bool(description.get("EnableTerminationProtection"))
    seen.stack = Stack(status, protected)
    if seen.stack.was_created:
        template = client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
        seen.stack = Stack(status, protected, template if isinstance(template, Mapping) else {})
    yield from _state(client, name, seen.stack, _in_region(seen))


def _state(client: Any, name: str, stack: Stack, here: str) -> Iterator[Finding]:
    status = stack.status
    delete = f"aws cloudformation delete-stack --stack-name {name}{here}"
    if stack.protected:
        unprotect = "aws cloudformation update-termination-protection --no-enable-termination-protection"
        delete = f"{unprotect} --stack-name {name}{here} && {delete}"
    watch = f"aws cloudformation describe-stack-events --stack-name {name}{here}"
    if status == "REVIEW_IN_PROGRESS":
        yield Finding(
            f"The creation of {name} never started. It is empty, and the CDK begins anew.", stops=False
        )
    elif status.endswith("_IN_PROGRESS"):
        yield Finding(f"AWS is changing {name} at this moment ({status}). Wait until it has finished.", watch)
    elif status == "ROLLBACK_COMPLETE":
        yield Finding(
            f"The first deployment of {name} failed and was undone; only its name is left. "
            f"{_why(client, name)}Correct that, delete the stack, and deploy again.",
            delete,
        )
    elif status in ("ROLLBACK_FAILED", "CREATE_FAILED"):
        yield Finding(
            f"The first deployment of {name} failed and could not be undone ({status}). {_why(client, name)}"
            "Delete the stack, delete by hand what AWS cannot delete, and deploy again.",
            delete,
        )
    elif status == "DELETE_FAILED":
        yield Finding(
            f"{name} could not be deleted completely. {_why(client, name)}"
            "Correct that and delete it again; then deploy.",
            delete,
        )
    elif status == "UPDATE_ROLLBACK_FAILED":
        yield Finding(
            f"The last update of {name} failed, and undoing it failed too. {_why(client, name)}"
            "Let AWS continue to undo it. Until then a mixture of both versions runs.",
            f"aws cloudformation continue-update-rollback --stack-name {name}{here}",
        )
    elif status == "UPDATE_FAILED":
        yield Finding(
            f"The last update of {name} stopped halfway. {_why(client, name)}Undo it first.",
            f"aws cloudformation rollback-stack --stack-name {name}{here}",
        )
    elif status == "UPDATE_ROLLBACK_COMPLETE":
        yield Finding(
            f"The last update of {name} failed, and AWS has undone all of it. {_why(client, name)}",
            watch,
            stops=False,
        )


def _why(client: Any, name: str) -> str:
    """Return what failed first in the stack's last operation, in AWS's own words."""
    failed = None
    try:
        for page in client.get_paginator("describe_stack_events").paginate(StackName=name):
            for event in page["StackEvents"]:
                reason = event.get("ResourceStatusReason", "")
                if event.get("ResourceStatus", "").endswith("_FAILED") and "cancelled" not in reason.lower():
                    failed = event
                if event.get("LogicalResourceId") == name and reason == "User Initiated" and failed:
                    return _in_words(failed)
    except (ClientError, BotoCoreError):
        return ""
    return _in_words(failed) if failed else ""


def _in_words(event: Mapping[str, Any]) -> str:
    reason = event.get("ResourceStatusReason", "AWS gives no reason")
    return f"What failed first: {event['LogicalResourceId']}: {reason.rstrip('.')}. "


def _short(error: ClientError | BotoCoreError) -> str:
    if not isinstance(error, ClientError):
        return str(error)
    code = error.response["Error"]["Code"]
    return f"{error.operation_name}: {'the credentials do not allow it' if code in _NOT_ALLOWED else code}"


def _in_region(seen: Look) -> str:
    return f" --region {seen.region}" if seen.region else ""
