"""The carriers' sandbox, running on a port of this machine, and its accounts."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from sandbox import Settings, serve
from sandbox.lme.envelope import new_login

ROOT = Path(__file__).parents[2]
READ_SECONDS = 0.4
"""How long a test waits for an answer. The sandbox answers in milliseconds, unless a fault delays it."""


class Sandbox:
    """The running sandbox, and the logins of its carrier accounts, by carrier."""

    def __init__(self, url: str, logins: dict[str, dict[str, str]]) -> None:
        self.url = url
        self.logins = logins
        self._control = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False)
        self._faults: list[tuple[str, str, str, int]] = []

    def reset(self) -> None:
        self._control.post("/reset").raise_for_status()
        self._faults.clear()

    def advance(self, *, hours: float) -> None:
        """Let so much time pass for the parcels."""
        self._control.post("/advance", json={"seconds": hours * 3600}).raise_for_status()

    def fault(self, carrier: str, call: str, kind: str, *, times: int = 1, **more: Any) -> None:
        """Spoil the next `times` of a carrier's calls. Each fault has to be met before the test is over."""
        fault = {"carrier": carrier, "call": call, "kind": kind, "times": times, **more}
        self._control.post("/faults", json=[{"seconds": 2 * READ_SECONDS, **fault}]).raise_for_status()
        self._faults.append((carrier, call, kind, times))

    def assert_every_fault_was_met(self) -> None:
        left = [
            (each["carrier"], each["call"], each["kind"], each["times"])
            for each in self._control.get("/faults").json()["faults"]
        ]
        unmet = [fault for fault in left if fault in self._faults]
        assert not unmet, f"never met, so nothing was tested: {unmet}"

    def ledger(self) -> dict[str, Any]:
        """The books of each carrier."""
        books: dict[str, Any] = self._control.get("/ledger").json()
        return books

    def bought(self, carrier: str, reference: str) -> list[dict[str, Any]]:
        """The carrier's orders under a reference, cancelled ones included."""
        return [entry for entry in self._orders(carrier) if entry["reference"] == reference]

    def living(self, carrier: str) -> Counter[str]:
        """How many orders that were not cancelled the carrier has, by reference."""
        return Counter(entry["reference"] for entry in self._orders(carrier) if not entry["refunded"])

    def _orders(self, carrier: str) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = self._control.get("/ledger").json()[carrier]["orders"]
        return orders


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """Run one in a thread of this process."""
    logins = _new_logins()
    with serve(Settings(accounts=_accounts(logins))) as url:
        yield Sandbox(url, logins)


@contextmanager
def sandbox_process() -> Iterator[Sandbox]:
    """Run one in a process of its own, so that what it keeps is not counted with ours."""
    logins = _new_logins()
    with TemporaryDirectory() as folder:
        accounts = Path(folder) / "accounts.json"
        accounts.write_text(json.dumps(_accounts(logins)))
        command = [sys.executable, "-m", "sandbox", "--accounts", str(accounts)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                told = process.stdout.readline()
                assert told, "the sandbox ended before it listened"
                yield Sandbox(told.split()[-1], logins)
            finally:
                process.kill()


def _new_logins() -> dict[str, dict[str, str]]:
    return {
        "ubi": {"token": "t-7", "secret": "made-up"},
        "lso": {"app_id": "a-7", "app_secret": "made-up"},
        "lme": new_login(),
        "trackingmore": {"api_key": "made-up", "email": "shop@example.com"},
    }


def _accounts(logins: dict[str, dict[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    return {carrier: {"default": login} for carrier, login in logins.items()}
