"""A small Step Functions: runs the very definition that is deployed, with handlers in this process.

It knows what the order flow uses: Task (plain, and waiting for a task token with a time-out and a heartbeat),
Retry with back-off (jitter left out: the longest wait is the one that is tried), Catch, Wait, Pass, Succeed,
Fail.
Time is a `FakeClock`. Billed transitions are counted as AWS counts them for standard workflows: one for
the start, one for each state entered, one for each retry.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from tests.support.clock import FakeClock
from tests.support.faults import Killed

type Function = Callable[[dict[str, Any]], Any]

MACHINE = "arn:aws:states:eu-central-1:000000000000:stateMachine:parcelgate-test-order-flow"


class TaskError(Exception):
    """A state failed with an error of this name."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name


class Execution:
    """One run of the machine."""

    def __init__(self, name: str, given: str, started_at: datetime) -> None:
        self.name = name
        self.input = given
        self.started_at = started_at
        self.status = "RUNNING"
        self.transitions = 1
        self.path: list[str] = []
        self.retries = 0
        self.ticket = 0
        self.parked_on: str | None = None
        self.steps: Iterator[float] = iter(())


class StepFunctions:
    """The machine and its executions; also the client by which functions reach them.

    Parameters
    ----------
    definition
        The state machine in Amazon States Language; `FunctionName` is a key of `functions`.
    functions
        The handlers, by name.
    clock
        Moves everything.
    on_end
        Told of each execution that ends.
    death
        What a plain task fails with whose function has died.
    swallows
        Whether the death of a function in a token task goes unseen until the task's time-out, as on the
        emulator; on AWS it fails the task at once.
    """

    def __init__(
        self,
        definition: Mapping[str, Any],
        functions: Mapping[str, Function],
        clock: FakeClock,
        *,
        on_end: Callable[[Execution], None] = lambda _: None,
        death: str = "Lambda.Unknown",
        swallows: bool = True,
    ) -> None:
        self.definition = definition
        self.executions: dict[str, Execution] = {}
        self._functions = functions
        self._clock = clock
        self._on_end = on_end
        self._death = death
        self._swallows = swallows
        self._waiting: dict[str, Execution] = {}
        self._results: dict[str, TaskError | None] = {}
        self._beats: dict[str, datetime] = {}
        self._heartbeat: dict[str, timedelta] = {}
        self._numbers = count(1)

    # What functions call

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: N803
        earlier = self.executions.get(name)
        if earlier is not None:
            if earlier.status == "RUNNING" and earlier.input == input:
                return {"executionArn": self._arn(name)}
            raise _error("ExecutionAlreadyExists", "StartExecution")
        execution = Execution(name, input, self._clock.now)
        self.executions[name] = execution
        execution.steps = self._run(execution)
        self._resume(execution, after=0)
        return {"executionArn": self._arn(name)}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        name = executionArn.rpartition(":")[2]
        if executionArn != self._arn(name) or name not in self.executions:
            raise _error("ExecutionDoesNotExist", "DescribeExecution")
        return {"status": self.executions[name].status}

    def send_task_success(self, *, taskToken: str, output: str) -> None:  # noqa: N803
        json.loads(output)
        self._settle(taskToken, None)

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:  # noqa: N803
        self._settle(taskToken, TaskError(error, cause))

    def send_task_heartbeat(self, *, taskToken: str) -> None:  # noqa: N803
        if taskToken not in self._waiting or self._beat_is_late(taskToken):
            raise _error("TaskTimedOut", "SendTask")
        self._beats[taskToken] = self._clock.now

    def abort(self, name: str) -> None:
        """As an operator aborts an execution."""
        self._end(self.executions[name], "ABORTED")

    # How it runs

    def _settle(self, token: str, result: TaskError | None) -> None:
        execution = self._waiting.get(token)
        if execution is None or self._beat_is_late(token):
            raise _error("TaskTimedOut", "SendTask")
        if token in self._results:
            raise _error("TaskDoesNotExist", "SendTask")
        self._results[token] = result
        if execution.parked_on == token:
            self._resume(execution, after=0)

    def _resume(self, execution: Execution, *, after: float) -> None:
        execution.ticket += 1
        ticket = execution.ticket

        def go_on() -> None:
            if execution.ticket != ticket or execution.status != "RUNNING":
                return
            wait = next(execution.steps, None)
            if wait is not None and execution.ticket == ticket:
                self._resume(execution, after=wait)

        self._clock.after(after, go_on)

    def _run(self, execution: Execution) -> Iterator[float]:
        name: str | None = self.definition["StartAt"]
        while name is not None:
            state = self.definition["States"][name]
            execution.transitions += 1
            execution.path.append(name)
            match state["Type"]:
                case "Task":
                    try:
                        yield from self._task(execution, state)
                    except TaskError as error:
                        name = _caught(state, error.name)
                        if name is None:
                            self._end(execution, "FAILED")
                            return
                        continue
                case "Wait":
                    yield float(state["Seconds"])
                case "Fail":
                    self._end(execution, "FAILED")
                    return
                case "Pass" | "Succeed":
                    pass
                case other:
                    raise AssertionError(f"this machine knows no {other}")
            name = None if state.get("End") or state["Type"] == "Succeed" else state["Next"]
        self._end(execution, "SUCCEEDED")

    def _task(self, execution: Execution, state: Mapping[str, Any]) -> Iterator[float]:
        used = [0] * len(state.get("Retry", ()))
        while True:
            try:
                yield from self._attempt(execution, state)
            except TaskError as error:
                wait = _retried(state, error.name, used)
                if wait is None:
                    raise
                execution.transitions += 1
                execution.retries += 1
                yield wait
            else:
                return

    def _attempt(self, execution: Execution, state: Mapping[str, Any]) -> Iterator[float]:
        waits = state["Resource"].endswith(".waitForTaskToken")
        token = f"task-token-{next(self._numbers)}"
        began = self._clock.now
        if waits:
            self._waiting[token] = execution
            self._beats[token] = began
            self._heartbeat[token] = timedelta(seconds=state.get("HeartbeatSeconds", state["TimeoutSeconds"]))
        function = self._functions[state["Parameters"]["FunctionName"]]
        payload = _payload(state["Parameters"]["Payload"], execution, token)
        try:
            function(payload)
        except Killed:
            if not waits or not self._swallows:
                raise TaskError(self._death) from None
        except Exception as error:
            if not waits or not self._swallows:
                raise TaskError(type(error).__name__, str(error)) from error
        if not waits:
            return
        if token not in self._results:
            end = min(
                began + timedelta(seconds=state["TimeoutSeconds"]),
                self._beats[token] + self._heartbeat[token],
            )
            execution.parked_on = token
            yield max(0.0, (end - self._clock.now).total_seconds())
            execution.parked_on = None
        del self._waiting[token]
        if token not in self._results:
            raise TaskError("States.Timeout")
        result = self._results[token]
        if result is not None:
            raise result

    def _beat_is_late(self, token: str) -> bool:
        return self._clock.now > self._beats[token] + self._heartbeat[token]

    def _end(self, execution: Execution, status: str) -> None:
        execution.status = status
        self._waiting = {token: other for token, other in self._waiting.items() if other is not execution}
        self._on_end(execution)

    @staticmethod
    def _arn(name: str) -> str:
        return f"{MACHINE.replace(':stateMachine:', ':execution:')}:{name}"


def _payload(template: Mapping[str, str], execution: Execution, token: str) -> dict[str, Any]:
    given = json.loads(execution.input)
    context = {
        "$$.Execution.StartTime": execution.started_at.isoformat().replace("+00:00", "Z"),
        "$$.Execution.Input": given,
        "$$.Task.Token": token,
    }

    def value(path: str) -> Any:
        return context[path] if path.startswith("$$.") else given[path.removeprefix("$.")]

    return {
        key.removesuffix(".$"): value(given_as) if key.endswith(".$") else given_as
        for key, given_as in template.items()
    }


def _matches(names: list[str], error: str) -> bool:
    if error in names or "States.ALL" in names:
        return True
    return "States.TaskFailed" in names and error != "States.Timeout"


def _retried(state: Mapping[str, Any], error: str, used: list[int]) -> float | None:
    for place, retrier in enumerate(state.get("Retry", ())):
        if _matches(retrier["ErrorEquals"], error):
            if used[place] >= retrier.get("MaxAttempts", 3):
                return None
            wait = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** min(used[place], 60)
            used[place] += 1
            return float(min(wait, retrier.get("MaxDelaySeconds", wait)))
    return None


def _caught(state: Mapping[str, Any], error: str) -> str | None:
    for catcher in state.get("Catch", ()):
        if _matches(catcher["ErrorEquals"], error):
            return str(catcher["Next"])
    return None


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "made up by a test"}}, operation)
