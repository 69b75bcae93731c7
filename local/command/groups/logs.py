"""`parcelgate logs`: what the functions of a stack have written, in the sequence of time."""

import json
import re
import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import typer

from local.command import access
from local.command.access import JsonOption, StackOption, example, reported
from local.command.deployment import LOCAL_NAME, Deployment
from local.command.rendering import NOT_FOUND, WRONG_USE, fail, json_text, note, say, show_json

LEVELS = ("debug", "info", "warning", "error", "critical")
_OVERLAP = timedelta(seconds=15)
"""CloudWatch may show a line some seconds after a later one. So each look begins a little before the last."""
_LOOK_SECONDS = 2.0
_THROTTLED_SECONDS = 1.0
_TRIES = 8
_MOST_AT_ONCE = 10_000
"""How many lines one answer holds at most. The emulator gives no token for those behind them."""
_FAILURES = ("[ERROR]", "Task timed out", "Runtime exited", "Runtime.")
"""What Lambda itself writes, which is no JSON, when a function fails."""
_MACHINERY = frozenset({"timestamp", "service", "function_request_id", "location", "xray_trace_id"})
_SMOKE_TEST = "smoke-test"
"""The request of `parcelgate.http.smoke`, which is not imported: it would load the routes of the API."""
_SPAN = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Line:
    """One line of a log. `fields` are what a line of JSON has beside its level and message."""

    at: datetime
    function: str
    level: str
    message: str
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, function: str, event: Mapping[str, Any]) -> "Line":
        """Read an event of CloudWatch Logs."""
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        text = event["message"].strip()
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or "message" not in found:
            failed = found is None and any(word in text for word in _FAILURES)
            return cls(at, function, "error" if failed else "debug", text, {})
        fields = {name: value for name, value in found.items() if name not in ("message", "level")}
        return cls(at, function, str(found.get("level", "info")).lower(), str(found["message"]), fields)

    def is_wanted(self, order: str | None, level: str) -> bool:
        """Whether the line is about the order, and of this level or a worse one."""
        rank = LEVELS.index(self.level) if self.level in LEVELS else 1
        about = order is None or order == self.fields.get("order_id") or order in self.message
        return about and rank >= LEVELS.index(level)

    @property
    def is_smoke_test(self) -> bool:
        """Whether the line says that a deployment's question was refused, as it must be."""
        return self.level == "info" and self.fields.get("request_id") == _SMOKE_TEST

    def words(self) -> str:
        """Return the line for a person."""
        shown = " ".join(
            f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
            for name, value in self.fields.items()
            if name not in _MACHINERY and value is not None
        )
        moment = f"{self.at:%Y-%m-%d %H:%M:%S}.{self.at.microsecond // 1000:03}"
        # Words of others may have line breaks, which would make another line of the log.
        message, shown = (" ".join(text.split()) for text in (self.message, shown))
        return f"{moment} {self.level.upper():8} {self.function:20} {message}{f'  {shown}' if shown else ''}"

    def as_json(self) -> dict[str, Any]:
        """Return the line for a script."""
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        names = {"at": at, "function": self.function, "level": self.level, "message": self.message}
        return {**names, "fields": {**self.fields}}


def logs(
    order: Annotated[str | None, typer.Argument(metavar="[ORDER_ID]", help="Only lines about it.")] = None,
    functions: Annotated[
        list[str] | None, typer.Option("--function", "-f", help="Only of this function. May be repeated.")
    ] = None,
    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        typer.Option(help="This level and worse ones. `debug` shows the lines of Lambda itself, too."),
    ] = "info",
    since: Annotated[
        str, typer.Option(help="How long ago (30s, 15m, 2h, 3d), or a date or a time in UTC.")
    ] = "1h",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is written from now on.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The largest number of lines; the newest ones.")] = 1000,
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the functions have written, the oldest line first, with your AWS credentials.

    An order that goes well can write nothing. Refused smoke tests of deployments are shown with --function or
    --level debug.

    With --follow, --json prints one object for each line, and otherwise one array.
    """
    begin = _begin(since, now=datetime.now(UTC))
    deployment = Deployment.named(stack)
    prefix = f"{(stack or LOCAL_NAME)}-"
    groups = log_groups(deployment.client("lambda"), prefix, functions or ())
    # The emulator takes any such pattern for one that fits everything, or for one that fits nothing.
    pattern = _pattern(order, level) if stack is not None else None
    reader = Reader(deployment.client("logs"), groups, begin, pattern)
    smoke = level == "debug" or bool(functions)

    def wanted() -> Iterator[Line]:
        return (
            line
            for line in reader.new()
            if line.is_wanted(order, level) and (smoke or not line.is_smoke_test)
        )

    with reported():
        found = [*wanted()]
        if len(found) > limit:
            note(f"The newest {limit} of {len(found)} lines; --limit shows more.")
        _show(found[-limit:], as_json=as_json, each=follow)
        if not found and not follow:
            note(_nothing(deployment.client("lambda"), prefix, order, level))
        while follow:
            access.sleep(_LOOK_SECONDS)
            _show(wanted(), as_json=as_json, each=True)


class Reader:
    """Reads the lines of some log groups, and gives each line once.

    Parameters
    ----------
    client
        The client of CloudWatch Logs.
    groups
        The log group of each function, by the function's name.
    begin
        The time of the first line.
    pattern
        What CloudWatch leaves out, as a filter pattern; None: nothing.
    """

    def __init__(self, client: Any, groups: Mapping[str, str], begin: datetime, pattern: str | None) -> None:
        self._client = client
        self._groups = groups
        self._pattern = {"filterPattern": pattern} if pattern else {}
        self._begin = {function: int(begin.timestamp() * 1000) for function in groups}
        self._seen: dict[str, dict[Hashable, int]] = {function: {} for function in groups}

    def new(self) -> list[Line]:
        """Return the lines that it has not given yet, by their times."""
        return [Line.of(function, event) for function, event in self.events()]

    def events(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the same as CloudWatch has it: each with its function."""
        found = [(function, event) for function in self._groups for event in self._events(function)]
        return sorted(found, key=lambda each: each[1]["timestamp"])

    def _events(self, function: str) -> Iterator[Mapping[str, Any]]:
        seen = self._seen[function]
        for event in self._all(self._groups[function], self._begin[function]):
            name = _name(event)
            if name not in seen:
                seen[name] = event["timestamp"]
                yield event
        if seen:
            overlap = int(_OVERLAP.total_seconds() * 1000)
            begin = max(self._begin[function], max(seen.values()) - overlap)
            self._begin[function] = begin
            self._seen[function] = {name: at for name, at in seen.items() if at >= begin}

    def _all(self, group: str, begin: int) -> Iterator[Mapping[str, Any]]:
        more: dict[str, Any] = {}
        while True:
            page = self._page(logGroupName=group, startTime=begin, **self._pattern, **more)
            events = page["events"]
            yield from events
            if token := page.get("nextToken"):
                more = {"nextToken": token}
            elif len(events) < _MOST_AT_ONCE or events[-1]["timestamp"] == begin:
                return
            else:
                begin, more = events[-1]["timestamp"], {}

    def _page(self, **request: Any) -> Any:
        for attempt in range(1, _TRIES + 1):
            try:
                return self._client.filter_log_events(**request)
            except self._client.exceptions.ResourceNotFoundException:
                # The function has written nothing yet.
                return {"events": []}
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "ThrottlingException" or attempt == _TRIES:
                    raise
                access.sleep(_THROTTLED_SECONDS * attempt)
        raise AssertionError


def _name(event: Mapping[str, Any]) -> Hashable:
    """Return what tells an event from all others. The emulator gives most events no id."""
    return event.get("eventId") or (event.get("logStreamName"), event["timestamp"], event["message"])


def _functions(client: Any, prefix: str) -> dict[str, Any]:
    """Return what AWS says of each function of the stack, by its name."""
    pages = client.get_paginator("list_functions").paginate()
    return {
        each["FunctionName"].removeprefix(prefix): each
        for page in pages
        for each in page["Functions"]
        # Another stack's name may begin with this one's. No function of ours has a hyphen in its own name.
        if each["FunctionName"].startswith(prefix) and "-" not in each["FunctionName"].removeprefix(prefix)
    }


def _nothing(client: Any, prefix: str, order: str | None, level: str) -> str:
    """Say that there is no line, and what that means."""
    variables = [
        each.get("Environment", {}).get("Variables", {}) for each in _functions(client, prefix).values()
    ]
    levels = {each["LOG_LEVEL"] for each in variables if "LOG_LEVEL" in each} or {"INFO"}
    words = f"Nothing was written at level {level} or worse. "
    words += f"The functions write from {' or '.join(sorted(levels)).lower()} on"
    if order is None:
        return f"{words}."
    return (
        f"{words}, and an order that goes well can write none: `parcelgate orders get {order} --events` "
        "shows what happened to it. --since looks further back."
    )


def log_groups(client: Any, prefix: str, wanted: Sequence[str]) -> dict[str, str]:
    """Return the log group of each function of the stack, or of the wanted ones."""
    groups = {
        name: (each.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{each['FunctionName']}"
        for name, each in _functions(client, prefix).items()
    }
    if unknown := [name for name in wanted if name not in groups]:
        fail(
            f"The stack has no function {', '.join(unknown)}. It has: {', '.join(sorted(groups))}.",
            code=NOT_FOUND,
        )
    return {name: group for name, group in groups.items() if not wanted or name in wanted}


def _pattern(order: str | None, level: str) -> str | None:
    """Return what has CloudWatch leave out most of what is not wanted."""
    if order is not None:
        return json.dumps(order)
    worse = LEVELS[LEVELS.index(level) :]
    if level in ("debug", "info"):
        return None
    words = [*map(str.upper, worse), *map(json.dumps, _FAILURES)]
    return " ".join(f"?{word}" for word in words)


def _begin(text: str, *, now: datetime) -> datetime:
    if span := _SPAN.fullmatch(text.strip()):
        try:
            return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        except OverflowError:
            fail(f"{text} is too long ago.", code=WRONG_USE)
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        fail(f"{text} is no time. It looks like 15m, 2h, 3d or 2026-11-27T15:00.", code=WRONG_USE)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _show(lines: Iterable[Line], *, as_json: bool, each: bool) -> None:
    if as_json and not each:
        show_json([line.as_json() for line in lines])
        return
    for line in lines:
        if as_json:
            sys.stdout.write(json_text(line.as_json()) + "\n")
        else:
            say(line.words())
    sys.stdout.flush()


EXAMPLES = example(
    "parcelgate logs ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ --since 2d",
    "parcelgate logs --function submit_order --level warning --follow",
    "parcelgate logs --level error --since 30m --stack parcelgate-production --json",
)
