"""The real engine, led along a trace of the model: each function stops before each of its calls.

Every function under way is a coroutine over the real services. It stops before a write of the order, a
call of the carrier, a message and a word to the workflow; a step of the trace lets one of them make its next
call, with the outcome that the trace names. So any interleaving of the model is played with the real code,
and after each step the stored order, the messages and the next call of each function are compared with it.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from greenlet import getcurrent, greenlet

from parcelgate.carriers.errors import (
    PartlyRefusedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import (
    Cancellation,
    Confirmed,
    Examination,
    Failed,
    NotFound,
    OrderResult,
    ParcelResult,
    Pending,
    Submitted,
)
from parcelgate.domain.orders import Order as RealOrder
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import CarrierWords, ProblemError
from parcelgate.runtime import runtime
from parcelgate.services.orders import transitions
from parcelgate.services.orders.order_flow import workflow
from parcelgate.services.orders.order_flow.workflow import TaskInput
from parcelgate.services.orders.retry_queues import RetryMessage
from parcelgate.services.redelivery import NotYetError, ReceivedMessage
from parcelgate.store.due import DueRef
from tests.model.order_life import FINAL, OPEN, RUNNING, Order, OrderLife, State
from tests.support.faults import Call, Killed
from tests.support.orders import an_event, an_order
from tests.support.world import World

TICK = timedelta(seconds=66)
HOUR = timedelta(minutes=63)
DAYS = timedelta(hours=40)
_STEPS = {"tick": TICK, "hour": HOUR, "days": DAYS}
MOST_HOURS = 10
"""More of them would end deadlines that only days may end."""
ENVIRONMENT = {"PARCELGATE_DEADLINE_MARGIN": "3600", "PARCELGATE_ORDER_DEADLINE": "43200"}
_POINTS = {
    ("dynamodb", "transact_write_items"): "write",
    ("carrier", "create"): "create",
    ("carrier", "look_up"): "look up",
    ("carrier", "cancel"): "cancel",
    ("states", "start_execution"): "start",
    ("states", "send_task_failure"): "wake",
    ("states", "send_task_success"): "call back",
}
_STEP = re.compile(r"(\d) [a-z ]+: (.+)")
WORDS = CarrierWords("model", "1", "so it is")


class DifferenceError(AssertionError):
    """The engine is not where the model is."""


class _AtOnce:
    """A carrier that answers at once, whose every answer is a step of the trace."""

    def __init__(self, world: World) -> None:
        self._world = world

    def examine(self, order: RealOrder) -> Examination:
        return Examination()

    def create(self, order: RealOrder, *, callback_url: str | None = None) -> Any:
        return self._out("create")

    def find_by_reference(self, order: RealOrder) -> OrderResult:
        result: OrderResult = self._out("look_up")
        return result

    def cancel(self, order: RealOrder, *, at: Any) -> Cancellation:
        result: Cancellation = self._out("cancel")
        return result

    def track(self, tracking_numbers: Any) -> list[Any]:
        return []

    def _out(self, call: str) -> Any:
        return self._world.faults.make(Call("carrier", call, {}), lambda: None)


class _Later(_AtOnce):
    """A carrier that confirms later."""

    may_resend = False

    def order_result(self, order: RealOrder) -> OrderResult:
        return self.find_by_reference(order)


class _Resends(_Later):
    may_resend = True


class _Function:
    """A function under way, and the call that it makes next."""

    def __init__(self, kind: str, message: str, work: Callable[[], None]) -> None:
        self.kind, self.message = kind, message
        self.point: str | None = None
        self.first_write = False
        self.error: BaseException | None = None
        self.over = ""
        self._greenlet = greenlet(lambda _: self._run(work))

    def go_on(self, answer: Any = None) -> None:
        self.point = self._greenlet.switch(answer)

    def die(self) -> None:
        if not self._greenlet.dead:
            self._greenlet.throw(Killed("it dies here"))

    @property
    def current(self) -> bool:
        return getcurrent() is self._greenlet

    @property
    def finished(self) -> bool:
        return bool(self._greenlet.dead)

    def stop(self, point: str) -> Any:
        """Wait before a call. Returns what is to come of it."""
        return self._greenlet.parent.switch(point)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Killed:
            self.over = "dead"
        except NotYetError:
            self.over = "again"
        except workflow.EXPECTED as error:
            self.over = type(error).__name__
        except Exception as error:
            self.error = error


class Engine:
    """One order in a world of its own, and the functions that work on it."""

    def __init__(self, make: Callable[..., World], patch: pytest.MonkeyPatch, life: OrderLife) -> None:
        carrier = (_Resends if life.resends else _Later) if life.later else _AtOnce
        self.world = make(carrier=carrier, environment=ENVIRONMENT)
        self.world.faults.make = self._make  # type: ignore[method-assign]
        self.functions: list[_Function] = []
        self.bodies: list[str] = []
        self.flow, self.token, self.tokens = "none", "", 0
        patch.setattr(transitions, "settle", self._settle)
        # Labels are not in the model.
        patch.setattr(transitions, "wants_label", lambda order: False)
        patch.setattr(transitions, "label_given_up", lambda order, **_: None)
        at = self.world.clock.now
        stored = an_order(
            at=at, carrier="lso" if life.later else "ubi", watch_at=transitions.soon(self.world.settings, at)
        )
        self.world.table.tenant(stored.tenant).orders.add(stored, an_event(at=at))
        self.first, self.later = stored, life.later
        if life.later:
            self._begin("start", "", lambda: runtime.order_intake.start(stored))
        else:
            self._begin("request", "", lambda: self.world.submitter.submit(stored, self._time()))

    def step(self, name: str, before: State) -> None:
        """Let happen what a step of the model names; `before` is the model's state before it."""
        if name in _STEPS:
            self._kill_all()
            self.world.clock.sleep(_STEPS[name].total_seconds())
        elif name.startswith("begin "):
            self._begin_named(name.removeprefix("begin "))
        elif name in ("the callback's time is over", "the pause is over", "the workflow breaks"):
            flows = {"the callback's time is over": "check", "the pause is over": "to submit"}
            self.flow = flows.get(name, "broken")
        elif (match := _STEP.fullmatch(name)) is not None:
            self._go_on(int(match[1]), match[2], before)

    def close(self) -> None:
        """End everything that is under way."""
        self._kill_all()

    # Functions

    def _begin_named(self, name: str) -> None:
        kind = next(each for each in _BEGINNINGS if name == each or name.startswith(f"{each} "))
        if kind == "cancel" and name.startswith("cancel again"):
            kind = "cancel again"
        message = name.removeprefix(kind).strip()
        self._begin(kind, message, lambda: _BEGINNINGS[kind](self, message))

    def _begin(self, kind: str, message: str, work: Callable[[], None]) -> None:
        if kind == "submit":
            self.tokens += 1
            self.flow, self.token = "submitting", f"token-{self.tokens}"
        function = _Function(kind, message, work)
        self.functions.append(function)
        function.go_on()
        self._look_at(function)

    def _go_on(self, place: int, what: str, before: State) -> None:
        function = self.functions[place]
        if what == "dies":
            function.die()
        else:
            function.go_on((what.rpartition(" -> ")[2], before))
        self._look_at(function)

    def _look_at(self, function: _Function) -> None:
        """Take a function away that has ended, with what follows from its end."""
        if not function.finished:
            return
        self.functions.remove(function)
        if function.error is not None:
            raise DifferenceError(f"{function.kind} ended in {function.error!r}") from function.error
        if function.over == "dead":
            return
        if function.message and not function.over:
            self.bodies = [body for body in self.bodies if self._name(body) != function.message]
        ends = {
            ("check", ""): "ended",
            ("check", "OrderFailed"): "refund",
            ("check", "NotSubmitted"): "pause",
            ("check", "SubmitLater"): "pause",
            ("check", "DeadlinePassed"): "escalate",
            ("refund", ""): "ended",
            ("refund", "DeadlinePassed"): "escalate",
            ("escalate", ""): "ended",
        }
        if self.flow == function.kind:
            self.flow = ends.get((function.kind, function.over), self.flow)

    def _kill_all(self) -> None:
        for function in self.functions:
            function.die()
        self.functions.clear()

    def _task(self) -> TaskInput:
        return TaskInput(
            tenant=self.first.tenant,
            order_id=self.first.id,
            started_at=self.first.created_at,
            task_token=self.token,
        )

    def _time(self) -> Any:
        return self.world.time_left(60)

    def cancel(self, _: str) -> None:
        try:
            runtime.order_canceller.cancel(self.first.tenant, self.first.id, self._time())
        except ProblemError:
            return

    def retry(self, message: str) -> None:
        body = next(body for body in self.bodies if self._name(body) == message)
        received = ReceivedMessage(queue="retry-lso", body=body, receipt_handle="r", receive_count=1)
        runtime.retrier(self._time()).work(received)

    def call_back(self, _: str) -> None:
        about = SimpleNamespace(tenant=self.first.tenant)
        runtime.webhook_processor._about_order(about, self.first.id)

    def sweep(self, _: str) -> None:
        runtime.sweep._order(DueRef(self.first.tenant, self.first.id))

    # Calls

    def _settle(self, orders: Any, order: RealOrder, decide: Any) -> Any:
        """Stop before the first write alone: deciding again after a refused one is the same step."""
        for function in self.functions:
            if function.current:
                function.first_write = True
        return _settle(orders, order, decide)

    def _make(self, call: Call, really: Callable[[], Any]) -> Any:
        function = next((each for each in self.functions if each.current), None)
        if function is None:
            return really()
        if call.method == "change_message_visibility":
            return {}
        if call.method == "describe_execution":
            return {"status": "RUNNING" if self.flow in RUNNING else "FAILED"}
        point = _POINTS.get((call.target, call.method))
        if call.method == "send_message":
            point = "set aside" if "/dead-" in call.arguments["QueueUrl"] else "queue"
        if point is None:
            return really()
        if point == "write":
            if not function.first_write:
                return really()
            function.first_write = False
        outcome, before = function.stop(point)
        match point:
            case "write":
                return really()
            case "set aside":
                return {}
            case "queue":
                if outcome == "fails":
                    raise _aws_error("InternalServerError")
                self.bodies.append(call.arguments["MessageBody"])
                return {}
            case "start":
                if self.flow in ("ended", "broken"):
                    raise _aws_error("ExecutionAlreadyExists")
                self.flow = "to submit" if self.flow == "none" else self.flow
                return {}
            case "wake" | "call back":
                if self.flow != "submitting" or call.arguments["taskToken"] != self.token:
                    raise _aws_error("TaskTimedOut")
                refused = call.arguments.get("error") == "OrderRefused"
                self.flow = "refund" if refused else "check"
                return {}
        return self._answer(point, outcome, before)

    def _answer(self, point: str, outcome: str, before: State) -> Any:
        word, _, number = outcome.partition(" ")
        if outcome in ("trouble", "not now") or (point == "cancel" and outcome == "answer lost"):
            raise TransientError("not now")
        match point, word:
            case _, "refused":
                raise RefusedError("no", words=WORDS)
            case "cancel", _:
                return Cancellation(refund_status="confirmed")
            case "create", "taken":
                return Submitted(carrier_order_number=f"N{len(before.purchases) + 1}")
            case "create", "confirmed":
                return self._confirmed(f"N{len(before.purchases) + 1}")
            case "create", "partly":
                raise PartlyRefusedError(
                    "some", words=WORDS, carrier_order_number=f"N{len(before.purchases) + 1}"
                )
            case "create", _:
                raise UnknownOutcomeError("nobody answered")
            case _, "nothing":
                return NotFound()
            case _, "pending":
                return Pending(reason="1024", carrier_order_number=f"N{number}")
            case _, "failed":
                return Failed(words=WORDS, carrier_order_number=f"N{number}")
        return self._confirmed(f"N{number}")

    def _confirmed(self, number: str) -> Confirmed:
        parcels = tuple(
            ParcelResult(reference=parcel.reference, tracking_number=f"{number}-{place}")
            for place, parcel in enumerate(self.first.parcels)
        )
        return Confirmed(carrier_order_number=number, parcels=parcels)

    # What is compared

    def compare(self, state: State) -> None:
        """Compare everything that can be seen with the model's state. Raises DifferenceError."""
        order = self.world.order(self.first)
        if order.status in (OrderStatus.NEEDS_ATTENTION, OrderStatus.FAILED) and order.problem is None:
            raise DifferenceError("the client cannot read why")
        here = (
            self._order(order),
            tuple((function.kind, function.point) for function in self.functions),
            {self._name(body) for body in self.bodies},
            self.flow,
        )
        there = (
            _shown(state.order, later=self.later),
            tuple((worker.kind, worker.at) for worker in state.workers),
            set(state.messages),
            state.flow,
        )
        if here != there:
            raise DifferenceError(f"\nengine: {here}\nmodel:  {there}")

    def _order(self, order: RealOrder) -> dict[str, Any]:
        submission, now = order.submission, self.world.clock.now
        watch = ""
        if order.watch_at is not None:
            left = order.watch_at - now
            watch = "due" if left <= timedelta() else "soon" if left <= HOUR else "late"
        wait = order.waiting
        waits = bool(wait and wait.attempts and wait.next_attempt_at and wait.next_attempt_at > now)
        known = Order(
            status=order.status.value,
            watch="label" if order.status is OrderStatus.CONFIRMED else watch,
            mark=int(submission.sending_at is not None),
            age=int(submission.sender_until is not None and now >= submission.sender_until),
            over=submission.over_at is not None,
            answered=submission.answered,
            called_back=submission.callback_at is not None,
            not_found=0 if submission.not_found_at else -1,
            lost=submission.lost,
            sent=int(submission.first_sent_at is not None),
            back=int(submission.compensating_since is not None),
            number=int((order.carrier_order_number or "N0")[1:]),
            waits=waits,
            was_confirmed=all(parcel.tracking_id for parcel in order.parcels),
            alarm=order.attention is not None and order.attention.code == "late_success",
        )
        return _shown(known, later=self.later)

    def _name(self, body: str) -> str:
        message = msgspec.json.decode(body, type=RetryMessage)
        if message.action == "create":
            return "create"
        is_old = self.world.clock.now - message.first_attempt_at >= transitions.RETRY_LIFE
        return f"{message.action} {'old' if is_old else 'young'}"


def _shown(order: Order, *, later: bool) -> dict[str, Any]:
    """What of an order can be compared: numbers of ticks and of senders as whether there are any."""
    shown: dict[str, Any] = order._replace(
        mark=min(order.mark, 1),
        age=min(order.age, 1),
        not_found=min(order.not_found, 0),
        sent=min(order.sent, 1),
        back=min(order.back, 1),
        waits=order.waits and later and order.status in OPEN,
    )._asdict()
    if order.status in FINAL or order.was_confirmed:
        return {name: shown[name] for name in ("status", "watch", "number", "alarm")}
    return shown


def _aws_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "made up by the model"}}, "model")


_settle = transitions.settle
_BEGINNINGS: dict[str, Callable[[Engine, str], None]] = {
    "submit": lambda engine, _: runtime.order_flow.submit(engine._task(), engine._time()),
    "check": lambda engine, _: runtime.order_flow.check(engine._task(), engine._time()),
    "refund": lambda engine, _: runtime.order_flow.compensate(engine._task(), engine._time()),
    "escalate": lambda engine, _: runtime.order_flow.escalate(engine._task()),
    "closed": lambda engine, _: runtime.order_flow.give_up(
        engine.first.tenant, engine.first.id, "workflow_ended"
    ),
    "retry": Engine.retry,
    "reread": Engine.retry,
    "cancel again": Engine.retry,
    "cancel": Engine.cancel,
    "callback": Engine.call_back,
    "sweep": Engine.sweep,
}
"""What each kind of function of the model really is; the longer of two names first."""


def follow(make: Callable[..., World], life: OrderLife, trace: tuple[str, ...]) -> None:
    """Lead the engine along a trace, and compare it with the model after each step.

    Raises
    ------
    DifferenceError
        Says after which step the two differ, and in what.
    """
    with pytest.MonkeyPatch.context() as patch:
        engine, state = Engine(make, patch, life), life.initial()
        try:
            engine.compare(state)
            for place, name in enumerate(trace):
                before = state
                state = next(step.after for step in life.steps(state) if step.name == name)
                engine.step(name, before)
                try:
                    engine.compare(state)
                except DifferenceError as error:
                    way = "\n".join(trace[: place + 1])
                    raise DifferenceError(f"after\n{way}\n{error}") from error
        finally:
            engine.close()
