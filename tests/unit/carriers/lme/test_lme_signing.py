"""The seal and the signature, against the vendor's own SDK and against openssl as another program."""

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from parcelgate.carriers.lme import signing
from parcelgate.carriers.results import Trust
from tests.support.adapters import NOON
from tests.unit.carriers.lme.orders import (
    APP_KEY,
    CLIENT_PRIVATE,
    CLIENT_PUBLIC,
    LME_PRIVATE,
    LME_PUBLIC,
    VECTORS,
)

captured = pytest.mark.parametrize("request_", VECTORS["requests"], ids=lambda r: r["path"].rsplit("/", 1)[1])


def openssl(*arguments: str | Path, given: bytes | None = None) -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=given, capture_output=True, check=True, timeout=120
    ).stdout


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, Path]:
    """The captured keys as files that openssl reads."""
    files = {}
    for name in ("client_private", "client_public", "lme_private", "lme_public"):
        kind = "PRIVATE" if name.endswith("private") else "PUBLIC"
        body = "\n".join(VECTORS[name][at : at + 64] for at in range(0, len(VECTORS[name]), 64))
        files[name] = tmp_path / f"{name}.pem"
        files[name].write_text(f"-----BEGIN {kind} KEY-----\n{body}\n-----END {kind} KEY-----\n")
    return files


# The vendor's SDK.


@captured
def test_the_sdks_request_is_opened(request_: Any) -> None:
    opened = json.loads(signing.unseal(request_["body"]["data"], LME_PRIVATE))
    assert opened == request_["plain"]


@captured
def test_the_sdks_headers_are_ours_to_the_letter(request_: Any) -> None:
    sent, data = request_["headers"], request_["body"]["data"]
    assert signing.headers(sent["appkey"], data, sent["timestamp"], CLIENT_PRIVATE) == sent


@captured
def test_the_sdks_signature_is_believed_and_every_change_is_not(request_: Any) -> None:
    sent, data = request_["headers"], request_["body"]["data"]
    good = (sent["sign"], sent["appkey"], data, sent["timestamp"])
    assert signing.is_signed(*good, CLIENT_PUBLIC)
    assert not signing.is_signed(*good, LME_PUBLIC)
    for place in range(4):
        changed = list(good)
        changed[place] = changed[place][:-2] + ("A=" if changed[place][-2:] != "A=" else "B=")
        assert not signing.is_signed(*changed, CLIENT_PUBLIC)


def test_the_timestamp_is_in_milliseconds() -> None:
    assert signing.milliseconds(datetime(2026, 11, 21, 17, 24, 35, 19_999, tzinfo=UTC)) == "1795281875019"
    assert signing.milliseconds(datetime(2026, 11, 21, 17, 24, 35, 999_000, tzinfo=UTC)) == "1795281875999"


# openssl.


def test_openssl_verifies_our_signature(pem: dict[str, Path], tmp_path: Path) -> None:
    sign = signing.signature(APP_KEY, "Y2lwaGVydGV4dA==", "1795281875019", CLIENT_PRIVATE)
    (tmp_path / "sign").write_bytes(base64.b64decode(sign))
    text = b"appKey=TESTKEY&data=Y2lwaGVydGV4dA==&timeStamp=1795281875019"
    verdict = openssl(
        "dgst", "-sha256", "-verify", pem["client_public"], "-signature", tmp_path / "sign", given=text
    )
    assert verdict == b"Verified OK\n"


def test_we_believe_openssls_signature(pem: dict[str, Path]) -> None:
    text = b"appKey=TESTKEY&data=Zm9v&timeStamp=1"
    sign = base64.b64encode(openssl("dgst", "-sha256", "-sign", pem["lme_private"], given=text)).decode()
    assert signing.is_signed(sign, "TESTKEY", "Zm9v", "1", LME_PUBLIC)


@pytest.mark.parametrize("length", [1, 116, 117, 118, 234, 235, 1000])
def test_openssl_opens_what_we_seal_block_by_block(pem: dict[str, Path], length: int) -> None:
    content = bytes(place % 251 for place in range(length))
    sealed = base64.b64decode(signing.seal(content, LME_PUBLIC))
    assert len(sealed) == -(-length // 117) * 128
    arguments = ("pkeyutl", "-decrypt", "-inkey", pem["lme_private"], "-pkeyopt", "rsa_padding_mode:pkcs1")
    blocks = [openssl(*arguments, given=sealed[at : at + 128]) for at in range(0, len(sealed), 128)]
    assert [len(block) for block in blocks[:-1]] == [117] * (len(blocks) - 1)
    assert b"".join(blocks) == content


def test_we_open_what_openssl_seals(pem: dict[str, Path]) -> None:
    content = '{"message": "连衣裙"}'.encode() * 20
    arguments = ("pkeyutl", "-encrypt", "-pubin", "-inkey", pem["client_public"])
    blocks = [openssl(*arguments, given=content[at : at + 117]) for at in range(0, len(content), 117)]
    sealed = base64.b64encode(b"".join(blocks)).decode()
    assert signing.unseal(sealed, CLIENT_PRIVATE) == content
    broken = "\n".join(sealed[at : at + 76] for at in range(0, len(sealed), 76))
    assert signing.unseal(f"{broken}\n", CLIENT_PRIVATE) == content


def test_the_request_id_is_the_md5_that_openssl_finds() -> None:
    found = openssl("dgst", "-md5", "-r", given=b"TESTKEY.1795281875019.Zm9v").split()[0].decode()
    assert signing.request_id("TESTKEY", "Zm9v", "1795281875019") == found


# Keys.


@pytest.fixture
def nothing_remembered() -> None:
    """Keys are read anew, and not taken from what this process has read before."""
    signing.private_key.cache_clear()
    signing.public_key.cache_clear()


@pytest.mark.parametrize("bits", [1024, 1536, 2048])
def test_block_sizes_follow_from_the_key(bits: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    content = b"x" * (bits // 8 - 11) + b"y"
    sealed = signing.seal(content, key.public_key())
    assert len(base64.b64decode(sealed)) == 2 * bits // 8
    assert signing.unseal(sealed, key) == content


@pytest.mark.usefixtures("nothing_remembered")
def test_keys_come_as_base64_der_or_pem(pem: dict[str, Path]) -> None:
    for name, read, known in (
        ("client_private", signing.private_key, CLIENT_PRIVATE),
        ("lme_public", signing.public_key, LME_PUBLIC),
    ):
        text = pem[name].read_text()
        broken = "\n".join(VECTORS[name][at : at + 76] for at in range(0, len(VECTORS[name]), 76))
        for form in (text, text.replace("\n", "\\n"), broken, f"  {VECTORS[name]}\n"):
            found: Any = read(form)
            numbers = "private_numbers" if name == "client_private" else "public_numbers"
            assert getattr(found, numbers)() == getattr(known, numbers)()


@pytest.mark.usefixtures("nothing_remembered")
def test_keys_of_the_older_form_are_read_too() -> None:
    private = CLIENT_PRIVATE.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = CLIENT_PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    assert signing.private_key(base64.b64encode(private).decode()).key_size == 1024
    assert signing.public_key(public).public_numbers() == CLIENT_PUBLIC.public_numbers()


@pytest.mark.usefixtures("nothing_remembered")
def test_what_is_no_rsa_key_is_told_without_quoting_it() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    private = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = curve.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for read, text in (
        (signing.private_key, private),
        (signing.public_key, public),
        (signing.private_key, "s3cret"),
        (signing.private_key, VECTORS["client_public"]),
        (signing.public_key, VECTORS["client_private"]),
        (signing.public_key, "-----BEGIN PUBLIC KEY-----\ns3cret"),
        (signing.private_key, "Schlüssel"),
        (signing.private_key, f"{VECTORS['client_private'][:40]}!{VECTORS['client_private'][40:]}"),
    ):
        with pytest.raises(signing.KeyFormatError) as raised:
            read(text)  # type: ignore[operator]
        assert "s3cret" not in str(raised.value)
        assert raised.value.__cause__ is None


@pytest.mark.parametrize("text", ["%%%", "Zm9v", base64.b64encode(b"\xff" * 128).decode(), "ключ"])
def test_what_was_not_sealed_for_us_is_unreadable(text: str) -> None:
    with pytest.raises(signing.UnreadableError):
        signing.decoded(signing.unseal(text, CLIENT_PRIVATE))


def test_what_was_sealed_for_us_has_no_other_characters() -> None:
    sealed = signing.seal(b'{"a": 1}', CLIENT_PUBLIC)
    with pytest.raises(signing.UnreadableError):
        signing.unseal(f"{sealed[:40]}!{sealed[40:]}", CLIENT_PRIVATE)


def test_the_wrong_key_opens_nothing() -> None:
    sealed = signing.seal(b'{"a": "' + b"x" * 400 + b'"}', LME_PUBLIC)
    with pytest.raises(signing.UnreadableError):
        signing.decoded(signing.unseal(sealed, CLIENT_PRIVATE))


# Pushes.

EVENT = {"orderNo": "FHE16753011400000", "eventCode": "sign_in"}


def push(
    content: Any = EVENT,
    *,
    at: datetime = NOON,
    data: str | None = None,
    body: bytes | None = None,
    drop: str | None = None,
    **changed: str,
) -> signing.Push:
    """What becomes of a push as LME would send it, with these things about it changed."""
    data = data or signing.seal(json.dumps(content).encode(), CLIENT_PUBLIC)
    timestamp = signing.milliseconds(at)
    headers = {
        "AppKey": APP_KEY,
        "Timestamp": timestamp,
        "Sign": signing.signature(APP_KEY, data, timestamp, LME_PRIVATE),
        "Content-Type": "application/json",
    } | changed
    if drop:
        del headers[drop]
    return signing.verify_push(
        headers,
        json.dumps({"data": data}).encode() if body is None else body,
        app_key=APP_KEY,
        ours=CLIENT_PRIVATE,
        theirs=LME_PUBLIC,
        now=NOON,
    )


def test_a_push_that_lme_sealed_and_signed_is_believed() -> None:
    assert push() == signing.Push(trust=Trust.BELIEVED, fields=EVENT)


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_time_five_minutes_off_is_the_last_that_is_believed(minutes: int) -> None:
    at = NOON + timedelta(minutes=minutes)
    assert push(at=at).trust is Trust.BELIEVED
    later = push(at=at + timedelta(seconds=1 if minutes > 0 else -1))
    assert (later.trust, later.fields) == (Trust.NUDGE, EVENT)
    assert later.reason == "its time differs too much from our clock"


@pytest.mark.parametrize("header", ["AppKey", "Timestamp", "Sign"])
def test_a_push_without_its_signature_is_only_a_nudge(header: str) -> None:
    found = push(drop=header)
    assert (found.trust, found.reason, found.fields) == (Trust.NUDGE, "not signed", EVENT)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"Sign": "Zm9v"}, "its signature is wrong"),
        ({"Sign": "not Base64"}, "its signature is wrong"),
        ({"AppKey": "OTHER"}, "signed for another app key"),
        ({"Timestamp": "soon"}, "its time cannot be read"),
        ({"Timestamp": "1795262400001"}, "its signature is wrong"),
        ({"Timestamp": "٣"}, "its time cannot be read"),
        ({"Timestamp": "9" * 14}, "its signature is wrong"),
        ({"Timestamp": "9" * 15}, "its time cannot be read"),
    ],
)
def test_a_push_with_a_wrong_signature_is_only_a_nudge(changed: dict[str, str], reason: str) -> None:
    found = push(**changed)
    assert (found.trust, found.reason) == (Trust.NUDGE, reason)


def test_a_signature_has_no_other_characters() -> None:
    data, timestamp = signing.seal(json.dumps(EVENT).encode(), CLIENT_PUBLIC), signing.milliseconds(NOON)
    sign = signing.signature(APP_KEY, data, timestamp, LME_PRIVATE)
    assert push(data=data, Sign=sign).trust is Trust.BELIEVED
    assert push(data=data, Sign=f"{sign[:40]}!{sign[40:]}").trust is Trust.NUDGE


def test_a_signature_cannot_be_moved_to_another_body() -> None:
    timestamp = signing.milliseconds(NOON)
    other = signing.seal(b'{"orderNo": "FHE00000000000001", "eventCode": "lost"}', CLIENT_PUBLIC)
    ours = signing.seal(json.dumps(EVENT).encode(), CLIENT_PUBLIC)
    moved = push(data=other, Sign=signing.signature(APP_KEY, ours, timestamp, LME_PRIVATE))
    assert moved.trust is Trust.NUDGE


def test_a_second_timestamp_does_not_make_an_old_push_young() -> None:
    old = NOON - timedelta(hours=1)
    young = signing.milliseconds(NOON)
    assert push(at=old, timestamp=young).trust is Trust.NUDGE
    assert push(at=old, TIMESTAMP=young).trust is Trust.NUDGE


def test_a_plain_body_is_only_a_nudge() -> None:
    found = push(body=json.dumps(EVENT).encode())
    assert (found.trust, found.reason, found.fields) == (Trust.NUDGE, "not encrypted", EVENT)


def test_a_push_of_64_kib_is_the_longest_that_is_read() -> None:
    body = json.dumps(EVENT).encode().ljust(64 * 1024)
    assert push(body=body).fields == EVENT
    assert push(body=body + b" ").trust is Trust.UNREADABLE


UNREADABLE = {
    "nothing": b"",
    "no JSON": b"nonsense",
    "a list": b"[]",
    "a text": b'"text"',
    "no Base64": b'{"data": "%%%"}',
    "half a block": b'{"data": "Zm9v"}',
    "too deep": b'{"data": ' + b"[" * 100_000,
    "too large a number": b'{"data": "' + base64.b64encode(b"\xff" * 128) + b'"}',
    "no padding": b'{"data": "' + base64.b64encode(b"\x01" * 128) + b'"}',
    "no JSON inside": json.dumps({"data": signing.seal(b"not JSON", CLIENT_PUBLIC)}).encode(),
    "a list inside": json.dumps({"data": signing.seal(b"[1]", CLIENT_PUBLIC)}).encode(),
    "another's": json.dumps({"data": signing.seal(b'{"a": 1}', LME_PUBLIC)}).encode(),
    "too long": b'{"data": "' + b"A" * 70_000 + b'"}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_whatever_cannot_be_opened_is_answered_alike(body: bytes) -> None:
    assert push(body=body) == signing.Push(trust=Trust.UNREADABLE, reason="cannot be read")
