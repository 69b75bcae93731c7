"""What a webhook of TrackingMore's is worth: its signature is of the time alone."""

import hmac
import json
import subprocess
import sys
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from parcelgate.carriers.errors import AccountError
from parcelgate.carriers.results import Trust, WebhookReading
from parcelgate.carriers.trackingmore.signing import (
    Flaw,
    Proof,
    is_fresh,
    is_signed,
    read_proof,
    verify_proof,
)
from tests.support.adapters import FakeTransport
from tests.unit.carriers.trackingmore.parcels import EMAIL, NOON, RP, Body, account, adapter, item

# Published by the vendor: the hex HMAC-SHA256 of the time under the key.
KEY = "2e55b9a3-4dd1-4416-9897-c4bd1e3d738f"
TIME = "1662371528"
SIGNATURE = "a37084ab68ae16b77db1f8463f31be9fcc965e2515e03efecf8139bb1e511b06"

STAMP = str(int(NOON.timestamp()))


def signature(time: str, email: str = EMAIL) -> str:
    return hmac.new(email.encode(), time.encode(), sha256).hexdigest()


def info(time: Any = STAMP, **changes: Any) -> Body:
    return {"timeStr": time, "signature": signature(str(time)), **changes}


def webhook(verify: Any = None, *, inside: bool = False, data: Any = None) -> bytes:
    data = item() if data is None else data
    verify = info() if verify is None else verify
    if inside:
        return json.dumps({"meta": {"code": 200}, "data": {**data, "verifyInfo": verify}}).encode()
    return json.dumps({"meta": {"code": 200}, "data": data, "verifyInfo": verify}).encode()


def reading(body: bytes, *, now: datetime = NOON, **overrides: Any) -> WebhookReading:
    return adapter(FakeTransport(), now=now, **overrides).verify_webhook({}, body)


def test_the_published_signature_is_a_good_one() -> None:
    assert is_signed(Proof(TIME, SIGNATURE), KEY)
    assert verify_proof(webhook({"timeStr": TIME, "signature": SIGNATURE}), KEY) == Proof(TIME, SIGNATURE)


@pytest.mark.parametrize(
    ("proof", "email"),
    [
        (Proof(TIME, SIGNATURE), EMAIL),
        (Proof(TIME, SIGNATURE), ""),
        (Proof(TIME, hmac.new(b"", TIME.encode(), sha256).hexdigest()), ""),
        (Proof(TIME + "0", SIGNATURE), KEY),
        (Proof(TIME, SIGNATURE.upper()), KEY),
        (Proof(TIME, SIGNATURE[:-1]), KEY),
        (Proof(TIME, SIGNATURE + " "), KEY),
        (Proof(TIME, ""), KEY),
        (Proof(TIME, "ü\ud800"), KEY),
        (Proof("\ud800", SIGNATURE), KEY),
    ],
)
def test_any_other_is_not(proof: Proof, email: str) -> None:
    assert not is_signed(proof, email)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("time", [STAMP, int(STAMP)])
def test_the_proof_is_read_from_either_place_as_text_or_number(time: Any, inside: bool) -> None:
    body = webhook(info(time), inside=inside)
    assert read_proof(body) == Proof(STAMP, signature(STAMP))
    assert verify_proof(body, EMAIL) == read_proof(body)
    assert reading(body).trust is Trust.NUDGE


def test_of_two_proofs_that_at_the_top_is_the_one() -> None:
    body = json.loads(webhook(info(), inside=True)) | {"verifyInfo": info(signature="forged")}
    assert verify_proof(json.dumps(body).encode(), EMAIL) is Flaw.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b'{"verifyInfo": {"timeStr": "1',
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_object_is_malformed(body: bytes) -> None:
    assert verify_proof(body, EMAIL) is Flaw.MALFORMED
    assert read_proof(body) is None
    assert reading(body) == WebhookReading(trust=Trust.UNREADABLE, reason="not a JSON object")


@pytest.mark.parametrize(
    "verify",
    [
        "",
        [],
        {},
        7,
        {"timeStr": STAMP},
        {"signature": signature(STAMP)},
        info(signature=""),
        info(signature=None),
        info(signature=7),
        info(signature=signature(STAMP, "other@example.com")),
        info(timeStr=None),
        info(timeStr=""),
        info(timeStr=True),
        info(timeStr=[STAMP]),
        info(timeStr=f" {STAMP}"),
        info([STAMP]),
        info(None),
        info(True),
    ],
)
def test_a_proof_that_is_none_is_a_wrong_signature(verify: Any) -> None:
    body = webhook(verify)
    assert verify_proof(body, EMAIL) is Flaw.WRONG_SIGNATURE
    assert reading(body) == WebhookReading(trust=Trust.UNREADABLE, reason="its signature is missing or wrong")


@pytest.mark.parametrize("data", [item(), [item()], "text", None])
def test_an_object_without_any_proof_has_no_good_signature(data: Any) -> None:
    assert verify_proof(json.dumps({"data": data}).encode(), EMAIL) is Flaw.WRONG_SIGNATURE


def test_a_pair_is_remembered_by_its_digest() -> None:
    assert Proof("1", "2").digest == Proof("1", "2").digest
    assert len({Proof(*pair).digest for pair in (("1", "2"), ("12", ""), ("", "12"), ("2", "1"))}) == 4


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_time_within_five_minutes_is_fresh(seconds: int) -> None:
    assert reading(webhook(), now=NOON + timedelta(seconds=seconds)).trust is Trust.NUDGE


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_time_further_off_has_no_effect(seconds: int) -> None:
    found = reading(webhook(), now=NOON + timedelta(seconds=seconds))
    assert found == WebhookReading(trust=Trust.UNREADABLE, reason="its time differs too much from our clock")


def test_how_far_off_a_time_may_be_is_the_accounts() -> None:
    late = NOON + timedelta(seconds=301)
    assert reading(webhook(), now=late, webhook_tolerance_seconds=600).trust is Trust.NUDGE


@pytest.mark.parametrize(
    ("time", "fresh"),
    [
        (STAMP, True),
        (STAMP + "000", True),
        ("2026-11-21T12:00:00Z", True),
        ("2026-11-21 12:00:00", True),
        ("2026-11-21T20:00:00+08:00", True),
        ("2026-11-21T20:00:00", False),
        ("0", False),
        ("yesterday", False),
        ("9" * 400, False),
    ],
)
def test_a_time_is_read_in_several_forms(time: str, fresh: bool) -> None:
    assert is_fresh(Proof(time, ""), NOON, timedelta(minutes=5)) is fresh


def test_a_fresh_webhook_says_whom_to_ask_about_and_nothing_of_it_is_believed() -> None:
    found = reading(webhook(data=item(status="delivered")))
    assert found.trust is Trust.NUDGE
    assert found.reason == "TrackingMore signs the time only, not the content"
    assert found.history is not None
    assert (found.history.carrier_code, found.history.tracking_number) == RP
    assert found.history.events == ()


@pytest.mark.parametrize(
    "data",
    [
        {"status": "delivered"},
        [],
        [item(), item()],
        "text",
        {"tracking_number": RP.tracking_number},
        {"courier_code": RP.carrier_code},
    ],
)
def test_a_fresh_webhook_that_names_no_parcel_is_parked(data: Any) -> None:
    assert reading(webhook(data=data)) == WebhookReading(trust=Trust.UNREADABLE, reason="it names no parcel")


def test_an_account_without_an_address_takes_no_webhooks() -> None:
    tm = adapter(FakeTransport(), config=account(credentials={"api_key": "made-up"}))
    with pytest.raises(AccountError, match="email"):
        tm.verify_webhook({}, webhook())


def test_the_check_imports_nothing_heavy() -> None:
    code = "import parcelgate.carriers.trackingmore.signing, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"pydantic", "httpx", "boto3", "botocore", "cryptography"} & set(found.split())
