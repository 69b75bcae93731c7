"""Bytes from outside that are no carrier's answer: webhooks, keys, cursors, files of orders, labels.

Nothing that a stranger sends ends in an unhandled error, and only what is proven is believed. How many
examples are tried: see `tests.property.examples`.
"""

import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfWriter

from functions.authorize.handler import handler as authorize
from local.command import order_files
from parcelgate.carriers import registry
from parcelgate.carriers.errors import LabelPendingError
from parcelgate.carriers.results import LabelFile, Trust, WebhookCheck, WebhookReading
from parcelgate.carriers.toolkit.calls import Response
from parcelgate.carriers.toolkit.documents import document_format, from_base64, label_file
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.printouts import Layout
from parcelgate.services.accounts import api_keys
from parcelgate.services.labels.documents import joined
from parcelgate.services.labels.pages import UnreadableLabelError
from parcelgate.services.labels.sheets import Sheets
from tests.property.examples import many
from tests.property.test_carrier_answers import ACCOUNTS, LME_ROUTES, TM_ITEM, adapter
from tests.support.adapters import NOON
from tests.support.api import Backend, Context, call
from tests.support.carrier_answers import bodies
from tests.support.orders import an_event, an_order
from tests.support.webhooks import sealed, signed, verify_info

PUSH = LME_ROUTES["data"][0]
TM_PUSH = {"meta": {"code": 200}, "data": TM_ITEM, "verifyInfo": verify_info(int(NOON.timestamp()))}
HEADERS = st.dictionaries(
    st.sampled_from(["sign", "timestamp", "appkey", "AppKey", "x-other"]),
    st.text(max_size=30) | st.sampled_from(["TESTKEY", "1795262400000", "²", "-1", "9" * 40, "AAAA", "="]),
    max_size=4,
)


def reader(carrier: str) -> Any:
    return adapter(carrier, [Response(status=200)])[0]


# Webhooks.


@given(body=bodies(PUSH) | st.binary(max_size=300), headers=HEADERS)
@many(60)
def test_promise_4_an_lme_push_without_its_signature_is_never_believed(
    body: bytes, headers: dict[str, str]
) -> None:
    reading = reader("lme").verify_webhook(headers, body)

    assert isinstance(reading, WebhookReading)
    assert reading.trust is not Trust.BELIEVED


@given(data=st.data())
@many(30)
def test_an_lme_push_that_is_sealed_is_read_whatever_it_holds(data: st.DataObject) -> None:
    """Signed by LME itself, and nonsense all the same."""
    content = data.draw(bodies(PUSH))
    try:
        plain = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return
    if len(content) > 5_000:
        return
    body = sealed(plain)

    reading = reader("lme").verify_webhook(signed(body, NOON), body)

    assert isinstance(reading, WebhookReading)


@given(data=st.data())
@many(60)
def test_promise_4_a_push_with_any_byte_changed_is_not_believed(data: st.DataObject) -> None:
    body = sealed({**PUSH, "orderNo": "FHE1"})
    headers = signed(body, NOON)
    assert reader("lme").verify_webhook(headers, body).trust is Trust.BELIEVED
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :]

    reading = reader("lme").verify_webhook(headers, changed)

    assert reading.trust is not Trust.BELIEVED or changed == body


@given(data=st.data())
@many(30)
def test_promise_4_a_signature_on_another_push_or_changed_itself_is_not_believed(data: st.DataObject) -> None:
    """Anybody can seal a push for us; only LME can sign it."""
    body = sealed({**PUSH, "orderNo": "FHE1"})
    headers = signed(body, NOON)
    at = data.draw(st.integers(0, len(headers["sign"]) - 3))
    letter = data.draw(st.sampled_from("ABCDabcd0123+/"))
    changed = headers | {"sign": headers["sign"][:at] + letter + headers["sign"][at + 1 :]}

    forged = reader("lme").verify_webhook(headers, sealed({**PUSH, "orderNo": "FHE2"}))
    spoilt = reader("lme").verify_webhook(changed, body)

    assert forged.trust is Trust.NUDGE
    assert spoilt.trust is (Trust.BELIEVED if changed == headers else Trust.NUDGE)


@given(body=bodies(TM_PUSH) | st.binary(max_size=300))
@many(100)
def test_promise_4_a_trackingmore_push_is_at_most_a_reason_to_ask(body: bytes) -> None:
    checker = registry.webhook_checker("trackingmore")
    assert checker is not None

    check = checker.check_webhook(body, ACCOUNTS["trackingmore"], NOON)
    reading = reader("trackingmore").verify_webhook({}, body)

    assert isinstance(check, WebhookCheck)
    assert reading.trust in (Trust.NUDGE, Trust.UNREADABLE)
    if reading.trust is Trust.NUDGE:
        assert not check.refused


# Keys and cursors.


def whose(authorization: str) -> dict[str, Any]:
    context: dict[str, Any] = authorize({"headers": {"authorization": authorization}}, Context())["context"]
    return context


@given(text=st.text(max_size=80))
@many(60)
def test_no_text_is_a_key(text: str, backend: Backend) -> None:
    for authorization in (text, f"Bearer {text}", f"Bearer pg_{text}", f"Bearer pg_k_{text}"):
        assert whose(authorization) == {"auth": "invalid"}


@given(data=st.data())
@many(60)
def test_a_key_with_any_letter_changed_is_nobodys(data: st.DataObject, backend: Backend) -> None:
    key = api_keys.create(backend.table, "acme", ["orders:read"], "a key")
    at = data.draw(st.integers(0, len(key) - 1))
    changed = key[:at] + data.draw(st.characters(codec="utf-8") | st.just("")) + key[at + 1 :]

    assert (whose(f"Bearer {changed}")["auth"] == "ok") == (changed.strip() == key)


@given(data=st.data())
@many(60)
def test_any_other_cursor_is_refused_or_leads_through_the_own_list(
    data: st.DataObject, backend: Backend
) -> None:
    for number in range(2):
        backend.put(an_order(reference=f"R-{number}"), an_event())
    cursor = call("GET /v1/orders", query={"limit": "1"}).json()["next_cursor"]
    at = data.draw(st.integers(0, len(cursor)))
    changed = data.draw(st.text(max_size=40)) if at == 0 else cursor[:at] + data.draw(st.text(max_size=3))

    reply = call("GET /v1/orders", query={"limit": "1", "cursor": changed})

    assert reply.status in (200, 422)
    if reply.status == 422:
        assert reply.errors == {"/cursor": "format"}
    backend.tidy()


# Files of orders.

CSV = Path("docs/examples/orders.csv").read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@st.composite
def spoilt_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    content = whole
    for _ in range(draw(st.integers(0, 4))):
        at, end = sorted(draw(st.tuples(st.integers(0, len(content)), st.integers(0, len(content)))))
        match draw(st.integers(0, 3)):
            case 0:
                content = content[:at] + content[end:]
            case 1:
                content = content[:at] + draw(st.binary(max_size=8)) + content[at:]
            case 2:
                content = content[:at] + content[at:end] * 2 + content[end:]
            case _:
                content = content[:at]
    return content


@given(content=spoilt_bytes(CSV) | st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@many(60)
@pytest.mark.parametrize("name", ["orders.csv", "orders.json"])
def test_any_file_of_orders_is_read_or_refused_with_words(name: str, content: bytes, folder: Path) -> None:
    file = folder / name
    file.write_bytes(content)
    try:
        assert order_files.read(file)
    except order_files.FileError:
        return


# Labels.


def a_pdf() -> bytes:
    out = io.BytesIO()
    with PdfWriter() as writer:
        writer.add_blank_page(288, 432)
        writer.add_metadata({"/Title": "a label"})
        writer.write(out)
    return out.getvalue()


WHOLE = a_pdf()
IMAGES = (b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\x89PNG\r\n\x1a\n\x00\x00", b"^XA^FO50,50^XZ", b"GIF89a", b"")


@given(content=spoilt_bytes(WHOLE))
@many(60)
def test_labels_of_several_parcels_are_joined_or_are_not_ready_yet(content: bytes) -> None:
    file = label_file("a", content)
    if file is None:
        return
    try:
        document = joined([file, LabelFile(reference="b", format="pdf", content=WHOLE)])
    except LabelPendingError:
        return
    assert document is not None
    assert document_format(document) == "pdf"


def an_image(kind: str, mode: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((24, 36), 90).convert(mode).save(out, kind)
    return out.getvalue()


PRINTED = (
    WHOLE,
    an_image("PNG", "P"),
    an_image("PNG", "RGBA"),
    an_image("PNG", "1"),
    an_image("JPEG", "RGB"),
    an_image("JPEG", "CMYK"),
)


@given(
    contents=st.lists(st.sampled_from(PRINTED).flatmap(spoilt_bytes), min_size=1, max_size=3),
    layout=st.sampled_from(Layout),
)
@many(60)
def test_any_label_is_put_on_paper_or_is_unreadable_and_leaves_the_others(
    contents: list[bytes], layout: Layout
) -> None:
    out = io.BytesIO()
    sheets = Sheets(out, layout)
    printed = 0
    for content in (*contents, WHOLE):
        try:
            sheets.add([content], "4x6", Deadline.after(60))
        except UnreadableLabelError:
            continue
        printed += 1

    assert sheets.finish() >= 1
    assert printed >= 1
    assert document_format(out.getvalue()) == "pdf"


@given(
    content=st.sampled_from(IMAGES).flatmap(spoilt_bytes) | st.binary(max_size=80), text=st.text(max_size=80)
)
@many(100)
def test_any_document_is_a_label_of_a_known_kind_or_none(content: bytes, text: str) -> None:
    file = label_file("a", content)
    assert file is None or file.format in ("pdf", "png", "jpg", "zpl")
    decoded = from_base64(text)
    assert decoded is None or isinstance(decoded, bytes)
