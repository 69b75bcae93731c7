"""What AWS knows of a stack: functions, schedules, alarms, quotas and secrets. Nothing is changed."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from infra.settings import ALIAS, PUBLIC, Settings
from local.deploy import smoke
from local.deploy.findings import Finding
from parcelgate.carriers import registry
from parcelgate.store import keys

_UNREAD = timedelta(days=7)
"""A carrier account that nothing has read for so long after it was stored is used by nobody."""

_ROOT = "parcelgate/"
"""What the names of the carrier accounts of all stages begin with."""


@dataclass(frozen=True)
class Patient:
    """The stack that is looked at.

    Parameters
    ----------
    settings
        The settings of its stage.
    client
        Returns the boto3 client of a service.
    outputs
        The stack's outputs by name.
    functions
        Names of folders under `functions/`.
    now
        The time of the examination, with a zone.
    """

    settings: Settings
    client: Callable[[str], Any]
    outputs: dict[str, str]
    functions: Sequence[str]
    now: datetime


def functions(patient: Patient) -> Iterator[Finding]:
    """Ask every function whether it can be loaded, by an event that changes nothing."""
    yield from smoke.ask(patient.client("lambda"), patient.settings, patient.functions)


def release(patient: Patient) -> Iterator[Finding]:
    """Say whether the last deployment came to its end, and whether it is of this checkout's release."""
    stage = patient.settings.stage
    name = f"parcelgate-{stage}"
    (stack,) = patient.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    if stack["StackStatus"].endswith("_FAILED"):
        yield Finding(
            f"The last deployment failed and could not be undone ({stack['StackStatus']}): functions of two "
            "releases may run side by side.",
            f"make deploy STAGE={stage} OPTIONS=--check",
        )
    elif stack["StackStatus"].endswith("_IN_PROGRESS"):
        yield Finding(f"AWS is changing the stack at this moment ({stack['StackStatus']}).", stops=False)
    elif not patient.settings.local:
        yield from _half_moved(patient)
    pages = patient.client("lambda").get_paginator("list_functions").paginate()
    there = {each["FunctionName"] for page in pages for each in page["Functions"]}
    missing = [name for name in patient.functions if patient.settings.name(name) not in there]
    if missing:
        yield Finding(
            f"The stack has no function {', '.join(missing)}, which this checkout has. The stack is of "
            "another release: check out that one, or deploy this one.",
            f"make deploy STAGE={stage}",
            stops=False,
        )


def _half_moved(patient: Patient) -> Iterator[Finding]:
    """Name each alias that still shares its calls between two versions, though no deployment runs."""
    client = patient.client("lambda")
    for name in sorted(PUBLIC.intersection(patient.functions)):
        function = patient.settings.name(name)
        try:
            alias = client.get_alias(FunctionName=function, Name=ALIAS)
        except client.exceptions.ResourceNotFoundException:
            continue  # The function itself is missing, or of a release without aliases.
        if alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
            yield Finding(
                f"{function} answers with two releases: a part of its calls goes to another version than "
                f"{alias['FunctionVersion']}, and no deployment runs.",
                f"aws lambda update-alias --function-name {function} --name {ALIAS} "
                f"--routing-config AdditionalVersionWeights={{}}",
            )


def schedules(patient: Patient) -> Iterator[Finding]:
    """Look whether what must run every few minutes is switched on."""
    prefix = patient.settings.name("")
    found = patient.client("scheduler").list_schedules(NamePrefix=prefix)["Schedules"]
    states = {each["Name"].removeprefix(prefix): each["State"] for each in found}
    for name, lost in (
        ("sweep", "orders whose function died are not taken up again"),
        ("tracking-poll", "no carrier is asked where parcels are"),
    ):
        if states.get(name) == "ENABLED":
            continue
        state = "is switched off" if name in states else "is missing"
        yield Finding(
            f"The schedule {prefix}{name} {state}: {lost}.",
            f"make deploy STAGE={patient.settings.stage}",
        )


def alarms(patient: Patient) -> Iterator[Finding]:
    """Name each alarm that rings, and say whether anybody would hear one."""
    pages = (
        patient.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=patient.settings.name(""), StateValue="ALARM")
    )
    for page in pages:
        for alarm in page["MetricAlarms"]:
            since = alarm.get("StateUpdatedTimestamp")
            when = f" since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if since else ""
            yield Finding(
                f"The alarm {alarm['AlarmName']} rings{when}. {alarm.get('AlarmDescription', '')}".strip()
            )
    topic = patient.outputs.get("AlarmTopicArn")
    if topic is None or patient.settings.local:
        return
    answer = patient.client("sns").list_subscriptions_by_topic(TopicArn=topic)
    heard = [each for each in answer["Subscriptions"] if each["SubscriptionArn"].startswith("arn:")]
    if not heard:
        yield Finding(
            "Nobody hears an alarm: its topic has no confirmed subscription.",
            f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint YOU@EXAMPLE.COM",
        )


def concurrency(patient: Patient) -> Iterator[Finding]:
    """Compare what the account may run at once with what the functions should have for themselves."""
    if patient.settings.local:
        return
    client = patient.client("lambda")
    limit = client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    unprotected = []
    for name in patient.settings.reserved_concurrency:
        answer = client.get_function_concurrency(FunctionName=patient.settings.name(name))
        if "ReservedConcurrentExecutions" not in answer:
            unprotected.append(name)
    if unprotected:
        yield Finding(
            f"Lambda may run {limit} functions at once in this account, and nothing is reserved for "
            f"{', '.join(sorted(unprotected))}: a carrier that hangs can hold up all other work. Ask AWS for "
            "1000, then deploy again.",
            f"make deploy STAGE={patient.settings.stage} OPTIONS=--check",
            stops=False,
        )


def secrets(patient: Patient) -> Iterator[Finding]:
    """Name carrier accounts that nothing reads."""
    prefix = f"{patient.outputs['SecretPrefix']}/"
    for secret in _secrets(patient, prefix):
        if _is_unread(secret, patient.now):
            read = secret.get("LastAccessedDate")
            last = f"since {read:%Y-%m-%d}" if read else "ever"
            yield Finding(
                f"Nothing has read the carrier account {secret['Name'].removeprefix(prefix)} {last}. "
                "If nobody uses it, delete its secret.",
                f"aws secretsmanager delete-secret --secret-id {secret['Name']}",
                stops=False,
            )


def _secrets(patient: Patient, prefix: str) -> Iterator[Mapping[str, Any]]:
    pages = (
        patient.client("secretsmanager")
        .get_paginator("list_secrets")
        .paginate(Filters=[{"Key": "name", "Values": [prefix]}])
    )
    for page in pages:
        yield from (secret for secret in page["SecretList"] if secret["Name"].startswith(prefix))


def _is_unread(secret: Mapping[str, Any], now: datetime) -> bool:
    changed = secret.get("LastChangedDate") or secret.get("CreatedDate") or now
    read = secret.get("LastAccessedDate")
    return bool(now - max(changed, read or changed) > _UNREAD)


class _Account(NamedTuple):
    """A carrier account of this AWS account and region, and whether it says that its login is shared."""

    stage: str
    tenant: str
    carrier: str
    name: str
    shared: bool = False

    @property
    def secret(self) -> str:
        return f"{_ROOT}{self.stage}/{self.tenant}/{self.carrier}/{self.name}"


def shared_logins(patient: Patient) -> Iterator[Finding]:
    """Name accounts that have one login with their carrier and are not counted together.

    It looks at all stages of the AWS account. What nothing has read of late is left out: nothing calls with
    it, and to look at it would be a reading.
    """
    for accounts in _by_login(patient):
        theirs = [each for each in accounts if each.stage == patient.settings.stage]
        if len(accounts) < 2 or not theirs:
            continue
        names = ", ".join(sorted(each.secret.removeprefix(_ROOT) for each in accounts))
        for each in (one for one in accounts if not one.shared):
            stack = "" if each.stage == "local" else f" --stack parcelgate-{each.stage}"
            yield Finding(
                f"These accounts have one login and together may call more often than the carrier allows: "
                f"{names}. {each.stage}/{each.tenant}/{each.carrier}/{each.name} does not say that its login "
                "is shared.",
                f"parcelgate accounts put {each.carrier} --tenant {each.tenant} --account {each.name} "
                f"--shared-login{stack}",
                stops=False,
            )
        tables = {stage: _limits_table(patient, stage) for stage in {each.stage for each in accounts}}
        if len({table for table in tables.values() if table}) > 1:
            counted = "; ".join(f"{stage} in {table}" for stage, table in sorted(tables.items()) if table)
            yield Finding(
                f"The stages of these accounts count the calls of their one login apart ({counted}): "
                f"{names}. Set `limits_table` and `limits_key` (docs/deploy.md#one-login-several-accounts).",
                f"make deploy STAGE={patient.settings.stage}",
                stops=False,
            )


def _by_login(patient: Patient) -> Iterator[list[_Account]]:
    """The accounts that are used, each list those of one login."""
    own = f"{patient.outputs['SecretPrefix']}/"
    by_carrier = defaultdict(list)
    for secret in _secrets(patient, _ROOT):
        parts = secret["Name"].removeprefix(_ROOT).split("/")
        if len(parts) == 4 and parts[2] in registry.trackers() and not _is_unread(secret, patient.now):
            by_carrier[parts[2]].append(_Account(*parts))
    for carrier, accounts in by_carrier.items():
        by_login: dict[str, list[_Account]] = defaultdict(list)
        for account in accounts if len(accounts) > 1 else ():
            content = _content(patient, account.secret, may_fail=not account.secret.startswith(own))
            login = content.get("credentials", {}).get(registry.account_fields(carrier).login)
            if login:
                shared = content.get("shared_login") is True
                by_login[keys.digest(login)].append(account._replace(shared=shared))
        yield from by_login.values()


def _content(patient: Patient, name: str, *, may_fail: bool) -> dict[str, Any]:
    """An account's content. One that is wrong has none: nobody calls with it; another check names it."""
    try:
        text = patient.client("secretsmanager").get_secret_value(SecretId=name).get("SecretString", "")
    except ClientError:
        if may_fail:
            return {}
        raise
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return {}
    right = isinstance(content, dict) and isinstance(content.get("credentials"), dict)
    return content if right else {}


def _limits_table(patient: Patient, stage: str) -> str | None:
    """Where a stage counts the calls of shared logins; None if that cannot be seen."""
    client = patient.client("lambda")
    try:
        found = client.get_function_configuration(FunctionName=f"parcelgate-{stage}-submit_order")
    except ClientError:
        return None
    return found.get("Environment", {}).get("Variables", {}).get("PARCELGATE_LIMITS_TABLE")
