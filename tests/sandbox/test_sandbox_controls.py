"""Ledger, clock, reset and injected faults; and the sandbox as a process."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import sandbox
from sandbox import Settings, serve
from sandbox import carriers as sandbox_folders
from sandbox.app import build_app
from sandbox.controls.clock import Clock

CHECKOUT = Path(sandbox.__file__).parents[1]


def inject(http, **fault):
    answer = http.post("/_sandbox/faults", json=[{"carrier": "lso", **fault}])
    assert answer.status_code == 200, answer.text


def test_health_names_the_carriers(http):
    assert http.get("/_sandbox/health").json() == {
        "status": "ok",
        "carriers": ["lme", "lso", "trackingmore", "ubi"],
    }


def test_reset_forgets_everything(lso, http):
    lso.order("SBX-PENDING-5")
    http.post("/_sandbox/advance", json={"seconds": 60})
    inject(http, call="*", kind="status_500")
    http.post("/_sandbox/reset")
    assert http.get("/_sandbox/ledger").json()["lso"] == {
        "orders": [],
        "money": {"held": "0.00", "charged": "0.00", "returned": "0.00"},
        "calls": {},
        "calls_by_reference": {},
        "callbacks": [],
        "duplicates": {},
    }
    assert http.get("/_sandbox/faults").json() == {"faults": []}


@pytest.mark.parametrize("control", ["advance", "run"])
@pytest.mark.parametrize("body", [{}, {"seconds": "x"}, {"seconds": -1}, [], {"seconds": "inf"}])
def test_the_clock_only_goes_forward(http, control, body):
    assert http.post(f"/_sandbox/{control}", json=body).status_code == 422


def test_the_clock_stands_still_until_it_may_run_on(lso, http, eventually):
    def now():
        return http.post("/_sandbox/advance", json={"seconds": 0}).json()["now"]

    http.post("/_sandbox/run", json={"seconds": 0})
    number = lso.order("shop-1")
    stood = now()
    assert lso.result(number)["code"] == 1024
    assert now() == stood
    assert lso.entry("shop-1")["status"] == "processing"

    http.post("/_sandbox/run", json={"seconds": None})
    lso.finished(number)
    eventually(lambda: now() > stood)


def test_a_clock_that_stands_shows_one_time_however_often_it_is_read():
    clock = Clock()
    clock.run(0)
    assert len({clock.time() for _ in range(10_000)}) == 1


def test_what_waits_is_woken_when_a_clock_that_stands_is_advanced(lso, http):
    http.post("/_sandbox/run", json={"seconds": 0})
    number = lso.order("shop-1")
    http.post("/_sandbox/advance", json={"seconds": 60})
    lso.finished(number)


def test_advancing_wakes_what_waits(lso, http, eventually):
    inject(http, call="orderCommit", kind="timeout", seconds=3600)
    with ThreadPoolExecutor(1) as pool:
        commit = pool.submit(lso.send, "shop-1")
        eventually(lambda: lso.ledger()["orders"])
        http.post("/_sandbox/advance", json={"seconds": 3600})
        with pytest.raises(httpx.RemoteProtocolError):
            commit.result(timeout=60)


@pytest.mark.parametrize(
    ("kind", "error", "bought"),
    [
        ("reset_before", httpx.ReadError, 0),
        ("reset_after", httpx.ReadError, 1),
        ("half_body", httpx.RemoteProtocolError, 1),
    ],
)
def test_a_broken_connection_is_broken_once(lso, http, kind, error, bought):
    inject(http, call="orderCommit", kind=kind)
    with pytest.raises(error):
        lso.send("shop-1")
    assert len(lso.ledger()["orders"]) == bought
    assert lso.send("shop-1").json()["code"] == (1004 if bought else 200)


def test_a_timeout_is_silence_then_the_end(lso, http):
    inject(http, call="orderCommit", kind="timeout", seconds=0.1)
    with pytest.raises(httpx.RemoteProtocolError):
        lso.send("shop-1")
    assert lso.entry("shop-1")


@pytest.mark.parametrize(
    ("kind", "status", "start"),
    [
        ("status_500", 500, "Internal Server Error"),
        ("html_502", 502, "<html>"),
        ("429", 429, "Too Many Requests"),
        ("unauthorized", 200, '{"code":401'),
        ("code", 200, '{"code":1777'),
    ],
)
def test_an_answer_in_the_carriers_place_buys_nothing(lso, http, kind, status, start):
    inject(http, call="orderCommit", kind=kind, times=2, code=1777, retry_after=7)
    for _ in range(2):
        answer = lso.send("shop-1")
        assert answer.status_code == status
        assert answer.text.startswith(start)
        assert answer.headers.get("Retry-After") == ("7" if kind == "429" else None)
    assert lso.ledger()["orders"] == []
    assert lso.send("shop-1").json()["code"] == 200
    assert lso.ledger()["calls"]["orderCommit"] == 3


def test_wrong_types_keep_the_first_level(lso, http):
    inject(http, call="orderCommit", kind="wrong_type")
    answer = lso.send("shop-1").json()
    assert answer["code"] == 200
    assert answer["data"] == {
        "orderNumber": {"unexpected": "object"},
        "orderDetails": "unexpected string",
    }


def test_a_fault_can_be_aimed_at_one_order(lso, http):
    numbers = {name: lso.order(name) for name in ("shop-1", "shop-2")}
    for number in numbers.values():
        lso.finished(number)
    inject(http, call="*", kind="code", code=1777, reference="shop-2")
    assert lso.label(numbers["shop-1"])["code"] == 200
    assert http.get("/_sandbox/faults").json()["faults"][0]["times"] == 1
    assert lso.label(numbers["shop-2"])["code"] == 1777
    assert lso.label(numbers["shop-2"])["code"] == 200


def test_faults_can_be_dropped(lso, http, shipment):
    inject(http, call="feePreview", kind="status_500", times=9)
    http.delete("/_sandbox/faults")
    assert lso.preview(shipment())["code"] == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        ["fault"],
        [{"carrier": "lso", "call": "label"}],
        [{"carrier": "dhl", "call": "label", "kind": "429"}],
        [{"carrier": "lso", "call": "labels", "kind": "429"}],
        [{"carrier": "lso", "call": "label", "kind": "explode"}],
        [{"carrier": "lso", "call": "label", "kind": "code"}],
        [{"carrier": "lso", "call": "label", "kind": "429", "colour": "red"}],
        [{"carrier": "lso", "call": "label", "kind": "429", "times": "two"}],
        [{"carrier": "lso", "call": "label", "kind": "timeout", "seconds": "long"}],
    ],
)
def test_a_fault_that_cannot_be_is_refused(http, body):
    answer = http.post("/_sandbox/faults", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert http.get("/_sandbox/faults").json() == {"faults": []}


def test_it_can_be_served_twice_and_is_gone_afterwards():
    with serve() as one, serve(Settings(processing_seconds=0)) as two:
        assert one != two
        assert httpx.get(f"{two}/_sandbox/health", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{one}/_sandbox/health", trust_env=False)


def test_it_runs_as_a_process_and_ends_on_sigterm(tmp_path):
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps({"lso": {"x": {"app_id": "a", "app_secret": "b"}}}))
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--accounts", str(accounts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            answer = httpx.post(
                f"{url}/lso/external-interface/getToken",
                json={"appId": "a", "appSecret": "b"},
                trust_env=False,
            )
            assert answer.json()["data"]["expiresIn"] == 7200
        finally:
            process.terminate()
        assert process.wait(timeout=60) is not None


def test_a_taken_port_is_said_in_one_line(sandbox_url):
    port = sandbox_url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "sandbox", "--port", port]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=CHECKOUT)
    assert ended.returncode == 1
    assert ended.stderr.startswith("sandbox: ")
    assert ended.stderr.count("\n") == 1


def test_webhooks_are_entered_by_carrier_and_account_and_outlive_a_reset(http):
    url = "https://shop.example/hook"
    assert http.post("/_sandbox/webhooks", json={"lso": {"default": url}}).json() == {"lso": {"default": url}}
    assert http.post("/_sandbox/webhooks", json={}).json() == {"lso": {"default": url}}
    http.post("/_sandbox/reset")
    assert http.get("/_sandbox/webhooks").json() == {"lso": {"default": url}}
    assert http.delete("/_sandbox/webhooks").json() == {}


def test_an_account_s_webhooks_can_be_taken_away_again(http):
    url = "https://shop.example/hook"
    http.post("/_sandbox/webhooks", json={"lso": {"default": url}})
    assert http.post("/_sandbox/webhooks", json={"lso": {"default": None}}).json() == {"lso": {}}
    assert http.delete("/_sandbox/webhooks").json() == {}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"lso": "https://shop.example"},
        {"lso": {"nobody": "https://shop.example"}},
        {"dhl": {"default": "https://shop.example"}},
        {"lso": {"default": "/hook"}},
        {"lso": {"default": ""}},
        {"lso": {"default": False}},
    ],
)
def test_a_webhook_that_cannot_be_is_refused(http, body):
    assert http.post("/_sandbox/webhooks", json=body).status_code == 422
    assert http.get("/_sandbox/webhooks").json() == {}


def test_an_account_that_is_opened_later_is_let_in_and_has_webhooks(http):
    login = {"app_id": "app-opened", "app_secret": "of-theirs"}
    asked = {"appId": login["app_id"], "appSecret": login["app_secret"]}
    assert "token" not in http.post("/lso/external-interface/getToken", json=asked).text

    opened = {
        "lso": {"opened": login},
        "ubi": {"opened": sandbox_folders.package("ubi").new_login()},
        "lme": {"opened": sandbox_folders.package("lme").new_login()},
        "trackingmore": {"opened": {"api_key": "opened-key", "email": "opened@shop.example"}},
    }
    http.post("/_sandbox/accounts", json=opened).raise_for_status()

    assert http.post("/lso/external-interface/getToken", json=asked).json()["data"]["token"]
    parcel = {"tracking_number": "LK123456789CN", "carrier_code": "china-ems"}
    key = {"Trackingmore-Api-Key": "opened-key"}
    followed = http.post("/trackingmore/v2/trackings/post", json=parcel, headers=key).json()
    assert followed["meta"]["code"] == 200
    hook = {"lme": {"opened": "https://shop.example"}}
    assert http.post("/_sandbox/webhooks", json=hook).json() == hook
    http.delete("/_sandbox/webhooks")


@pytest.mark.parametrize(
    "body", [[], {"lso": {"x": {}}}, {"lme": {"x": {"app_key": "k"}}}, {"dhl": {"x": {}}}]
)
def test_an_account_that_cannot_be_is_refused(http, body):
    assert http.post("/_sandbox/accounts", json=body).status_code == 422


def test_the_help_names_every_control_that_there_is():
    """Held against the application's own routes, so that none is forgotten."""
    command = [sys.executable, "-m", "sandbox", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    served = {route.path for route in build_app(Settings()).routes if route.path.startswith("/_sandbox/")}
    assert len(served) == 10
    for path in served:
        assert path in told, path
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for control in ("faults", "advance", "run", "reset", "webhooks", "ledger", "truth"):
        assert f"/_sandbox/{control}" in readme, control
