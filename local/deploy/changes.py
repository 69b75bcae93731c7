"""Says what a deployment would do to the deployed stack, from the two templates, before anything is started.

AWS's own schema of a resource's type says whether a changed property means a new resource. cfn-lint contains
these schemas.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from local.deploy.findings import Finding

type Template = Mapping[str, Any]

STATEFUL: Mapping[str, str] = {
    "AWS::ApiGatewayV2::Api": "the API's address: clients and every carrier's webhooks call it",
    "AWS::ApiGatewayV2::DomainName": "the name under which clients and carriers' webhooks call the API",
    "AWS::DynamoDB::Table": "every order, parcel, API key and claim",
    "AWS::EC2::EIP": "an address that carriers have on their lists of known addresses",
    "AWS::Events::EventBus": "the rules that others have added to the event bus",
    "AWS::KMS::Key": "the key: data encrypted with it can no longer be read",
    "AWS::Logs::LogGroup": "the logs in it",
    "AWS::S3::Bucket": "the documents in it",
    "AWS::SNS::Topic": "the subscriptions of the people who get the alarms",
    "AWS::SQS::Queue": "the messages that wait in it",
    "AWS::StepFunctions::StateMachine": "the executions that are running: orders on their way",
}
"""By resource type: what would be lost with the resource."""

FORMAT = "FormatWritten"
"""The output of the stack with the format that its release writes."""
_HISTORY = "git log --oneline -- shared/parcelgate/store/formats.py"
_KEPT = ("Retain", "RetainExceptOnCreate")
_REGION = "us-east-1"
"""The region whose schemas are read; they are the same in every region."""


@dataclass(frozen=True)
class Change:
    """What happens to one resource. `because` names the properties that replace it."""

    resource: str
    type: str
    kind: Literal["added", "changed", "replaced", "removed"]
    because: Sequence[str] = ()
    kept: bool = False
    """Whether the old resource stays in the account, outside the stack."""

    @property
    def loses(self) -> str | None:
        """What the stack loses by the change, if anything."""
        return STATEFUL.get(self.type) if self.kind in ("replaced", "removed") else None


def compare(old: Template, new: Template) -> list[Change]:
    """Return the change of each resource that does not stay as it is.

    Parameters
    ----------
    old
        The template that is deployed.
    new
        The template that is to be deployed.
    """
    before, after = old.get("Resources", {}), new.get("Resources", {})
    replaced = _replaced(before, after)
    changes = [Change(name, after[name]["Type"], "added") for name in after if name not in before]
    for name, was in before.items():
        now = after.get(name)
        if now is None:
            changes.append(Change(name, was["Type"], "removed", kept=was.get("DeletionPolicy") in _KEPT))
        elif name in replaced:
            kept = now.get("UpdateReplacePolicy") in _KEPT
            changes.append(Change(name, was["Type"], "replaced", replaced[name], kept))
        elif was.get("Properties") != now.get("Properties"):
            changes.append(Change(name, was["Type"], "changed"))
    return changes


def findings(changes: Sequence[Change], *, accepted: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield what would be lost. Each loss stops the deployment, unless the deployer has `accepted` it."""
    for change in changes:
        if change.loses is None:
            continue
        why = f" ({', '.join(change.because)} changes)" if change.because else ""
        stays = (
            "The present one stays in the account, but the stack no longer uses it."
            if change.kept
            else "The present one is deleted."
        )
        yield Finding(
            f"{change.resource} ({change.type}) would be {change.kind}{why}. "
            f"You would lose {change.loses}. {stays}",
            None
            if change.resource in accepted
            else f"--accept-loss {change.resource}   # if you accept that",
            stops=change.resource not in accepted,
        )


def index_findings(old: Template, new: Template) -> Iterator[Finding]:
    """Yield each table of which several indexes are made or deleted at once, which CloudFormation refuses."""
    before = old.get("Resources", {})
    for name, now in new.get("Resources", {}).items():
        was = before.get(name)
        if now["Type"] != "AWS::DynamoDB::Table" or was is None:
            continue
        old_indexes, new_indexes = _indexes(was), _indexes(now)
        steps = sum(
            2 if index in old_indexes and index in new_indexes else 1
            for index in old_indexes.keys() | new_indexes.keys()
            if old_indexes.get(index) != new_indexes.get(index)
        )
        if steps > 1:
            yield Finding(
                f"{name} would get or lose several indexes at once; CloudFormation takes one in each update. "
                "Deploy them one after the other. To change an index, add a new one under another name."
            )


def format_findings(old: Template, new: Template, *, accepted: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield why the new release could not live beside the running one.

    Both work on the same table, queues and executions for some minutes. The outputs of a stack say which
    format its release writes and which it reads (`parcelgate.store.formats`).
    """
    running, coming = _formats(old), _formats(new)
    if running is None or coming is None:
        return
    written, (oldest, newest) = running
    writes, (reads_from, reads_to) = coming
    if not reads_from <= written <= reads_to:
        yield Finding(
            f"This release cannot read what the running one has written: that is format {written}, and it "
            f"reads {reads_from} to {reads_to}. Deploy a release between the two first, one that reads "
            f"format {written} as well.",
            _HISTORY,
        )
    if not oldest <= writes <= newest:
        yield Finding(
            f"The running release cannot read what this one writes: that is format {writes}, and it reads "
            f"{oldest} to {newest}. Both run side by side for some minutes, and again if this one is taken "
            f"back. Deploy the last commit first that reads format {writes} and does not write it yet "
            f"({_HISTORY}). Or stop all clients, and wait until the queues are empty and no order flow runs; "
            "then there is no way back.",
            None
            if FORMAT in accepted
            else f"--accept-loss {FORMAT}   # if all has stopped and you need no way back",
            stops=FORMAT not in accepted,
        )


def _formats(template: Template) -> tuple[int, tuple[int, int]] | None:
    """Return the format that a release writes, and the oldest and newest that it reads, if it says so."""
    outputs = template.get("Outputs", {})
    if FORMAT not in outputs:
        return None
    oldest, _, newest = outputs["FormatsRead"]["Value"].partition("-")
    return int(outputs[FORMAT]["Value"]), (int(oldest), int(newest))


def summary(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each kind of change, with the resources that it is done to."""
    for kind in ("added", "changed", "replaced", "removed"):
        types = Counter(change.type.removeprefix("AWS::") for change in changes if change.kind == kind)
        if types:
            named = ", ".join(f"{number} {name}" for name, number in sorted(types.items()))
            yield f"{types.total()} {kind}: {named}"


def _replaced(before: Template, after: Template) -> dict[str, list[str]]:
    """Return the resources that would be made anew, each with the properties that cause it.

    A resource is also made anew if a property that cannot change names such a resource.
    """
    both = [name for name in before if name in after]
    replaced: dict[str, list[str]] = {}
    for name in both:
        was, now = before[name], after[name]
        if was["Type"] != now["Type"]:
            replaced[name] = ["Type"]
        elif because := [path for path in _fixed(now["Type"]) if _value(was, path) != _value(now, path)]:
            replaced[name] = because
    while True:
        follow = {
            name: because
            for name in both
            if name not in replaced
            if (
                because := [
                    p for p in _fixed(after[name]["Type"]) if _names(_value(after[name], p), replaced)
                ]
            )
        }
        if not follow:
            return replaced
        replaced |= follow


def _fixed(kind: str) -> list[str]:
    """Return the properties of a type that cannot change without a new resource, by AWS's schema."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, kind).schema
    except ResourceNotFoundError:
        return []
    paths = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    return [path.removeprefix("/properties/") for path in paths]


def _value(resource: Mapping[str, Any], path: str) -> Any:
    value: Any = resource.get("Properties", {})
    for part in path.split("/"):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _names(value: Any, resources: Mapping[str, Any]) -> bool:
    """Return whether a property's value is made from one of these resources."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name in resources
        case {"Fn::Sub": str(text)}:
            return any(f"${{{name}}}" in text or f"${{{name}." in text for name in resources)
        case Mapping():
            return any(_names(each, resources) for each in value.values())
        case [*parts]:
            return any(_names(each, resources) for each in parts)
    return False


def _indexes(table: Mapping[str, Any]) -> dict[str, Any]:
    indexes = table.get("Properties", {}).get("GlobalSecondaryIndexes", [])
    return {index["IndexName"]: index for index in indexes}
