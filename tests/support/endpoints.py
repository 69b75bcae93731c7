"""A merchant's server for tests: what it was sent, and what it answers."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Any, NamedTuple

from standardwebhooks.webhooks import Webhook

from parcelgate.services.endpoints.calls import NOT_SUCCESS, SECONDS, TIMED_OUT, Result
from tests.support.clock import FakeClock

OK = Result(ms=12, status=200, body="thanks")
DOWN = Result(ms=3, error="The endpoint takes no connection.")
SLOW = Result(ms=15_000, error=TIMED_OUT)


def refused(status: int, *, retry_after: float | None = None) -> Result:
    return Result(ms=5, status=status, body="no", error=NOT_SUCCESS, retry_after=retry_after)


class Received(NamedTuple):
    """One request that came in."""

    at: Any
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def signed_by(self, secret: str) -> bool:
        """Whether one of the signatures is of this secret. The library itself judges by the wall clock."""
        signature = Webhook(secret).sign(self.id, self.at.astimezone(UTC), self.body.decode())
        assert self.headers["webhook-timestamp"] == str(int(self.at.timestamp()))
        return signature in self.headers["webhook-signature"].split(" ")


class FakeEndpoints:
    """In the place of `EndpointCaller`: every address answers 200, or what a test has it answer."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._script: dict[str, list[Result]] = defaultdict(list)
        self._always: dict[str, Result] = {}
        self._during: dict[str, Callable[[], None]] = {}
        self.received: list[Received] = []

    def script(self, url: str, results: Iterable[Result], *, then: Result = OK) -> None:
        """Have an address give these answers, and then always the same one."""
        self._script[url] = list(results)
        self._always[url] = then

    def during(self, url: str, action: Callable[[], None]) -> None:
        """Do something during each call of an address: what others do meanwhile."""
        self._during[url] = action

    def post(self, url: str, headers: dict[str, str], body: bytes, *, seconds: float = SECONDS) -> Result:
        self.received.append(Received(self._clock.now, url, headers, body))
        if url in self._during:
            self._during[url]()
        return self._script[url].pop(0) if self._script[url] else self._always.get(url, OK)

    def of(self, url: str) -> list[Received]:
        return [each for each in self.received if each.url == url]

    def ids(self, url: str) -> list[str]:
        return [each.id for each in self.of(url)]
