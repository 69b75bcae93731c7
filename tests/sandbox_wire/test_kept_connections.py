"""Connections to carriers: questions share one as long as it lasts, and what may buy has one of its own."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from parcelgate.carriers.errors import TransientError, UnknownOutcomeError
from parcelgate.carriers.toolkit import transport as way_out
from parcelgate.carriers.toolkit.calls import Response
from parcelgate.carriers.toolkit.transport import HttpTransport
from tests.sandbox_wire.test_transport import OK, received, request, reset, server, silent

COOKIE = OK.replace(b"X-Seen: Yes", b"Set-Cookie: session=one-account; Path=/")


class Carrier:
    """A server whose connections each answer some requests, and what it was sent, by connection."""

    def __init__(self, answered: int, then: Callable[[socket.socket], None] | None, answer: bytes) -> None:
        self.requests: list[list[bytes]] = []
        self._answered, self._then, self._answer = answered, then, answer

    @contextmanager
    def open(self) -> Iterator[None]:
        with server(self._serve) as (self._url, self._first):
            try:
                yield
            finally:
                way_out.renew()

    def ask(self, **more: object) -> Response:
        return HttpTransport().send(request(self._url, safe=True, **more))

    def buy(self) -> Response:
        return HttpTransport().send(request(self._url))

    def _serve(self, connection: socket.socket) -> None:
        heard = [self._first[-1]]
        self.requests.append(heard)
        for number in range(self._answered):
            if number and not self._heard(connection, heard):
                return
            connection.sendall(self._answer)
        if self._then and (not self._answered or self._heard(connection, heard)):
            self._then(connection)

    def _heard(self, connection: socket.socket, heard: list[bytes]) -> bool:
        more = received(connection)
        heard += [more] if more else []
        return bool(more)


@contextmanager
def carrier(
    *, answers: int, then: Callable[[socket.socket], None] | None = None, answer: bytes = OK
) -> Iterator[Carrier]:
    """A carrier whose connections answer so many requests and close, or do this with the next request."""
    way_out.renew()
    made = Carrier(answers, then, answer)
    with made.open():
        yield made


def test_questions_of_several_invocations_share_a_connection() -> None:
    with carrier(answers=10) as there:
        for _ in range(3):
            assert there.ask().status == 200
    assert list(map(len, there.requests)) == [3]


def test_what_may_buy_has_a_connection_of_its_own_which_nobody_uses_after_it() -> None:
    with carrier(answers=1) as there:
        there.ask()
        assert there.buy().status == 200
        assert there.buy().status == 200
    assert list(map(len, there.requests)) == [1, 1, 1]
    question, *purchases = (heard.lower() for (heard,) in there.requests)
    assert b"connection: close" not in question
    assert all(b"connection: close" in purchase for purchase in purchases)


def test_a_carrier_that_closes_idle_connections_loses_no_call_and_hears_none_twice() -> None:
    """It answers one request and closes; whoever writes into that connection afterwards gets no answer."""
    with carrier(answers=1) as there:
        for ask in (there.ask, there.buy, there.ask, there.ask, there.buy):
            assert ask().status == 200
    assert len(there.requests) == 5
    assert all(len(heard) == 1 for heard in there.requests)


@pytest.mark.parametrize("cut", [pytest.param(lambda _: None, id="closed"), reset])
def test_a_question_that_meets_the_end_of_a_connection_is_asked_again_on_another(
    cut: Callable[[socket.socket], None],
) -> None:
    """The carrier closes just when the request is on its way: nobody can see that beforehand."""
    with carrier(answers=1, then=cut) as there:
        there.ask()
        assert there.ask().status == 200
    assert list(map(len, there.requests)) == [2, 1]


def test_it_is_asked_again_once() -> None:
    calls = iter([True])

    def once(connection: socket.socket) -> None:
        if next(calls, False):
            connection.sendall(OK)
            received(connection)

    with carrier(answers=0, then=once) as there:
        there.ask()
        with pytest.raises(TransientError, match="RemoteProtocolError"):
            there.ask()
    assert len(there.requests) == 2


def test_a_question_without_an_answer_is_not_asked_again() -> None:
    """The carrier may be working on it, and the caller's time is used up."""
    with carrier(answers=1, then=silent) as there:
        there.ask()
        with pytest.raises(TransientError, match="ReadTimeout"):
            there.ask(read_seconds=0.2)
    assert list(map(len, there.requests)) == [2]


def test_what_came_behind_an_answer_is_not_the_answer_to_the_next_question() -> None:
    """It may be about the order of another tenant, for all accounts of a carrier share its connections."""
    with carrier(answers=3, answer=OK + OK.replace(b"200 OK", b"202 Accepted")) as there:
        for _ in range(3):
            assert there.ask().status == 200
    assert list(map(len, there.requests)) == [1, 1, 1]


def test_connections_from_before_a_long_pause_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen environment need not notice how long it was: only the wall clock surely goes on."""
    moments = iter([1000.0, 1029.0, 1060.0])
    monkeypatch.setattr(way_out, "_wall_clock", lambda: next(moments))
    first, soon, later = (way_out._shared_client(kept=True) for _ in range(3))
    assert first is soon
    assert later is not soon


def test_what_may_buy_is_sent_once_whatever_becomes_of_its_connection() -> None:
    with carrier(answers=0) as there, pytest.raises(UnknownOutcomeError):
        there.buy()
    assert list(map(len, there.requests)) == [1]


def test_a_document_at_another_host_has_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are kept by address: another host behind the same one would get the first one's."""
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    kinds: list[bool] = []
    monkeypatch.setattr(way_out, "_shared_client", lambda *, kept: kinds.append(kept) or client)
    transport = HttpTransport(resolve=lambda host, port: ["93.184.216.34"])
    transport.send(request("https://cdn.example/1.pdf", safe=True, public_only=True))
    assert kinds == [False]


def test_a_cookie_of_one_account_is_never_sent_for_another() -> None:
    with carrier(answers=2, answer=COOKIE) as there:
        for call in (there.buy, there.ask, there.ask, there.buy):
            call()
    assert list(map(len, there.requests)) == [1, 2, 1]
    assert not [heard for line in there.requests for heard in line if b"cookie" in heard.lower()]
