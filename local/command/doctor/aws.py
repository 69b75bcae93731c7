"""What AWS knows of a stack: functions, schedules, alarms, quotas and secrets. Nothing is changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.settings import ALIAS, PUBLIC, Settings
from local.deploy import smoke
from local.deploy.findings import Finding

_UNREAD = timedelta(days=7)
"""A carrier account that nothing has read for so long after it was stored is used by nobody."""


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
    pages = (
        patient.client("secretsmanager")
        .get_paginator("list_secrets")
        .paginate(Filters=[{"Key": "name", "Values": [prefix]}])
    )
    for page in pages:
        for secret in page["SecretList"]:
            if not secret["Name"].startswith(prefix):
                continue
            changed = secret.get("LastChangedDate") or secret.get("CreatedDate") or patient.now
            read = secret.get("LastAccessedDate")
            if patient.now - max(changed, read or changed) > _UNREAD:
                last = f"since {read:%Y-%m-%d}" if read else "ever"
                yield Finding(
                    f"Nothing has read the carrier account {secret['Name'].removeprefix(prefix)} {last}. "
                    "If nobody uses it, delete its secret.",
                    f"aws secretsmanager delete-secret --secret-id {secret['Name']}",
                    stops=False,
                )
