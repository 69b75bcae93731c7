"""The merchant's client: calls the API as the contract asks, and notes how long each answer took."""

import re
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.stack.trials import NotSettledError, Trial
from tests.support.bodies import Body

_IDS = re.compile(r"/(ord|trk|bat|lbl|evt)_[^/]+")
_LABEL_WITHIN = 420.0


@dataclass
class Meter:
    """What was answered, and how fast."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By call and status. The status is 0 where no answer came."""
    refusals: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """Of the answers from 400 on, by call, status and the problem's code."""
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of the answers that were neither errors of the server nor 429, by call."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, call: str, status: int, seconds: float, code: str = "") -> None:
        """Note an answer."""
        with self._lock:
            self.answers[call, status] += 1
            if status >= httpx.codes.BAD_REQUEST:
                self.refusals[call, status, code] += 1
            if 200 <= status < 500 and status != httpx.codes.TOO_MANY_REQUESTS:
                self.seconds[call].append(seconds)


class _Metered(httpx.Client):
    """A client that notes each answer."""

    meter: Meter
    over: threading.Event

    def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        if self.over.is_set():
            raise InterruptedError("the run was ended")
        began, status, code = time.monotonic(), 0, ""
        try:
            answer = super().send(request, **how)
            status = answer.status_code
            if answer.is_error:
                with suppress(ValueError):  # The gateway's own answers are no problem documents.
                    code = str(answer.json().get("code", ""))
            return answer
        finally:
            _, _, path = request.url.path.partition("/$default")
            call = f"{request.method} {_IDS.sub('/{id}', path)}"
            self.meter.note(call, status, time.monotonic() - began, code)


@dataclass
class Desk(Trial):
    """A merchant that measures."""

    meter: Meter = field(default_factory=Meter)
    over: threading.Event = field(default_factory=threading.Event)
    """Nothing more is called once it is set."""

    @classmethod
    def of(cls, trial: Trial) -> "Desk":
        """Make the desk of a trial's merchant."""
        return cls(trial.ground, trial.tenant, trial.carriers, trial.key, trial.merchant)

    def __post_init__(self) -> None:
        super().__post_init__()
        client = _Metered(base_url=self.http.base_url, headers=self.http.headers, timeout=90)
        client.meter, client.over = self.meter, self.over
        self.http.close()
        self.http = client

    def read(self, path: str, *, over: Any, within: float = _LABEL_WITHIN) -> Body:
        """Read something until `over` says that it is over.

        Raises
        ------
        NotSettledError
            It takes too long.
        """
        began, pause = time.monotonic(), 0.5
        while not over(seen := self.call("GET", path)):
            if time.monotonic() - began > within:
                raise NotSettledError(f"{path} is not over within {within:.0f} s: {str(seen)[:200]}")
            time.sleep(pause)
            pause = min(10.0, pause * 1.5)
        return seen
