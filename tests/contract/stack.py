"""The API over HTTP: several runs of the tool at once against a running stack.

Each run has a tenant of its own, with a key of every scope, a login at each carrier's sandbox and limits that
it cannot reach. Endpoints get their webhooks at a server of this process. At the end the queues must come to
rest. Then no function may have logged an error, no message may be among the dead letters, and the API must
answer.
"""

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from local.checks.checks import STATES, end_abandoned_stacks
from local.command.deployment import LOCAL_NAME, Deployment
from local.command.groups.logs import Reader, log_groups
from local.stack import stack as local_stack
from parcelgate.carriers import registry
from parcelgate.services.accounts import webhook_urls
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.errors import StoreError
from tests.contract import runs
from tests.contract.runs import Call, Run, Served
from tests.faults.stack.trials import Ground, merchants

UP = "up"
"""Names the stack of `make up`."""
_NO_LIMIT = 10**9
_LIMITS = dict.fromkeys(("requests", "orders", "batches", "refreshes"), _NO_LIMIT)
_QUIET_WITHIN = 240.0
"""Seconds in which the queues must have come to rest."""
_HELD_BACK = "OverLimitError"
"""What the log of a function names when the limits of a carrier account hold back a call."""
_TIMES = 3
"""How many times as long a run is as in one process: here its beginning takes long."""
_SHOWN_EVERY = 15.0


@dataclass
class Outcome:
    """What came of all runs."""

    runs: list[Run] = field(default_factory=list)
    invocations: int = 0
    """How often functions of the stack were invoked, by their logs."""
    held: frozenset[str] = frozenset()
    """The requests that were answered with 503 because the limits of an account held back its calls."""
    wrong: list[str] = field(default_factory=list)
    """What the stack says of it: errors in the logs, dead letters, an API that does not answer."""
    minutes: float = 0.0
    at_once: int = 1

    @property
    def answers(self) -> list[Call]:
        """All answers."""
        return [call for run in self.runs for call in run.answers]

    @property
    def errors(self) -> list[Call]:
        """The errors of the server that nothing explains."""
        return [call for call in self.answers if call.status >= 500 and not self._is_explained(call)]

    def _is_explained(self, call: Call) -> bool:
        return call.status == httpx.codes.SERVICE_UNAVAILABLE and call.request_id in self.held


class _Stack(NamedTuple):
    running: local_stack.Stack
    state: Path


def tried(which: str, cases: int, seed: int, at_once: int, folder: Path) -> Outcome:
    """Make `cases` calls or some more, in runs with the seeds from `seed` on, `at_once` of them at a time."""
    began, outcome = time.monotonic(), Outcome(at_once=at_once)
    runs.tool()
    with _stack(which) as (stack, state), merchants() as servers, _endpoint() as endpoint:
        ground = Ground(stack, Deployment.local(state / "stack.json"), servers)
        since = datetime.now(UTC)
        try:
            letters = _dead_letters(stack)
            _make_runs(outcome, ground, endpoint, cases, seed, folder)
            _say("the runs are over; waiting for the queues")
            if which != UP:
                # Parcels that go on are told of without end.
                ground.stop_the_clock()
            outcome.wrong += _at_rest(ground.deployment)
            _read_logs(outcome, ground.deployment, since)
            new = Counter(_dead_letters(stack)) - Counter(letters)
            outcome.wrong += [
                f"{count} messages are among the dead letters of {of}" for of, count in new.items()
            ]
            outcome.wrong += _unhealthy(stack)
        except (StoreError, httpx.HTTPError, BotoCoreError, ClientError) as error:
            outcome.wrong.append(
                f"the stack stopped answering ({type(error).__name__}); see {state / 'logs'}"
            )
    if which != UP and not outcome.wrong:
        shutil.rmtree(state, ignore_errors=True)
    outcome.minutes = (time.monotonic() - began) / 60
    return outcome


@contextmanager
def _stack(which: str) -> Iterator[_Stack]:
    if which == UP:
        with local_stack.at_hand() as stack:
            yield _Stack(stack, local_stack.STATE)
        return
    end_abandoned_stacks()
    state = STATES / str(os.getpid())
    with local_stack.running(state) as stack:
        yield _Stack(stack, state)


@contextmanager
def _endpoint() -> Iterator[str]:
    """A server that takes every webhook; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks"
    finally:
        server.shutdown()
        server.server_close()


def _make_runs(outcome: Outcome, ground: Ground, endpoint: str, cases: int, seed: int, folder: Path) -> None:
    """Start runs until there are enough calls."""
    folders: list[Path] = []
    lock, over = threading.Lock(), threading.Event()

    def so_far() -> list[Call]:
        return [call for each in list(folders) for call in runs.calls(each)]

    def line() -> None:
        while not over.is_set():
            with lock:
                if len(so_far()) >= cases:
                    return
                own = seed + len(folders)
                folders.append(folder / str(own))
            folders[own - seed].mkdir()
            served = _tenant(ground, endpoint, own)
            known = runs.fill(served, own)
            done = runs.run(served, own, folders[own - seed], known, checks=runs.CHECKS, times=_TIMES)
            outcome.runs.append(done)
            print(done.found, end="", flush=True)

    with ThreadPoolExecutor(outcome.at_once) as pool:
        lines = [pool.submit(line) for _ in range(outcome.at_once)]
        try:
            _show(so_far, cases, lambda: all(each.done() for each in lines) or any(map(_has_failed, lines)))
            for each in lines:
                each.result()
        except BaseException:
            over.set()
            runs.end()
            raise
        finally:
            outcome.runs.sort()


def _has_failed(line: Future[None]) -> bool:
    return line.done() and line.exception() is not None


def _show(so_far: Callable[[], list[Call]], cases: int, is_over: Callable[[], bool]) -> None:
    """Say how far it is until it is over."""
    began, shown, told = time.monotonic(), 0.0, Counter[Call]()
    while not is_over():
        time.sleep(0.5)
        seconds = time.monotonic() - began
        if seconds - shown < _SHOWN_EVERY:
            continue
        shown, made = seconds, so_far()
        errors = [call for call in made if call.status >= 500]
        left = (cases - len(made)) * seconds / 60 / max(1, len(made))
        pace = f"{len(made) / seconds:.1f} a second, about {max(0.0, left):.0f} min left"
        _say(f"{len(made)} of {cases} calls, {pace}, {len(errors)} errors of the server")
        for call in (Counter(errors) - told).elements():
            _say(f"    {runs.words(call)}")
        told = Counter(errors)


def _tenant(ground: Ground, endpoint: str, seed: int) -> Served:
    """Open a tenant that no limit holds up."""
    tenant = f"contract-{seed}-{os.getpid()}"
    ground.deployment.usage.set_limits(tenant, _LIMITS)
    trial = ground.trial(tenant, tuple(registry.trackers()), limits=runs.account_limits())
    trial.http.close()
    outputs = ground.deployment.outputs
    push = webhook_urls.webhook_url(
        ground.table,
        ground.secrets,
        Hook(tenant, "lme", "default"),
        secret_prefix=outputs["SecretPrefix"],
        base_url=outputs["WebhookBaseUrl"],
    )
    return Served(ground.stack.api_url, trial.key, [], endpoint, push)


def _at_rest(deployment: Deployment) -> list[str]:
    """Wait until no queue has messages to be worked on now. Returns what still has some."""
    queues, deadline = deployment.client("sqs"), time.monotonic() + _QUIET_WITHIN
    urls = [url for url in queues.list_queues(MaxResults=1000)["QueueUrls"] if "DeadLetter" not in url]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    while True:
        lengths = {
            url.rpartition("/")[2]: sum(
                int(value)
                for value in queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)[
                    "Attributes"
                ].values()
            )
            for url in urls
        }
        left = [
            f"{name} has {length} messages that nobody works on" for name, length in lengths.items() if length
        ]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(3)


def _read_logs(outcome: Outcome, deployment: Deployment, since: datetime) -> None:
    """Note what the functions have logged."""
    groups = log_groups(deployment.client("lambda"), f"{LOCAL_NAME}-", ())
    lines = Reader(deployment.client("logs"), groups, since, None).new()
    outcome.invocations = sum(line.message.startswith("START RequestId") for line in lines)
    held = (line.fields.get("request_id") for line in lines if line.fields.get("error") == _HELD_BACK)
    outcome.held = frozenset(map(str, held))
    outcome.wrong += [line.words() for line in lines if line.level in ("error", "critical")]


def _dead_letters(stack: local_stack.Stack) -> dict[str, int]:
    """How many messages each dead-letter queue has."""
    answer = _get(stack, "/v1/dead-letters").raise_for_status().json()
    return {queue["queue"]: queue["messages"] for queue in answer["data"]}


def _unhealthy(stack: local_stack.Stack) -> list[str]:
    """What says that the stack no longer works."""
    answers = {path: _get(stack, path).status_code for path in ("/v1/health", "/v1/orders", "/v1/carriers")}
    return [
        f"GET {path} answers with {status} afterwards" for path, status in answers.items() if status != 200
    ]


def _get(stack: local_stack.Stack, path: str) -> httpx.Response:
    key = {"authorization": f"Bearer {stack.api_key}"}
    return httpx.get(f"{stack.api_url}{path}", headers=key, timeout=60, trust_env=False)


def report(outcome: Outcome, command: str) -> str:
    """The outcome as tables for the page."""
    answers = outcome.answers
    of_each = Counter(call.operation for call in answers)
    classes = runs.by_class(answers)
    rows = {
        "calls": len(answers),
        "operations called": len(of_each),
        "calls of the operation that was called least": min(of_each.values(), default=0),
        "sequences of calls": sum(run.sequences for run in outcome.runs),
        "tenants, one for each run of the tool": len(outcome.runs),
        **{f"answers {name}": count for name, count in classes.items()},
        "of them 503 because a carrier account was at its limit": classes["5xx"] - len(outcome.errors),
        "answers that are not as the document says": sum(run.wrong for run in outcome.runs),
        "invocations of functions": outcome.invocations,
        "errors in their logs, dead letters and the like": len(outcome.wrong),
    }
    how = f"{outcome.at_once} runs at once, {outcome.minutes:.0f} minutes with the start of the stack."
    lines = [f"| {name} | {count:,} |" for name, count in rows.items()]
    head = f"`{command}`, {datetime.now(UTC):%d %B %Y}: {how}"
    return "\n".join((head, "", "| | |", "|---|---|", *lines))


def _say(line: str) -> None:
    print(line, flush=True)
