"""One run of schemathesis against the API, wherever it is served."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from local.toolchain.tools import environment
from parcelgate.carriers import registry
from tests.support.api import openapi_document, order_body
from tests.support.bodies import lme_body, ubi_body

CALLS, SEQUENCES = 8, 120
"""How many calls of each operation the tool is to make in one run, and then how many sequences at most."""
PAUSES = "pauseAccount"
"""The operation that is left out: 503 is the right answer about an account that is paused."""
NO_SERVER_ERROR = "not_a_server_error"
CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ENDPOINT = "https://shop.example.com/hooks"
"""An endpoint's address that nothing is sent to: the functions in one process send nothing anywhere."""
_COUNTED = (
    r"Scenarios: +(\d[\d,]*)",
    r"(\d[\d,]*) generated",
    r"Tested: +(\d[\d,]*)",
    r"(\d[\d,]*) unique failures?",
)
"""What the tool says of a run: sequences, calls, operations and failures."""
_CALLS = "calls.jsonl"
_MADE_WITHIN = 30.0
"""Seconds until the first orders have events, on a stack."""
_under_way: set[subprocess.Popen[str]] = set()


class Served(NamedTuple):
    """The API under test. `errors` are what no function handled, where that can be seen."""

    url: str
    key: str
    errors: list[str]
    endpoint: str = ENDPOINT
    """Where the endpoints that the tool makes get their webhooks."""
    push: str = ""
    """Where a carrier sends its webhooks; empty: one that cannot be used is not made."""


class Call(NamedTuple):
    """An answer that the tool got. `problem` says more of an error of the server."""

    operation: str
    status: int
    seconds: float
    problem: str

    @property
    def request_id(self) -> str:
        """The id of the request in an error of the server; empty where it is not said."""
        found = re.search(r'"request_id":"([^"]+)"', self.problem)
        return found[1] if found else ""


class Run(NamedTuple):
    """What came of one run of the tool; `found` are its words about answers that are wrong."""

    seed: int
    sequences: int
    calls: int
    operations: int
    wrong: int
    found: str
    answers: tuple[Call, ...] = ()


def fill(served: Served, seed: int) -> dict[str, list[str]]:
    """Make some of everything. Returns the ids, by the word of a path that they follow."""
    key = {"authorization": f"Bearer {served.key}"}
    with httpx.Client(base_url=served.url, headers=key, timeout=60, trust_env=False) as http:
        for body in (ubi_body, lme_body, order_body):
            for place in range(2):
                http.post("/v1/orders", json=body(f"contract-{seed}-{place}")).raise_for_status()
        rows = [ubi_body(f"contract-{seed}-row-{place}") for place in range(3)]
        http.post("/v1/orders/batch", json={"orders": rows}).raise_for_status()
        http.post("/v1/webhook-endpoints", json={"url": served.endpoint}).raise_for_status()
        parcels = [
            {"tracking_number": f"RR{seed:09}{end}", "carrier_code": "china-ems"} for end in ("CN", "SG")
        ]
        http.post("/v1/trackings", json=parcels).raise_for_status()
        words = ("orders", "trackings", "events", "webhook-endpoints")
        known = {word: _ids(http, word) for word in words}
        known["webhook-deliveries"] = _ids(
            http, f"webhook-endpoints/{known['webhook-endpoints'][0]}/deliveries"
        )
        pages = (each["tracking_page"] for each in http.get("/v1/trackings").json()["data"])
        known["track"] = [page.rpartition("/")[2] for page in pages if page]
        known["dead-letters"] = _ids(http, "dead-letters", "queue")
        if served.push:
            httpx.post(served.push, json={}, timeout=60, trust_env=False).raise_for_status()
            known["inbox"] = _ids(http, "inbox")
    known["air-cargo"] = ["016-10354966"]
    carriers = [*registry.trackers()]
    return known | {"carriers": carriers, "carrier-accounts": carriers, "{carrier}": ["default"]}


def _ids(http: httpx.Client, of: str, name: str = "id") -> list[str]:
    """The ids of a list, as soon as it has one."""
    deadline = time.monotonic() + _MADE_WITHIN
    while True:
        found = [each[name] for each in http.get(f"/v1/{of}").raise_for_status().json()["data"]]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def run(
    served: Served,
    seed: int,
    folder: Path,
    known: Mapping[str, list[str]],
    *,
    checks: Sequence[str] = (NO_SERVER_ERROR, *CHECKS),
    times: int = 1,
) -> Run:
    """Let the tool make one run, `times` as long as others, with files in `folder`."""
    schema, orders, ids = (folder / f"{name}.json" for name in ("openapi", "orders", "known"))
    schema.write_text(json.dumps(openapi_document()), "utf-8")
    orders.write_text(json.dumps([ubi_body(), lme_body(), order_body()]), "utf-8")
    ids.write_text(json.dumps(known), "utf-8")
    (folder / _CALLS).write_text("", "utf-8")
    hooks = {
        "PYTHONPATH": str(Path(__file__).parent),
        "SCHEMATHESIS_HOOKS": "hooks",
        "PARCELGATE_CONTRACT_ORDERS": str(orders),
        "PARCELGATE_CONTRACT_KNOWN": str(ids),
        "PARCELGATE_CONTRACT_ENDPOINT": served.endpoint,
        "PARCELGATE_CONTRACT_CALLS": str(folder / _CALLS),
    }
    phases = {"fuzzing": CALLS, "stateful": SEQUENCES}
    lines = [f"[phases.{name}]\ngeneration.max-examples = {most * times}\n" for name, most in phases.items()]
    (folder / "schemathesis.toml").write_text("".join(lines), "utf-8")
    command = [
        *(tool(), "--no-color", "run", schema),
        *("--url", served.url, "--header", f"Authorization: Bearer {served.key}"),
        *("--phases", "fuzzing,stateful", "--exclude-operation-id", PAUSES, "--seed", str(seed)),
        *("--checks", ",".join(checks), "--suppress-health-check", "all", "--request-timeout", "60"),
        "--continue-on-failure",
    ]
    pipe = subprocess.PIPE
    program = subprocess.Popen(
        command, cwd=folder, env=os.environ | hooks, stdout=pipe, stderr=pipe, text=True
    )
    _under_way.add(program)
    try:
        printed, trouble = program.communicate()
    finally:
        _under_way.discard(program)
    numbers = [re.search(words, printed) for words in _COUNTED]
    if not all(numbers[:3]):
        sys.exit(f"contract: the tool did not run:\n{printed[-3000:]}{trouble[-2000:]}")
    counts = [int(each[1].replace(",", "")) if each else 0 for each in numbers]
    if program.returncode:
        counts[-1] = max(counts[-1], 1)
    return Run(seed, *counts, printed if program.returncode else "", tuple(calls(folder)))


def tool() -> Path:
    """The tool's program. Make it before several runs begin at once, or each of them makes it."""
    return environment("contract") / "bin" / "st"


def calls(folder: Path) -> Iterator[Call]:
    """The calls of a run that writes or wrote into this folder."""
    written = folder / _CALLS
    lines = written.read_text("utf-8").splitlines(keepends=True) if written.exists() else []
    return (Call(*json.loads(line)) for line in lines if line.endswith("\n"))


def end() -> None:
    """End the runs that are under way."""
    for program in list(_under_way):
        program.terminate()


def by_class(answers: Iterator[Call] | tuple[Call, ...]) -> Mapping[str, int]:
    """How many answers are `2xx`, `3xx`, `4xx`, `429` and `5xx`. One of 429 counts there alone."""
    counts: Counter[str] = Counter(dict.fromkeys(("2xx", "3xx", "4xx", "429", "5xx"), 0))
    counts.update("429" if each.status == 429 else f"{each.status // 100}xx" for each in answers)
    return counts


def words(call: Call) -> str:
    """An answer in one line."""
    return f"{call.operation}: {call.status} after {call.seconds:.1f} s {call.problem}".rstrip()


def account_limits() -> dict[str, Any]:
    """Limits of a carrier account that let hardly a call wait. The sandbox keeps the pace of some itself."""
    return {"rate": 10_000.0, "burst": 100_000}
