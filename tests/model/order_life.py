"""The specification of an order's life: what each function does between two calls, and what may go wrong.

A state has the stored order, what the carrier has, the messages and the workflow, and up to two functions
under way. A step is one call of one function (a write, a call of the carrier, a message), a death, an event
at the carrier's, or time. Between any two steps of a function anything else may happen. A function acts on
the order as it has read it (`seen`), and writes as the store does: over that version alone. After a refused
write it decides again.

Time has three sizes. `tick` is a little more than a function can live. `hour` makes due what is watched for
a short time. `days` ends every deadline. No function lives through any of them.

What is assumed, since the engine is built on it:

- A create that was sent arrives within a minute after its sender's death, or never.
- A look-up shows it a minute later at the latest.
- A carrier that has agreed to cancel an order, or refused to, says the same when it is asked again.
- A message about a cancellation that is older than twelve hours is worked on by one function alone.

`later` is the life with a carrier that confirms later, in a workflow. Without it the carrier answers at once,
in the request. `resends` is an account that allows a lost create to be sent again there. `workers` is how
many functions may be under way at a time, `cancels` whether the client cancels. `flaw` leaves out one rule,
to show that the exploration would notice.

Outside the model: labels, prices, changes, returns, batches, and the storing of webhooks.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

OPEN = ("accepted", "processing")
FINAL = ("failed", "cancelled")
MOST_WORKERS = 2
RUNNING = ("to submit", "submitting", "check", "pause", "refund", "escalate")

FOLLOWS = {
    "accepted": {"processing", "cancelled", "failed", "needs_attention"},
    "processing": {"confirmed", "cancelled", "failed", "needs_attention"},
    "confirmed": {"cancelling"},
    "cancelling": {"cancelled", "confirmed", "needs_attention"},
    "needs_attention": {"confirmed", "failed", "cancelling", "cancelled"},
    "cancelled": set(),
    "failed": set(),
}
"""The contract's table of statuses."""


class Order(NamedTuple):
    """What the model knows of the stored order.

    `mark` names the sender. `age` counts the ticks since it was set, up to 2, and `not_found` those since the
    carrier first said that it has no such order, up to 1 (-1: it did not). `sent` and `back` are 1 since the
    first create and since the beginning of the refund, and 2 when that is longer ago than their deadlines.
    """

    status: str = "accepted"
    watch: str = "soon"
    mark: int = 0
    age: int = 0
    over: bool = False
    answered: bool = False
    called_back: bool = False
    not_found: int = -1
    lost: bool = False
    sent: int = 0
    back: int = 0
    number: int = 0
    waits: bool = False
    was_confirmed: bool = False
    alarm: bool = False


class Purchase(NamedTuple):
    """A create at the carrier's: on its way for so many ticks, or what became of it there.

    `fresh` counts the ticks for which a look-up may not show it yet. `held` while the carrier has it and
    its money, `kept` once the carrier refused to cancel it.
    """

    stage: str
    fresh: int = 0
    held: bool = True
    kept: bool = False
    flown: int = 0

    @property
    def landed(self) -> bool:
        return self.stage != "on its way"


class Worker(NamedTuple):
    """A function under way: who it is, the call that it makes next, and the order as it has seen it."""

    kind: str
    at: str = ""
    what: str = ""
    seen: Order = Order()
    mine: int = 0
    number: int = 0
    known: str = ""
    due: str = ""
    phase: str = ""
    message: str = ""


class State(NamedTuple):
    """Everything at one moment. `messages` are those in the retry queue, `old` is after twelve hours."""

    order: Order = Order()
    purchases: tuple[Purchase, ...] = ()
    workers: tuple[Worker, ...] = ()
    messages: frozenset[str] = frozenset()
    flow: str = "none"
    old: bool = False


class Step(NamedTuple):
    """One step: its name, the state that it leads to, and whether it comes without anybody's luck or will."""

    name: str
    after: State
    own: bool = False


class UnhandledError(Exception):
    """The specification itself forbids this: a status would follow that may not."""


class OrderLife:
    """The rules. `steps` gives everything that may happen next in a state."""

    def __init__(
        self,
        *,
        later: bool = False,
        resends: bool = False,
        flaw: str = "",
        workers: int = MOST_WORKERS,
        cancels: bool = True,
    ) -> None:
        self.later, self.resends, self.flaw = later, resends, flaw
        self.workers, self.cancels = workers, cancels

    def initial(self) -> State:
        """The order is stored, and the request's function goes on with it."""
        state = State(order=Order(watch="" if self.flaw == "no deadline" else "soon"))
        if self.later:
            return self._put(state, None, Worker("start", "start"))
        return self._send(*self._begun(state, Worker("request", phase="send")))

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that may happen next."""
        for place, worker in enumerate(state.workers):
            for outcome, after, own in self._outcomes(state, place, worker):
                call = f"{worker.at} {worker.what}".strip()
                yield Step(f"{place} {worker.kind}: {call} -> {outcome}", after, own)
            yield Step(f"{place} {worker.kind}: dies", self._put(state, place, None))
        if len(state.workers) < self.workers:
            yield from self._beginnings(state)
        yield from self._elsewhere(state)
        for name in ("tick", "hour", "days"):
            yield Step(name, _passed(state, name), own=True)

    # Functions that begin

    def _beginnings(self, state: State) -> Iterator[Step]:
        order, alive = state.order, {worker.kind for worker in state.workers}

        def begins(kind: str, *, own: bool, message: str = "") -> Step:
            begun, place, worker, seen = self._begun(state, Worker(kind, message=message))
            return Step(f"begin {kind} {message}".rstrip(), self._read(begun, place, worker, seen), own)

        if any(worker.message == "cancel old" for worker in state.workers):
            return
        for message in sorted(state.messages):
            if message == "cancel old" and state.workers:
                continue
            kind = message.partition(" ")[0]
            if kind != "create" or not self.later:
                yield begins(
                    {"create": "retry", "cancel": "cancel again"}.get(kind, kind), own=True, message=message
                )
        if order.watch == "due" and "sweep" not in alive and self.flaw != "no sweep":
            yield begins("sweep", own=True)
        if self.cancels and order.status not in FINAL and "cancel" not in alive:
            yield begins("cancel", own=False)
        if self.later:
            kinds = {"to submit": "submit", "check": "check", "refund": "refund", "escalate": "escalate"}
            kind = kinds.get(state.flow, "")
            if kind and kind not in alive:
                yield begins(kind, own=True)
            if any(purchase.landed for purchase in state.purchases) and "callback" not in alive:
                yield begins("callback", own=False)
            if state.flow == "broken" and "closed" not in alive:
                yield begins("closed", own=False)

    def _begun(self, state: State, worker: Worker) -> tuple[State, int, Worker, Order]:
        state = state._replace(workers=(*state.workers, worker))
        return state, len(state.workers) - 1, worker, state.order

    def _read(self, state: State, place: int, worker: Worker, order: Order) -> State:
        """A function has begun and has read the order: what it does up to its first call."""
        match worker.kind:
            case "retry":
                if order.mark:
                    return self._ask(state, place, worker, order)
                return self._send(state, place, worker._replace(phase="send"), order)
            case "submit":
                state = state._replace(flow="submitting")
                if order.mark or order.status not in OPEN:
                    return self._end_submission(state, place, worker, order)
                if order.waits or self._late(state, order):
                    return self._put(state, place, worker._replace(at="wake", what="not sent"))
                return self._send(state, place, worker._replace(phase="send"), order)
            case "check":
                if order.mark:
                    return self._ask(state, place, worker, order)
                return self._checked(state, place, order)
            case "refund":
                return self._refund(state, place, worker, order)
            case "escalate" | "closed":
                return self._write(state, place, worker, order, "give up")
            case "cancel":
                at_carrier = order.status in ("confirmed", "needs_attention") and order.number
                return self._write(
                    state, place, worker, order, "begin to cancel" if at_carrier else "cancel unsent"
                )
            case "cancel again":
                if order.status != "cancelling":
                    return self._done(state, place, worker)
                return self._put(state, place, worker._replace(at="cancel", seen=order))
            case "reread":
                if order.status not in ("failed", "needs_attention"):
                    return self._done(state, place, worker)
                return self._put(state, place, worker._replace(at="look up", seen=order))
            case "callback":
                return self._write(state, place, worker, order, "note callback")
            case _:
                return self._swept(state, place, worker, order)

    def _swept(self, state: State, place: int, worker: Worker, order: Order) -> State:
        if order.status in OPEN and self.later:
            return self._put(state, place, worker._replace(at="start", seen=order))
        if order.status in OPEN or order.status == "cancelling":
            what = "create" if order.status in OPEN else "cancel"
            return self._put(state, place, worker._replace(at="queue", what=what, seen=order))
        return self._put(state, place, None)

    # The engine

    def _send(self, state: State, place: int, worker: Worker, order: Order) -> State:
        if order.status not in OPEN or (order.mark and self.flaw != "no mark"):
            return self._returned(state, place, worker, order)
        used = (
            {state.order.mark}
            | {each.mine for each in state.workers}
            | {each.seen.mark for each in state.workers}
        )
        mine = next(number for number in range(1, 10) if number not in used)
        return self._write(state, place, worker._replace(mine=mine), order, "mark")

    def _ask(self, state: State, place: int, worker: Worker, order: Order) -> State:
        worker = worker._replace(phase="ask", mine=order.mark)
        if order.status not in OPEN or order.back:
            return self._returned(state, place, worker, order)
        if not order.number and not order.over and order.age < 1:
            return self._not_settled(state, place, worker, order)
        return self._put(state, place, worker._replace(at="look up", what="", seen=order))

    def _refund(self, state: State, place: int, worker: Worker, order: Order) -> State:
        if order.status not in OPEN:
            return self._done(state, place, worker)
        worker = worker._replace(mine=order.mark)
        if not order.mark:
            return self._write(state, place, worker, order, "fail")
        if not order.back:
            return self._put(state, place, worker._replace(at="look up", what="", seen=order, phase="ask"))
        return self._take_back(state, place, worker, order)

    def _take_back(self, state: State, place: int, worker: Worker, order: Order) -> State:
        worker = worker._replace(phase="back", mine=order.mark)
        if order.status not in OPEN or not order.back:
            return self._returned(state, place, worker, order)
        if self.later and not order.number:
            return self._write(state, place, worker, order, "person")
        if self.flaw == "failed before its refund":
            return self._write(state, place, worker, order, "taken back")
        return self._put(state, place, worker._replace(at="cancel", what="", seen=order))

    def _leave(self, state: State, place: int, worker: Worker, order: Order, known: str = "") -> State:
        worker = worker._replace(known=known, mine=order.mark, due="")
        if worker.kind == "request":
            return self._put(state, place, worker._replace(at="queue", what="create", seen=order))
        return self._write(state, place, worker, order, "leave")

    def _returned(self, state: State, place: int, worker: Worker, order: Order) -> State:
        """The engine has come to an end with this order, as `worker` asked it to."""
        match worker.kind, worker.phase:
            case (("request" | "retry"), "send"):
                return self._take_back(state, place, worker, order)
            case "retry", "ask":
                if not order.mark:
                    return self._send(state, place, worker._replace(phase="send"), order)
                return self._take_back(state, place, worker, order)
            case "submit", _:
                return self._end_submission(state, place, worker, order)
            case "check", _:
                return self._checked(state, place, order)
            case "refund", "ask":
                return self._take_back(state, place, worker, order)
            case _:
                return self._done(state, place, worker)

    def _not_settled(self, state: State, place: int, worker: Worker, order: Order) -> State:
        """The engine says that it must be asked again."""
        match worker.kind:
            case "request":
                return self._put(state, place, None)
            case "retry":
                if state.old:
                    return self._put(state, place, worker._replace(at="set aside", what=""))
                return self._put(state, place, None)
            case "submit":
                if order.answered and order.mark == worker.mine:
                    return self._put(state, place, None)
                return self._end_submission(state, place, worker, order)
            case "check":
                state = self._put(state, place, None)
                return self._flows(state, "check", "escalate") if self._late(state, order) else state
            case _:
                if order.back == 2:
                    return self._write(state, place, worker, order, "give up")
                return self._put(state, place, None)

    def _end_submission(self, state: State, place: int, worker: Worker, order: Order) -> State:
        refused = order.status not in OPEN and order.status != "confirmed"
        return self._put(state, place, worker._replace(at="wake", what="refused" if refused else "ask"))

    def _checked(self, state: State, place: int, order: Order) -> State:
        state = self._put(state, place, None)
        if order.status not in OPEN:
            to = "ended"
        elif order.back:
            to = "refund"
        else:
            to = "escalate" if self._late(state, order) else "pause"
        return self._flows(state, "check", to)

    def _late(self, state: State, order: Order) -> bool:
        return order.sent == 2 if order.sent else state.old

    def _done(self, state: State, place: int, worker: Worker) -> State:
        """A function has done all that it had to do."""
        state = self._put(state, place, None)
        if worker.message:
            state = state._replace(messages=state.messages - {worker.message})
        ends = {"refund": "refund", "escalate": "escalate"}.get(worker.kind)
        return self._flows(state, ends, "ended") if ends else state

    def _flows(self, state: State, here: str, to: str) -> State:
        return state._replace(flow=to) if state.flow == here else state

    # Calls

    def _outcomes(self, state: State, place: int, worker: Worker) -> Iterator[tuple[str, State, bool]]:
        match worker.at:
            case "write":
                yield "done", self._settle(state, place, worker), True
            case "create":
                yield from self._created(state, place, worker)
            case "look up":
                yield from self._looked_up(state, place, worker)
            case "cancel":
                yield from self._cancelled(state, place, worker)
            case "queue":
                yield from self._queued(state, place, worker)
            case "set aside":
                yield "done", self._given_up(state, place, worker), True
            case "start":
                yield "done", self._started(state, place, worker), True
            case "wake":
                to = "refund" if worker.what == "refused" else "check"
                yield "done", self._flows(self._put(state, place, None), "submitting", to), True
            case _:
                if state.flow == "submitting":
                    yield "done", self._put(state, place, None)._replace(flow="check"), True
                else:
                    yield (
                        "nobody waits",
                        self._put(state, place, worker._replace(at="queue", what="reread")),
                        True,
                    )

    def _created(self, state: State, place: int, worker: Worker) -> Iterator[tuple[str, State, bool]]:
        order = worker.seen
        number = len(state.purchases) + 1

        def bought(stage: str, *, fresh: int = 0) -> State:
            return state._replace(purchases=(*state.purchases, Purchase(stage, fresh)))

        unknown = "not taken" if self.flaw == "unknown is not taken" else "unknown"
        if self.later:
            yield "taken", self._write(bought("pending"), place, worker, order, "taken", number), False
        else:
            yield "confirmed", self._write(bought("ok"), place, worker, order, "confirm", number), False
            yield (
                "partly refused",
                self._write(bought("failed"), place, worker, order, "partly", number),
                False,
            )
        yield "refused", self._write(state, place, worker, order, "refuse"), False
        yield "not now", self._leave(state, place, worker, order, "not taken"), True
        yield "never arrived", self._leave(state, place, worker, order, unknown), True
        for stage in ("pending",) if self.later else ("ok", "failed"):
            yield (
                f"answer lost, {stage}",
                self._leave(bought(stage, fresh=2), place, worker, order, unknown),
                False,
            )
        yield "on its way", self._leave(bought("on its way"), place, worker, order, unknown), False

    def _looked_up(self, state: State, place: int, worker: Worker) -> Iterator[tuple[str, State, bool]]:
        order, late = worker.seen, worker.kind == "reread"
        if late:
            yield "trouble", self._write(state, place, worker, state.order, "explain"), True
        else:
            yield (
                "trouble",
                self._leave(state, place, worker._replace(known="look up"), order, "look up"),
                True,
            )
        if self.later and order.number:
            landed = [(order.number, state.purchases[order.number - 1]._replace(fresh=0))]
        else:
            landed = [(n, each) for n, each in enumerate(state.purchases, 1) if each.landed][:1]
        if all(each.fresh for _, each in landed):
            after = (
                self._again(state, place, worker) if late else self._not_found(state, place, worker, order)
            )
            yield "nothing", after, False
        for number, each in landed:
            stage = each.stage if each.held else "failed"
            after = self._late_answer if late else self._answer
            yield f"{stage} {number}", after(state, place, worker, order, stage, number), False

    def _answer(
        self, state: State, place: int, worker: Worker, order: Order, stage: str, number: int
    ) -> State:
        if worker.kind == "refund" and stage != "failed":
            return self._write(state, place, worker, order, "person")
        decisions = {"ok": "confirm", "pending": "number", "failed": "failing"}
        return self._write(state, place, worker, order, decisions[stage], number)

    def _not_found(self, state: State, place: int, worker: Worker, order: Order) -> State:
        if worker.kind == "refund":
            return self._write(state, place, worker, order, "person")
        early = (
            order.age < 2
            if order.not_found < 0
            else order.not_found < 1 and self.flaw != "asks twice at once"
        )
        if early and not (self.flaw == "first answer too early" and order.not_found < 0):
            return self._not_settled(state, place, worker, order)
        if order.not_found < 0 and self.flaw != "believes once":
            return self._write(state, place, worker, order, "not found")
        if (self.later and not self.resends) or _hinted(order):
            return self._write(state, place, worker, order, "person")
        return self._write(state, place, worker, order, "forget")

    def _late_answer(
        self, state: State, place: int, worker: Worker, order: Order, stage: str, number: int
    ) -> State:
        if stage == "pending":
            return self._again(state, place, worker)
        if stage == "ok":
            what = "alarm" if order.status == "failed" else "confirm"
            return self._write(state, place, worker, order, what, number)
        if order.status == "failed":
            return self._done(state, place, worker)
        return self._put(state, place, worker._replace(at="cancel", seen=order, number=number))

    def _cancelled(self, state: State, place: int, worker: Worker) -> Iterator[tuple[str, State, bool]]:
        order = worker.seen
        number = worker.number or order.number
        purchase = state.purchases[number - 1]
        purchases = list(state.purchases)
        purchases[number - 1] = purchase._replace(held=False)
        gone = state._replace(purchases=tuple(purchases))

        def troubled(state: State) -> State:
            if worker.kind == "cancel":
                return self._put(state, place, worker._replace(at="queue", what="cancel"))
            if worker.kind in ("cancel again", "reread"):
                return self._write(state, place, worker, state.order, "explain")
            return self._leave(state, place, worker, order)

        what = {"cancel": "cancelled", "cancel again": "cancelled", "reread": "taken back late"}
        what_then = what.get(worker.kind, "taken back")
        yield "trouble", troubled(state), True
        if not purchase.kept:
            yield "accepted", self._write(gone, place, worker, order, what_then, number), False
            yield "answer lost", troubled(gone), False
        if purchase.held:
            purchases[number - 1] = purchase._replace(kept=True)
            kept = state._replace(purchases=tuple(purchases))
            if worker.kind in ("cancel", "cancel again"):
                yield "refused", self._write(kept, place, worker, order, "keep"), False
            elif not self.later:
                yield "refused", self._write(kept, place, worker, order, "person"), False

    def _queued(self, state: State, place: int, worker: Worker) -> Iterator[tuple[str, State, bool]]:
        young = worker.what if worker.what == "create" else f"{worker.what} young"
        queued = state._replace(messages=state.messages | {young})
        match worker.kind:
            case "request":
                yield (
                    "done",
                    self._write(queued, place, worker._replace(due="queued"), worker.seen, "leave"),
                    True,
                )
                yield "fails", self._write(state, place, worker, worker.seen, "leave"), False
            case "cancel":
                yield "done", self._write(queued, place, worker, worker.seen, "queued"), True
                yield "fails", self._put(state, place, None), False
            case "sweep":
                yield "done", self._write(queued, place, worker, worker.seen, "watch"), True
            case _:
                yield "done", self._put(queued, place, None), True

    def _started(self, state: State, place: int, worker: Worker) -> State:
        if worker.kind == "start":
            return self._flows(self._put(state, place, None), "none", "to submit")
        if state.flow in ("ended", "broken"):
            return self._write(state, place, worker, worker.seen, "give up")
        return self._write(self._flows(state, "none", "to submit"), place, worker, worker.seen, "watch")

    def _given_up(self, state: State, place: int, worker: Worker) -> State:
        if worker.kind == "reread":
            return self._done(state, place, worker)
        what = "give up" if worker.kind == "retry" else "give up cancelling"
        return self._write(state, place, worker, state.order, what)

    def _again(self, state: State, place: int, worker: Worker) -> State:
        """A message about an order that is settled comes again, or is set aside after twelve hours."""
        if worker.message.endswith("old"):
            return self._put(state, place, worker._replace(at="set aside", what=""))
        return self._put(state, place, None)

    # Writes

    def _write(
        self, state: State, place: int, worker: Worker, order: Order, what: str, number: int = 0
    ) -> State:
        """`worker` writes next what it decides about `order`. If that is nothing, it goes on at once."""
        worker = worker._replace(at="write", what=what, seen=order, number=number)
        if self._decided(state, worker, order) is None:
            return self._written(state, place, worker, order, changed=False)
        return self._put(state, place, worker)

    def _settle(self, state: State, place: int, worker: Worker) -> State:
        after = self._decided(state, worker, worker.seen)
        if state.order != worker.seen and self.flaw != "writes over anything":
            after = self._decided(state, worker, state.order)
        if after is None:
            return self._written(state, place, worker, state.order, changed=False)
        return self._written(state._replace(order=after), place, worker, after, changed=True)

    def _written(self, state: State, place: int, worker: Worker, order: Order, *, changed: bool) -> State:
        match worker.what:
            case "mark":
                if order.mark != worker.mine:
                    return self._returned(state, place, worker, order)
                return self._put(state, place, worker._replace(at="create", what="", seen=order))
            case "taken":
                if order.status not in OPEN:
                    return self._returned(state, place, worker, order)
                return self._not_settled(state, place, worker, order)
            case "leave":
                if order.status not in OPEN and worker.known != "look up":
                    return self._returned(state, place, worker, order)
                return self._not_settled(state, place, worker, order)
            case "number" | "not found":
                return self._not_settled(state, place, worker, order)
            case "forget":
                if order.status in OPEN and order.mark:
                    return self._not_settled(state, place, worker, order)
                return self._returned(state, place, worker, order)
            case "begin to cancel":
                if not changed:
                    return self._put(state, place, None)
                return self._put(state, place, worker._replace(at="cancel", what="", seen=order))
            case "note callback":
                return self._noted(state, place, worker, order)
            case "explain":
                return self._again(state, place, worker)
            case "confirm" | "person" | "failing" | "partly" | "refuse" | "fail" | "taken back":
                if worker.kind == "reread":
                    return self._done(state, place, worker)
                if worker.kind == "refund" and worker.what in ("person", "fail"):
                    return self._done(state, place, worker)
                return self._returned(state, place, worker, order)
            case _:
                return self._done(state, place, worker)

    def _noted(self, state: State, place: int, worker: Worker, order: Order) -> State:
        if order.status == "processing" and order.mark:
            return self._put(state, place, worker._replace(at="call back", what="", seen=order))
        if order.status in ("processing", "failed", "needs_attention"):
            return self._put(state, place, worker._replace(at="queue", what="reread", seen=order))
        return self._put(state, place, None)

    def _decided(self, state: State, worker: Worker, order: Order) -> Order | None:
        """What the write makes of this version of the order; None for nothing."""
        mine = order.status in OPEN and order.mark == worker.mine
        is_open = order.status in OPEN
        match worker.what:
            case "mark":
                if not is_open or (order.mark and self.flaw != "no mark"):
                    return None
                marked = _unmarked(order, lost=order.lost)
                marked = marked._replace(status="processing", mark=worker.mine, sent=order.sent or 1)
                return marked._replace(watch=self._due(state, worker, marked))
            case "leave":
                return self._left(state, worker, order, mine=mine) if is_open else None
            case "confirm":
                if order.status not in ("processing", "needs_attention"):
                    return None
                return _moved(order, "confirmed")._replace(
                    number=worker.number, was_confirmed=True, watch="label"
                )
            case "taken":
                return order._replace(answered=True, number=worker.number, waits=False)
            case "partly":
                return order._replace(back=1, number=worker.number, watch="soon") if mine else None
            case "refuse" | "fail":
                return _moved(order, "failed") if mine else None
            case "number":
                return None if order.number else order._replace(number=worker.number)
            case "not found":
                return order._replace(not_found=0) if mine else None
            case "forget":
                return _unmarked(order, lost=True) if mine and not _hinted(order) else None
            case "failing":
                if not is_open or order.back:
                    return None
                failing = order._replace(back=1, number=order.number or worker.number)
                return failing._replace(watch="late" if self.later else self._due(state, worker, failing))
            case "taken back":
                return _moved(order, "failed") if is_open or order.status == "needs_attention" else None
            case "taken back late":
                if order.status != "needs_attention":
                    return None
                return _moved(order._replace(number=order.number or worker.number), "failed")
            case "person" | "give up":
                return (
                    _moved(order, "needs_attention") if is_open or self.flaw == "moves what is over" else None
                )
            case "alarm":
                return order._replace(alarm=True) if order.status == "failed" and not order.alarm else None
            case "cancel unsent":
                free = (is_open or order.status == "needs_attention") and not order.mark and not order.lost
                if self.flaw == "cancels what was sent":
                    free = is_open or order.status == "needs_attention"
                return _moved(order, "cancelled") if free else None
            case "begin to cancel":
                at_carrier = order.status in ("confirmed", "needs_attention") and order.number
                return _moved(order, "cancelling")._replace(watch="soon") if at_carrier else None
            case "cancelled":
                counts = order.status in ("cancelling", "needs_attention")
                return _moved(order, "cancelled") if counts else None
            case "keep":
                if order.status != "cancelling":
                    return None
                kept = _moved(order, "confirmed" if order.was_confirmed else "needs_attention")
                return kept._replace(watch="label") if order.was_confirmed else kept
            case "queued":
                return order._replace(watch="late") if order.status == "cancelling" else None
            case "give up cancelling":
                return _moved(order, "needs_attention") if order.status == "cancelling" else None
            case "note callback":
                known = order.number or order.called_back or not order.mark or order.status != "processing"
                return None if known else order._replace(called_back=True)
            case "explain":
                return order if order.status == "cancelling" else None
            case "watch":
                return order._replace(watch=self._next_look(state, order)) if order.watch == "due" else None
            case other:
                raise AssertionError(other)

    def _left(self, state: State, worker: Worker, order: Order, *, mine: bool) -> Order:
        if not mine:
            return order._replace(watch=self._due(state, worker, order))
        if worker.known == "not taken":
            order = _unmarked(order, lost=order.lost)
        elif worker.known == "unknown" and not order.over and not order.number:
            order = order._replace(over=True)
        return order._replace(watch=self._due(state, worker, order), waits=self.later)

    def _due(self, state: State, worker: Worker, order: Order) -> str:
        if worker.kind == "request":
            return "late" if worker.due == "queued" else "soon"
        if worker.kind == "retry":
            return "soon" if state.old else "late"
        ended = order.back == 2 if order.back else self._late(state, order)
        return "due" if ended else "late"

    def _next_look(self, state: State, order: Order) -> str:
        if order.status == "cancelling":
            return "late"
        if not self.later:
            return "soon" if state.old else "late"
        ended = order.back == 2 if order.back else self._late(state, order)
        return "soon" if ended else "late"

    # The carrier, the workflow and time

    def _elsewhere(self, state: State) -> Iterator[Step]:
        for place, purchase in enumerate(state.purchases):
            stages: tuple[str, ...] = ()
            if not purchase.landed:
                stages = ("pending",) if self.later else ("ok", "failed")
            elif purchase.stage == "pending" and purchase.held:
                stages = ("ok", "failed")
            for stage in stages:
                now = list(state.purchases)
                now[place] = purchase._replace(
                    stage=stage, fresh=purchase.fresh if purchase.landed else 2, flown=0
                )
                yield Step(f"carrier: {purchase.stage} becomes {stage}", state._replace(purchases=tuple(now)))
        if not self.later:
            return
        if state.flow == "submitting" and all(worker.kind != "submit" for worker in state.workers):
            yield Step("the callback's time is over", state._replace(flow="check"), own=True)
        if state.flow == "pause":
            yield Step("the pause is over", state._replace(flow="to submit"), own=True)
        if state.flow in RUNNING:
            yield Step("the workflow breaks", state._replace(flow="broken"))

    def _put(self, state: State, place: int | None, worker: Worker | None) -> State:
        workers = list(state.workers)
        if place is None:
            workers.append(worker or Worker(""))
        elif worker is None:
            del workers[place]
        else:
            # What a function has seen matters while it may still decide by it.
            blind = worker.at in ("wake", "set aside") or (worker.at == "queue" and worker.kind == "callback")
            workers[place] = worker._replace(seen=Order(), mine=0, number=0, phase="") if blind else worker
        return state._replace(workers=tuple(workers))


def _hinted(order: Order) -> bool:
    return bool(order.number) or order.answered or order.called_back


def _moved(order: Order, status: str) -> Order:
    if status in FINAL or status == "confirmed":
        # Of the submission nothing matters any more.
        return Order(status=status, watch="", number=order.number, was_confirmed=order.was_confirmed)
    return order._replace(status=status, watch="", waits=False)


def _unmarked(order: Order, *, lost: bool) -> Order:
    return order._replace(
        mark=0,
        age=0,
        over=False,
        answered=False,
        called_back=False,
        not_found=-1,
        lost=lost,
        sent=order.sent if lost else 0,
        back=0,
    )


def _passed(state: State, name: str) -> State:
    """Time passes: no function lives through it."""
    order, ticks = state.order, 1 if name == "tick" else 2
    watch = order.watch
    if (watch == "soon" and ticks == 2) or (watch == "late" and name == "days"):
        watch = "due"
    order = order._replace(
        watch=watch,
        waits=False,
        age=min(order.age + ticks, 2) if order.mark else 0,
        not_found=1 if order.not_found >= 0 else -1,
    )
    messages, old = state.messages, state.old
    if name == "days":
        old = True
        order = order._replace(sent=min(order.sent * 2, 2), back=min(order.back * 2, 2))
        messages = frozenset(message.replace("young", "old") for message in messages)
    purchases = []
    for purchase in state.purchases:
        if purchase.landed:
            purchases.append(purchase._replace(fresh=max(purchase.fresh - ticks, 0)))
        elif purchase.flown + ticks < 2:
            purchases.append(purchase._replace(flown=purchase.flown + ticks))
        else:
            purchases.append(purchase._replace(stage="on its way", flown=9))
    purchases = [each for each in purchases if each.flown < 9]
    return state._replace(order=order, purchases=tuple(purchases), workers=(), messages=messages, old=old)


# What must hold

type Predicate = Callable[[OrderLife, State], bool]


def looked_after(_: OrderLife, state: State) -> bool:
    """Promise 1: an order that is not settled has a time by which somebody looks after it."""
    order = state.order
    if order.status in OPEN or order.status == "cancelling":
        return order.watch != ""
    return order.status == "confirmed" or order.watch == ""


def bought_once(_: OrderLife, state: State) -> bool:
    """Promise 2: the carrier has taken at most one create."""
    return sum(purchase.landed for purchase in state.purchases) <= 1


def nothing_held(_: OrderLife, state: State) -> bool:
    """Promise 3: of an order that failed or was cancelled, the carrier has nothing."""
    if state.order.status not in FINAL:
        return True
    return not any(purchase.held for purchase in state.purchases)


def confirmed_is_bought(_: OrderLife, state: State) -> bool:
    """Promise 3: what is called confirmed is at the carrier."""
    return state.order.status != "confirmed" or any(
        purchase.held and purchase.stage == "ok" for purchase in state.purchases
    )


PROMISES: dict[str, Predicate] = {
    "1: looked after": looked_after,
    "2: bought once": bought_once,
    "3: no money held": nothing_held,
    "3: confirmed is bought": confirmed_is_bought,
}


def forward(before: State, after: State) -> bool:
    """Promise 5: a status is followed by one that the contract's table allows."""
    was, now = before.order.status, after.order.status
    return was == now or now in FOLLOWS[was]


def settled(state: State) -> bool:
    """Whether the order is over, bought, or with a person."""
    return state.order.status not in OPEN and state.order.status != "cancelling"
