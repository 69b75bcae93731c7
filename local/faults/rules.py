"""Which calls are spoilt, and how. Nothing here touches a connection.

=============  ===================================================================  ==================
fault          what the function sees                                               it has its effect
=============  ===================================================================  ==================
throttle       refused for coming too often, in the service's own words             no
error          the service's own internal error                                     no
conflict       DynamoDB: the write met a transaction on the same item               no
partial        a batch of which the second half is handed back, to be sent again    yes
stale          DynamoDB: a list that has not heard of the last writes yet           no
reset_before   the connection is reset                                              no
reset_after    the connection is reset                                              yes
delay          the answer comes after `seconds`                                     yes
duplicate      nothing: the call is made twice                                      twice
kill_before    its process is killed                                                no
kill_after     its process is killed                                                yes
freeze         its process stands still for `seconds`, and its connection ends      yes
silence        no answer for `seconds`, then the connection ends                    yes
half_body      the first half of the answer                                         yes
slow_drip      the answer in ten pieces within `seconds`                            yes
html           an HTML page with status 502                                         no
too_many       status 429                                                           no
wrong_types    the answer with numbers for texts and texts for everything else      yes
anothers       an earlier answer to the same call, that is about another order      yes
=============  ===================================================================  ==================
"""

import json
import random
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

AWS_FAULTS = (
    "throttle", "error", "reset_before", "reset_after", "delay", "kill_before", "kill_after", "freeze",
)  # fmt: skip
"""What can become of any call to AWS."""
CARRIER_FAULTS = (
    "error", "html", "too_many", "reset_before", "reset_after", "silence", "half_body", "slow_drip",
    "wrong_types", "anothers", "duplicate", "kill_before", "kill_after", "freeze",
)  # fmt: skip
"""What can become of any call to a carrier."""
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})
_SENDS = frozenset({"SendMessage", "SendMessageBatch", "PutEvents", "StartExecution", "SendTaskSuccess"})
_BATCHES = frozenset({"SendMessageBatch", "PutEvents", "BatchGetItem", "BatchWriteItem"})
FAULTS = frozenset({*AWS_FAULTS, *CARRIER_FAULTS, "conflict", "partial", "stale"})
_KEPT_INVOCATIONS = 5000
_WORDS = re.compile(rb"[0-9A-Za-z]+")


def faults_of(call: str) -> tuple[str, ...]:
    """The faults that a call can meet."""
    if " " in call:
        return CARRIER_FAULTS
    service, _, operation = call.partition(".")
    more = (
        *(("conflict",) if service == "dynamodb" and operation in _WRITES else ()),
        *(("duplicate",) if operation in _SENDS else ()),
        *(("partial",) if operation in _BATCHES else ()),
        *(("stale",) if operation == "Query" else ()),
    )
    return AWS_FAULTS + more


@dataclass(frozen=True, slots=True)
class Rule:
    """Spoils calls of a case: the `nth` of its kind and `times - 1` after it, in each attempt of the SDK."""

    call: str
    fault: str
    function: str = "*"
    nth: int = 1
    times: int = 1
    seconds: float = 2.0

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"no fault {self.fault!r}")


@dataclass(frozen=True, slots=True)
class Step:
    """A call that a case has made: the `nth` of this function to this operation."""

    function: str
    call: str
    nth: int


@dataclass(frozen=True, slots=True)
class Timed:
    """A call that was passed on unspoilt: by the clock, in seconds, when it began and how long it took."""

    function: str
    call: str
    began: float
    seconds: float


class Chance:
    """Spoils one call in so many, in each attempt of the SDK.

    Parameters
    ----------
    share
        The probability that a call is spoilt, 0 to 1.
    faults
        How often each fault comes, as compared with the others that a call can meet.
    seed
        Of the sequence in which faults come. Which calls they meet depends on the sequence of these.
    seconds
        Of each fault that takes time.
    """

    def __init__(
        self, share: float, faults: Mapping[str, float], seed: int = 1, seconds: float = 2.0
    ) -> None:
        if unknown := faults.keys() - FAULTS:
            raise ValueError(f"no faults {sorted(unknown)}")
        if not 0 <= share <= 1:
            raise ValueError(f"no probability: {share}")
        self._share, self._faults, self._seconds = share, faults, seconds
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def drawn(self, call: str) -> Rule | None:
        """What becomes of a call; None when nothing does."""
        if self._random.random() >= self._share:
            return None
        possible = [fault for fault in faults_of(call) if self._faults.get(fault)]
        if not possible:
            return None
        (fault,) = self._random.choices(possible, [self._faults[each] for each in possible])
        return Rule(call, fault, seconds=self._seconds)


@dataclass(slots=True)
class Case:
    """What is watched and spoilt together. Without marks it has all calls that no other case has."""

    name: str
    marks: tuple[bytes, ...] = ()
    rules: tuple[Rule, ...] = ()
    chance: Chance | None = None
    """Spoils calls in place of rules. Such a case counts its calls, and does not remember each."""
    calls: list[Step] = field(default_factory=list)
    times: list[Timed] = field(default_factory=list)
    met: int = 0
    made: Counter[str] = field(default_factory=Counter)
    """With a chance: how many calls there were, by what was called."""
    spoilt: Counter[str] = field(default_factory=Counter)
    """With a chance: how many were spoilt, by what was called and the fault."""
    _numbers: Counter[tuple[str, str]] = field(default_factory=Counter)
    _attempts: dict[bytes, Step] = field(default_factory=dict)
    _drawn: OrderedDict[bytes, Rule] = field(default_factory=OrderedDict)

    def note(self, function: str, call: str, attempt: bytes | None) -> Rule | None:
        """Note a call, and return the rule that spoils it. An attempt is no further call."""
        step = self._attempts.get(attempt) if attempt else None
        if step is None:
            self._numbers[function, call] += 1
            step = Step(function, call, self._numbers[function, call])
            self.calls.append(step)
            if attempt:
                self._attempts[attempt] = step
        for rule in self.rules:
            if (
                rule.call == call
                and rule.function in ("*", function)
                and rule.nth <= step.nth < rule.nth + rule.times
            ):
                self.met += 1
                return rule
        return None

    def drawn(self, call: str, attempt: bytes | None) -> Rule | None:
        """What becomes of a call by chance. An attempt is no further call."""
        if self.chance is None:
            return None
        if attempt and attempt in self._drawn:
            return self._drawn[attempt]
        called = re.split(r"[. ]", call)[0]
        self.made[called] += 1
        rule = self.chance.drawn(call)
        if rule is not None:
            self.met += 1
            self.spoilt[f"{called} {rule.fault}"] += 1
            if attempt:
                self._drawn[attempt] = rule
                if len(self._drawn) > _KEPT_INVOCATIONS:
                    self._drawn.popitem(last=False)
        return rule


class Cases:
    """The open cases, and which invocation made calls of which."""

    def __init__(self) -> None:
        self.open: dict[str, Case] = {}
        self._marked: dict[bytes, list[tuple[bytes, Case]]] = {}
        """By a word of each mark."""
        self._made_by: OrderedDict[bytes, set[str]] = OrderedDict()

    def put(self, bodies: Iterable[dict[str, Any]]) -> None:
        """Open cases, as the package describes them.

        Raises
        ------
        TypeError, ValueError, KeyError
            It is none.
        """
        for body in bodies:
            rules = tuple(Rule(**rule) for rule in body.get("rules", ()))
            marks = tuple(mark.encode() for mark in body["marks"])
            chance = Chance(**body["chance"]) if "chance" in body else None
            if body["case"] in self.open:
                self.close(body["case"])
            case = self.open[body["case"]] = Case(body["case"], marks, rules, chance)
            for mark in marks:
                self._find_by(mark, case)

    def close(self, name: str) -> None:
        """Forget a case.

        Raises
        ------
        KeyError
            There is none of this name.
        """
        case = self.open.pop(name)
        for mark in case.marks:
            word = _word(mark)
            self._marked[word] = [each for each in self._marked[word] if each[1] is not case]

    def mark(self, case: Case, mark: bytes) -> None:
        """From now on a call with this mark belongs to the case, too."""
        case.marks += (mark,)
        self._find_by(mark, case)

    def _find_by(self, mark: bytes, case: Case) -> None:
        self._marked.setdefault(_word(mark), []).append((mark, case))

    def of(self, request: bytes, invocation: bytes | None) -> list[Case]:
        """The cases that a call belongs to: those whose mark it has, else that of its invocation."""
        # There can be thousands of cases, and every call comes through here.
        words = self._marked.keys() & _WORDS.findall(request)
        marked = (each for word in words for each in self._marked[word])
        found = [self.open[name] for name in sorted({case.name for mark, case in marked if mark in request})]
        if invocation:
            known = self._made_by.setdefault(invocation, set())
            known.update(case.name for case in found)
            if not found and len(known) == 1:
                found = [self.open[name] for name in known if name in self.open]
            while len(self._made_by) > _KEPT_INVOCATIONS:
                self._made_by.popitem(last=False)
        return found or [case for case in self.open.values() if not case.marks]


def _word(mark: bytes) -> bytes:
    """The word of a mark by which it is found: a number if it has any, since other cases have other numbers.

    The first and the last word count only when there is no other: in a text they can be parts of longer ones.
    """
    words = _WORDS.findall(mark)
    return max(words[1:-1] or words, key=lambda word: (word.isdigit(), len(word)))


def refusal(call: str, fault: str, request: bytes) -> tuple[int, bytes, dict[str, str]]:
    """What refuses a call to AWS: status, body and headers, in the words of its service."""
    service, _, operation = call.partition(".")
    if fault == "conflict":
        return _conflict(operation, request)
    if service == "s3":
        status, code = (503, "SlowDown") if fault == "throttle" else (500, "InternalError")
        told = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Made up by a test.</Message></Error>"
        return status, told.encode(), {"content-type": "application/xml"}
    status, code = _THROTTLES.get(service, (400, "ThrottlingException"))
    if fault == "error":
        status, code = 500, _ERRORS.get(service, "InternalServerError")
    body = json.dumps({"__type": code, "message": "Made up by a test."}).encode()
    return status, body, {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": code}


_THROTTLES = {
    "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "sqs": (400, "RequestThrottled"),
    "lambda": (429, "TooManyRequestsException"),
}
_ERRORS = {
    "events": "InternalException",
    "kms": "KMSInternalException",
    "lambda": "ServiceException",
    "secretsmanager": "InternalServiceError",
    "sqs": "InternalFailure",
    "states": "InternalFailure",
}


def _conflict(operation: str, request: bytes) -> tuple[int, bytes, dict[str, str]]:
    code, more = "TransactionConflictException", {}
    if operation == "TransactWriteItems":
        items = json.loads(request)["TransactItems"]
        reasons = [{"Code": "TransactionConflict"}] + [{"Code": "None"} for _ in items[1:]]
        code, more = "TransactionCanceledException", {"CancellationReasons": reasons}
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "Made up by a test.", **more}
    return 400, json.dumps(body).encode(), {"content-type": "application/x-amz-json-1.0"}


def handed_back(call: str, request: Any, answer: Any) -> Any:
    """The answer to a batch, which says of the batch's second half that it has to come again."""
    operation = call.partition(".")[2]
    if operation == "SendMessageBatch":
        late = {entry["Id"] for entry in request["Entries"][len(request["Entries"]) // 2 :]}
        failed = [{"Id": id, "Code": "InternalFailure", "SenderFault": False} for id in sorted(late)]
        taken = [entry for entry in answer.get("Successful", ()) if entry["Id"] not in late]
        return {"Successful": taken, "Failed": failed}
    if operation == "PutEvents":
        half = len(request["Entries"]) // 2
        refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "Made up by a test."}
        failed = [refused] * (len(request["Entries"]) - half)
        return {"Entries": answer["Entries"][:half] + failed, "FailedEntryCount": len(failed)}
    if operation == "BatchWriteItem":
        rest = {table: writes[len(writes) // 2 :] for table, writes in request["RequestItems"].items()}
        return {**answer, "UnprocessedItems": rest}
    answers = {table: list(items) for table, items in answer["Responses"].items()}
    rest = {}
    for table, wanted in request["RequestItems"].items():
        late_keys = wanted["Keys"][len(wanted["Keys"]) // 2 :]
        rest[table] = {**wanted, "Keys": late_keys}
        answers[table] = [
            item
            for item in answers.get(table, [])
            if not any(key.items() <= {name: item.get(name) for name in key}.items() for key in late_keys)
        ]
    return {**answer, "Responses": answers, "UnprocessedKeys": rest}


def wrong_types(value: Any, depth: int = 0) -> Any:
    """A JSON value with everything below its first level of another type."""
    if isinstance(value, dict):
        return {key: wrong_types(inner, depth + 1) for key, inner in value.items()}
    if depth == 1 and not isinstance(value, list):
        return value
    return 7 if isinstance(value, str) else "unexpected"
