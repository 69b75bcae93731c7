"""Clients that fail on command: at their n-th call, in the way a test asks for.

One `Faults` counts the outward calls of everything it wraps, AWS clients and carrier transports alike, in
the order in which they are made. So a test can run a use case once to learn how many calls it makes, and
then once more for each of them, dying there:

    for n in range(1, calls_of(scenario) + 1):
        faults = Faults().at(n, die())
        with pytest.raises(Killed):
            scenario(faults.wrap(client, "dynamodb"), faults.wrap(transport, "carrier"))

A fault that never comes true proves nothing, so `all_come_true` surrounds every test: it fails the test whose
script holds one. A loop that does not know how many calls there are ends when `came_true` says so.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.support import observed_calls

_AT_HOME = frozenset({"can_paginate", "generate_presigned_post", "generate_presigned_url", "get_waiter"})
"""Methods of an AWS client that call nobody."""


_scripts: list[list["_Entry[Any]"]] = []
"""What was written into each script since the test began. The calls themselves are not kept."""


class Killed(BaseException):
    """The function has died. No `except Exception` of the code under test can stop it."""


class Call(NamedTuple):
    """One outward call: of what, by which method, with which arguments."""

    target: str
    method: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.target}.{self.method}"


class Fault(NamedTuple):
    """What goes wrong, and whether the call has had its effect by then."""

    error: Callable[[Call], BaseException]
    after: bool = False


def die(*, after: bool = False) -> Fault:
    """The function dies: before the call goes out, or `after` it had its effect."""
    return Fault(lambda call: Killed(str(call)), after)


def time_out(*, after: bool = False) -> Fault:
    """An AWS call is not answered; it may have had its effect (`after`) or not."""
    return Fault(lambda call: ReadTimeoutError(endpoint_url=f"https://{call.target}.test"), after)


def throttle() -> Fault:
    """An AWS call is refused for coming too often."""
    return aws_error("ThrottlingException")


def unavailable(*, after: bool = False) -> Fault:
    """An AWS call is answered by a server error."""
    return Fault(lambda call: _client_error(call, "InternalServerError"), after)


def condition_fails(item: dict[str, Any] | None = None, *, index: int = 0) -> Fault:
    """A condition does not hold; in a transaction it is that of its part number `index`."""

    def error(call: Call) -> BaseException:
        if call.method == "transact_write_items":
            reason = {"Code": "ConditionalCheckFailed", **({"Item": item} if item else {})}
            return _cancelled(call, index, reason)
        extra = {"Item": item} if item else {}
        return _client_error(call, "ConditionalCheckFailedException", **extra)

    return Fault(error)


def conflict(*, index: int = 0) -> Fault:
    """The write meets a transaction on the same item; in a transaction at its part number `index`."""

    def error(call: Call) -> BaseException:
        if call.method == "transact_write_items":
            return _cancelled(call, index, {"Code": "TransactionConflict"})
        return _client_error(call, "TransactionConflictException")

    return Fault(error)


def aws_error(code: str, *, after: bool = False) -> Fault:
    """An AWS call fails with this error code."""
    return Fault(lambda call: _client_error(call, code), after)


def fails_with(error: BaseException, *, after: bool = False) -> Fault:
    """The call raises `error`: for transports, whose errors are their own."""
    return Fault(lambda call: error, after)


class _Entry[W]:
    """One line of a script: what happens at which calls, how often at most, and how often it did."""

    def __init__(self, name: str, at: Callable[[int, Call], bool], what: W, times: int) -> None:
        self.name, self.at, self.what, self.times = name, at, what, times
        self.happened = 0

    def matches(self, number: int, call: Call) -> bool:
        return self.happened < self.times and self.at(number, call)


class Faults:
    """A script of what goes wrong at which call, and the record of all calls made."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._faults: list[_Entry[Fault]] = []
        self._actions: list[_Entry[Callable[[], None]]] = []
        self._script: list[_Entry[Any]] = []
        _scripts.append(self._script)

    def at(self, n: int, fault: Fault) -> "Faults":
        """Fail the n-th outward call, counted from 1 over everything that is wrapped."""
        return self._write(self._faults, _Entry(f"call {n}", lambda number, call: number == n, fault, 1))

    def on(self, method: str, fault: Fault, *, target: str | None = None, times: int = 1) -> "Faults":
        """Fail the next `times` calls of this method (of any wrapped thing, or of `target` only)."""
        return self.when(_matcher(method, target), fault, times=times, name=method)

    def when(
        self, matches: Callable[[Call], bool], fault: Fault, *, times: int = 1, name: str = "a call"
    ) -> "Faults":
        """Fail the next `times` calls for which `matches` is true."""
        return self._write(self._faults, _Entry(name, lambda number, call: matches(call), fault, times))

    def before(self, method: str, action: Callable[[], None], *, target: str | None = None) -> "Faults":
        """Do something just before the next call of this method: how another process gets in between."""
        matches = _matcher(method, target)
        entry = _Entry(f"before {method}", lambda number, call: matches(call), action, 1)
        return self._write(self._actions, entry)

    def forget(self) -> None:
        """End the script: what has not come true by now is not going to."""
        for written in (self._faults, self._actions, self._script):
            written.clear()

    @property
    def came_true(self) -> bool:
        """Whether everything in the script has happened at least once."""
        return all(entry.happened for entry in self._script)

    def _write[W](self, where: list[_Entry[W]], entry: _Entry[W]) -> "Faults":
        where.append(entry)
        self._script.append(entry)
        return self

    def wrap[T](self, thing: T, name: str) -> T:
        """`thing`, counted and failing. An AWS client, or anything with public methods or callable."""
        return _Wrapped(thing, name, self)  # type: ignore[return-value]

    @property
    def names(self) -> list[str]:
        """The calls so far, such as `dynamodb.get_item`."""
        return [str(call) for call in self.calls]

    def make(self, call: Call, really: Callable[[], Any]) -> Any:
        """Make one call, or fail it. Used by what `wrap` returns."""
        for entry in self._actions:
            if entry.matches(len(self.calls) + 1, call):
                entry.happened += 1
                entry.what()
        self.calls.append(call)
        observed_calls.note(call.target, call.method, call.arguments)
        fault = self._next(len(self.calls), call)
        if fault is None:
            return really()
        if fault.after:
            really()
        raise fault.error(call)

    def _next(self, number: int, call: Call) -> Fault | None:
        for entry in self._faults:
            if entry.matches(number, call):
                entry.happened += 1
                return entry.what
        return None


def at_every_call(story: Callable[[int], Faults], *, least: int) -> None:
    """Tell `story(n)` with a fault at its n-th call, from the first on until the fault comes after its end.

    Raises
    ------
    AssertionError
        When the story has fewer than `least` calls: its faults would be fewer than the test is about.
    """
    for n in count(1):
        faults = story(n)
        if not faults.came_true:
            faults.forget()
            assert n > least, f"only {n - 1} calls could fail"
            return


@contextmanager
def all_come_true() -> Iterator[None]:
    """Fail when something in the script of any `Faults` made within has not happened.

    Raises
    ------
    AssertionError
        Names the calls that were to fail and were never made.
    """
    _scripts.clear()
    yield
    outstanding = [entry.name for script in _scripts for entry in script if not entry.happened]
    _scripts.clear()
    assert not outstanding, f"never happened, so nothing was tested: {outstanding}"


class _Wrapped:
    def __init__(self, thing: Any, name: str, faults: Faults) -> None:
        self.__dict__.update(_thing=thing, _name=name, _faults=faults)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._thing, name)
        if name == "get_paginator":
            raise AssertionError("a paginator's calls cannot be counted: page by hand")
        if (
            not callable(attribute)
            or isinstance(attribute, type)
            or name.startswith("_")
            or not self._outward(name)
        ):
            return attribute

        def call(*positional: Any, **named: Any) -> Any:
            arguments = named | ({"args": positional} if positional else {})
            made = Call(self._name, name, arguments)
            return self._faults.make(made, lambda: attribute(*positional, **named))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._thing, name, value)

    def __call__(self, *positional: Any, **named: Any) -> Any:
        arguments = named | ({"args": positional} if positional else {})
        made = Call(self._name, "__call__", arguments)
        return self._faults.make(made, lambda: self._thing(*positional, **named))

    def _outward(self, name: str) -> bool:
        """Of an AWS client only API calls count; of anything else every public method."""
        operations = getattr(getattr(self._thing, "meta", None), "method_to_api_mapping", None)
        return name in operations if operations is not None else name not in _AT_HOME


def _matcher(method: str, target: str | None) -> Callable[[Call], bool]:
    return lambda call: call.method == method and target in (None, call.target)


def _client_error(call: Call, code: str, **extra: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "made up by a test"}, **extra}, call.method)


def _cancelled(call: Call, index: int, reason: dict[str, Any]) -> ClientError:
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in call.arguments["TransactItems"]]
    reasons[index] = reason
    return _client_error(call, "TransactionCanceledException", CancellationReasons=reasons)
