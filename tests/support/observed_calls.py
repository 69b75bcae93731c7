"""What each function asked of AWS while the tests ran, beside what its role may do.

`tests/conftest.py` collects the calls of every test process and compares them once, when a run of the whole
suite is over. So it does not matter which test made a call, in which order, in which process.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

type Calls = dict[str, set[tuple[str, str]]]
"""For each function what it asked: on what, which action."""

calls: Calls = defaultdict(set)
"""The calls of this process."""

_SERVICES = {
    "dynamodb": "dynamodb",
    "events": "events",
    "kms": "kms",
    "s3": "s3",
    "secrets": "secretsmanager",
    "secretsmanager": "secretsmanager",
    "sqs": "sqs",
    "states": "states",
    "stepfunctions": "states",
}
"""IAM's names of services, by the clients' and the tests'."""
_QUEUES = (
    ("letters-deliveries", "delivery dead letters"),
    ("letters-inbox", "inbox dead letters"),
    ("letters-labels", "label dead letters"),
    ("letters-batches", "batch dead letters"),
    ("letters-retries", "retry dead letters"),
    ("letters-changes", "changes dead letters"),
    ("letters-order-flow", "order flow dead letters"),
    ("letters-sweep", "sweep dead letters"),
    ("letters-tracking-polls", "poll dead letters"),
    ("labels", "label queue"),
    ("prints", "print queue"),
    ("inbox", "inbox queue"),
    ("polls", "nudge queue"),
    ("nudges", "nudge queue"),
    ("batch", "batch queue"),
    ("retry", "retry queue"),
    ("deliveries", "delivery queue"),
    ("dead-changes", "changes dead letters"),
    ("dead", "retry dead letters"),
)
"""What queues are called in `tests/infra/test_permissions.py`, by how their names begin in tests."""
_LOOKS = re.compile(r"tests/support/table\.py$")
"""A test's own look at the whole table, which it may take while a function runs."""
_HANDLER = re.compile(r"functions/(\w+)/handler\.py$")
_running: list[str] = []


@contextmanager
def running(function: str) -> Iterator[None]:
    """Say that what is called within is called by this function, in whichever thread."""
    _running.append(function)
    try:
        yield
    finally:
        _running.pop()


def note(service: str, operation: str, arguments: Mapping[str, Any]) -> None:
    """Remember a call, when a function makes it.

    Parameters
    ----------
    service, operation
        As the client names them, such as `dynamodb` and `put_item` or `PutItem`.
    arguments
        The call's own.
    """
    function = _calling_function()
    if function is not None and service in _SERVICES:
        name = "".join(map(str.capitalize, operation.split("_"))) if operation.islower() else operation
        calls[function] |= _actions(_SERVICES[service], name, arguments)


def note_call_of_botocore(model: Any, params: Mapping[str, Any], **_: Any) -> None:
    """Remember a call of a client of botocore's, or a link that it signs: for its event."""
    note(model.service_model.service_name, model.name, params)


def _calling_function() -> str | None:
    """The innermost handler that is being run; in a thread of its own, what `running` says."""
    frame = sys._getframe(2)
    while frame is not None:
        if _LOOKS.search(frame.f_code.co_filename):
            return None
        match = _HANDLER.search(frame.f_code.co_filename)
        if match:
            return match[1]
        frame = frame.f_back  # type: ignore[assignment]
    return _running[-1] if _running else None


def _actions(service: str, name: str, arguments: Mapping[str, Any]) -> set[tuple[str, str]]:
    if name == "TransactWriteItems":
        writes = {
            (kind, _subject(service, name, write))
            for entry in arguments["TransactItems"]
            for kind, write in entry.items()
        }
        return {(subject, f"dynamodb:{kind}Item") for kind, subject in writes}
    action = {"SendMessageBatch": "SendMessage", "ListObjectVersions": "ListBucketVersions"}.get(name, name)
    if name == "DeleteObject" and arguments.get("VersionId"):
        action = "DeleteObjectVersion"
    return {(_subject(service, name, arguments), f"{service}:{action}")}


def _subject(service: str, name: str, arguments: Mapping[str, Any]) -> str:
    match service:
        case "dynamodb":
            name = arguments.get("TableName") or next(iter(arguments["RequestItems"]))
            table = next((f"{kind} table" for kind in ("events", "usage") if name.startswith(kind)), "table")
            index = arguments.get("IndexName")
            return f"{table} {index}" if index else table
        case "sqs":
            queue = arguments["QueueUrl"].rpartition("/")[2]
            return next((ours for start, ours in _QUEUES if queue.startswith(start)), queue)
        case "s3":
            if not arguments["Bucket"].startswith("labels"):
                return "batch bodies"
            if name == "ListObjectVersions":
                return "list of labels"
            return "label documents" if arguments["Key"].startswith("_documents/") else "labels"
        case "states":
            return "executions" if name == "DescribeExecution" else "order flow"
    return {"secretsmanager": "accounts", "kms": "key", "events": "event bus"}[service]
