"""Label documents: what counts as one, and how several become one."""

import io
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter

from parcelgate.carriers.errors import LabelPendingError
from parcelgate.carriers.results import LabelFile
from parcelgate.carriers.toolkit.documents import document_format
from parcelgate.domain.measures import Weight, WeightUnit
from parcelgate.domain.orders import LabelStatus, Order, Parcel
from parcelgate.domain.printouts import Layout
from parcelgate.services.labels.documents import MOST_BYTES, LabelStore
from parcelgate.services.labels.sheets import Sheets
from tests.support.aws import FakeS3
from tests.support.orders import an_order


def pdf(width: int = 288) -> bytes:
    out = io.BytesIO()
    with PdfWriter() as writer:
        writer.add_blank_page(width=width, height=432)
        writer.write(out)
    return out.getvalue()


def an_order_of(*references: str) -> Order:
    weight = Weight(value=1, unit=WeightUnit.LB)  # type: ignore[arg-type]
    return an_order(parcels=tuple(Parcel(reference=each, weight=weight) for each in references))


def file(reference: str, content: bytes) -> LabelFile:
    return LabelFile(reference=reference, format="pdf", content=content)


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


def keep(s3: Any, order: Order, *files: LabelFile) -> Any:
    return LabelStore(s3, "labels").keep(order, list(files))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n", "pdf"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"^XA^FO", "zpl"),
        (b"\n ^XA", "zpl"),
        (b"<html>", None),
        (b"", None),
        (b"PDF-1.7", None),
    ],
)
def test_a_label_is_known_by_its_first_bytes(content: bytes, kind: str | None) -> None:
    assert document_format(content) == kind


def test_labels_are_joined_in_parcel_order_whatever_order_they_came_in(s3: FakeS3) -> None:
    order = an_order_of("a", "b", "c")
    label = keep(s3, order, file("c", pdf(300)), file("a", pdf(100)), file("b", pdf(200)))

    assert label.status is LabelStatus.READY
    pages = PdfReader(io.BytesIO(s3.objects[label.document.key])).pages
    assert [int(page.mediabox.width) for page in pages] == [100, 200, 300]
    assert [len(PdfReader(io.BytesIO(s3.objects[each.key])).pages) for each in label.parcels] == [1, 1, 1]


def test_keys_begin_with_tenant_and_order_and_name_nobody(s3: FakeS3) -> None:
    order = an_order_of("a")
    label = keep(s3, order, file("a", pdf()))
    assert label.document == label.parcels[0]
    assert all(key.startswith(f"acme/{order.id}/") for key in s3.objects)


def test_the_same_labels_are_stored_once(s3: FakeS3) -> None:
    order, content = an_order_of("a"), pdf()
    assert keep(s3, order, file("a", content)) == keep(s3, order, file("a", content))
    assert len(s3.objects) == 1


@pytest.mark.parametrize(
    "files",
    [
        [],
        [("a", b"%PDF-1.4")],
        [("a", b"%PDF-1.4"), ("x", b"%PDF-1.4")],
        [("a", b"%PDF-1.4"), ("a", b"%PDF-1.4")],
        [("a", b"%PDF-1.4"), ("b", b"^XA")],
        [("a", b"%PDF-1.4"), ("b", b"<html>")],
        [("a", b"<html>"), ("b", b"<html>")],
        [("a", b"%PDF-1.4 cut"), ("b", b"%PDF-1.4 cut")],
        [("a", b"%PDF-" + b"x" * MOST_BYTES), ("b", b"%PDF-")],
    ],
    ids=[
        "none",
        "one too few",
        "a stranger",
        "one twice",
        "two kinds",
        "a page",
        "two pages",
        "broken",
        "too large",
    ],
)
def test_what_is_not_one_good_label_for_each_parcel_is_not_ready(
    files: list[tuple[str, bytes]], s3: FakeS3
) -> None:
    with pytest.raises(LabelPendingError):
        keep(s3, an_order_of("a", "b"), *(file(*each) for each in files))
    assert s3.objects == {}


def test_zpl_of_several_parcels_is_one_document_and_images_are_not(s3: FakeS3) -> None:
    order = an_order_of("a", "b")
    zpl = keep(s3, order, file("a", b"^XA1^XZ"), file("b", b"^XA2^XZ"))
    assert s3.objects[zpl.document.key] == b"^XA1^XZ\n^XA2^XZ"
    images = keep(s3, order, file("a", b"\xff\xd8\xff1"), file("b", b"\xff\xd8\xff2"))
    assert images.document is None
    assert len(images.parcels) == 2


def test_nothing_of_a_spoilt_label_is_written_anywhere(
    s3: FakeS3, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    phone = "512-555-0142"
    spoilt = pdf().replace(b"/Resources", b"/Rotate %s /Resources" % phone.encode())
    assert phone.encode() in spoilt
    keep(s3, an_order_of("a", "b"), file("a", spoilt), file("b", spoilt))
    Sheets(io.BytesIO(), Layout.AS_IS).add([spoilt], "4x6")
    assert phone not in caplog.text + "".join(capfd.readouterr())
