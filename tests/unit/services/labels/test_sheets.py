"""Sheets of labels: whatever a page says of its turn, boxes and units, it is printed upright and whole."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageOps
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, TextStringObject

from parcelgate.domain.printouts import Layout
from parcelgate.services.labels import images
from parcelgate.services.labels.pages import UnreadableLabelError
from parcelgate.services.labels.sheets import Sheets
from tests.support.printed import (
    HEIGHT,
    SCALE,
    WIDTH,
    barcodes,
    image_label,
    jpg_label,
    page_numbers,
    pdf_label,
    rendered,
    sizes,
    texts,
)

A4 = (595.276, 841.89)
TURNS = (0, 90, 180, 270)
ODD: dict[str, dict[str, Any]] = {
    "elsewhere": {"origin": (100, 50)},
    "below the origin": {"origin": (-300, -77.5)},
    "cropped": {"cropped": 60},
    "cropped elsewhere": {"cropped": 60, "origin": (-20, 40)},
    "in units of an inch's half": {"unit": 36},
    "in small units": {"unit": 0.5, "origin": (11, 12)},
}


def printed(*orders: bytes | list[bytes], layout: Layout = Layout.AS_IS, start_at: int = 1) -> bytes:
    out = io.BytesIO()
    sheets = Sheets(out, layout, start_at)
    for order in orders:
        sheets.add([order] if isinstance(order, bytes) else order, "4x6")
    pages = sheets.finish()
    assert page_numbers(out.getvalue()) == pages
    return out.getvalue()


def alike(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pages look the same, but for how the edges of lines fall on dots."""
    other = other.resize(one.size)
    coarse = [each.resize((one.width // 24, one.height // 24), Image.Resampling.BOX) for each in (one, other)]
    _, most = ImageChops.difference(*coarse).getextrema()
    return bool(most < 60)


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    """Where anything is printed."""
    box = ImageOps.invert(image).getbbox()
    assert box is not None
    return box


def places(pdf: bytes, page: int = 0) -> list[Image.Image]:
    """The four places of a sheet, from the left to the right and then down."""
    image = rendered(pdf, page)
    width, height = image.width / 2, image.height / 2
    corners = [(x * width, y * height) for y in (0, 1) for x in (0, 1)]
    return [image.crop((round(x), round(y), round(x + width), round(y + height))) for x, y in corners]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_page_as_it_is_looks_as_a_viewer_shows_it(odd: dict[str, Any], turn: int) -> None:
    pdf = printed(pdf_label("LABEL-1", rotate=turn, **odd))
    assert sizes(pdf) == [pytest.approx((WIDTH, HEIGHT), abs=0.01)]
    assert alike(rendered(pdf_label("LABEL-1")), rendered(pdf))
    ((code,),) = barcodes(pdf)
    assert (code.text, code.turned) == ("LABEL-1", 0)
    assert "TOP OF LABEL-1" in texts(pdf)[0]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_four_to_a_sheet_are_upright_whole_and_in_their_places(odd: dict[str, Any], turn: int) -> None:
    labels = [pdf_label(f"LABEL-{n}", rotate=turn, **odd) for n in range(1, 6)]
    pdf = printed(*labels, layout=Layout.A4_4)
    assert sizes(pdf) == [pytest.approx(A4, abs=0.01)] * 2
    assert [[code.text for code in page] for page in barcodes(pdf)] == [
        ["LABEL-1", "LABEL-2", "LABEL-3", "LABEL-4"],
        ["LABEL-5"],
    ]
    for number, place in enumerate(places(pdf), 1):
        frame = ink(place)
        # The frame is the label's very edge: all of it is there, and as wide for its height as it was.
        assert (frame[2] - frame[0]) / (frame[3] - frame[1]) == pytest.approx(WIDTH / HEIGHT, rel=0.01)
        assert min(frame[0], frame[1], place.width - frame[2], place.height - frame[3]) >= 11 * SCALE
        assert alike(rendered(pdf_label(f"LABEL-{number}")), place.crop(frame))


@pytest.mark.parametrize("size", [(5000, 7500), A4, (432, 288), (14_000, 100), (100, 150)])
def test_a_page_of_any_size_fits_its_place_without_distortion(size: tuple[float, float]) -> None:
    source = pdf_label("S-1", size=size) if min(size) > 150 else _plain(size)
    (frame, *others) = [
        ImageOps.invert(place).getbbox() for place in places(printed(source, layout=Layout.A4_4))
    ]
    assert others == [None] * 3
    assert frame is not None
    across, up = (frame[2] - frame[0]) / SCALE, (frame[3] - frame[1]) / SCALE
    assert across <= A4[0] / 2 - 23
    assert up <= A4[1] / 2 - 23
    if min(size) > 150:
        assert across / up == pytest.approx(size[0] / size[1], rel=0.02)
    if max(size) < 200:
        assert (across, up) == pytest.approx(size, abs=1), "nothing is made larger than it is"


def _plain(size: tuple[float, float]) -> bytes:
    out = io.BytesIO()
    with PdfWriter() as writer:
        page = writer.add_blank_page(*size)
        content = DecodedStreamObject()
        content.set_data(b"0 0 %d %d re f" % size)
        page[NameObject("/Contents")] = writer._add_object(content)
        writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("start_at", [1, 2, 3, 4])
def test_the_first_sheet_begins_where_it_was_used_up(start_at: int) -> None:
    labels = [pdf_label(f"LABEL-{n}") for n in range(5)]
    pdf = printed(*labels, layout=Layout.A4_4, start_at=start_at)
    used = [ImageOps.invert(place).getbbox() is None for place in places(pdf)]
    assert used == [place < start_at for place in range(1, 5)]
    read = [code.text for page in barcodes(pdf) for code in page]
    assert read == [f"LABEL-{n}" for n in range(5)]


def test_an_orders_parcels_and_pages_stay_in_order() -> None:
    several = PdfWriter()
    for number in ("A-1", "A-2"):
        several.append(io.BytesIO(pdf_label(number)))
    out = io.BytesIO()
    several.write(out)
    pdf = printed([out.getvalue()], [jpg_label("B-1"), image_label("B-2")], pdf_label("C-1"))
    assert [code.text for page in barcodes(pdf) for code in page] == ["A-1", "A-2", "B-1", "B-2", "C-1"]


# Images

IMAGES: dict[str, dict[str, Any]] = {
    "grey jpg": {"format": "JPEG"},
    "colour jpg": {"mode": "RGB", "format": "JPEG"},
    "progressive jpg": {"mode": "RGB", "format": "JPEG", "progressive": True},
    "jpg of inks": {"mode": "CMYK", "format": "JPEG"},
    "jpg that says 72 dots": {"format": "JPEG", "says": 72},
    "grey png": {},
    "black and white png": {"mode": "1"},
    "png with a palette": {"mode": "P"},
    "colour png": {"mode": "RGB"},
    "see-through png": {"mode": "RGBA"},
    "see-through grey png": {"mode": "LA"},
    "png of 16 bits": {"mode": "I;16"},
}


@pytest.mark.parametrize("how", IMAGES.values(), ids=IMAGES)
def test_an_image_is_a_page_as_large_as_the_label(how: dict[str, Any]) -> None:
    if how.get("mode") == "I;16":
        out = io.BytesIO()
        grey = Image.open(io.BytesIO(jpg_label("IMAGE-1")))
        grey.convert("I").point(lambda value: value * 256).convert("I;16").save(out, "PNG")
        image = out.getvalue()
    else:
        image = image_label("IMAGE-1", **how)
    pdf = printed(image)
    assert sizes(pdf) == [pytest.approx((WIDTH, HEIGHT), abs=0.5)]
    assert alike(Image.open(io.BytesIO(jpg_label("IMAGE-1"))), rendered(pdf))
    ((code,),) = barcodes(pdf)
    assert (code.text, code.turned) == ("IMAGE-1", 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_image_is_turned_as_its_exif_data_say(kind: str, orientation: int) -> None:
    upright = Image.open(io.BytesIO(jpg_label("TURNED-1")))
    # What a camera would have stored: whoever puts it upright by its orientation has the label again.
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright.copy()
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    stored.save(out, kind, exif=exif)
    assert alike(upright, ImageOps.exif_transpose(Image.open(io.BytesIO(out.getvalue()))))
    pdf = printed(out.getvalue())
    assert sizes(pdf) == [pytest.approx((WIDTH, HEIGHT), abs=0.5)]
    assert alike(upright, rendered(pdf))


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P"])
def test_an_interlaced_png_is_put_into_order(mode: str) -> None:
    small = Image.open(io.BytesIO(jpg_label("I-1"))).resize((203, 304))
    pdf = printed(_interlaced(small.convert(mode)))
    assert alike(small, rendered(pdf, scale=203 / 288))


def test_an_interlaced_png_is_put_into_order_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_MOST_INTERLACED", 100)
    assert printed(_interlaced(Image.new("L", (10, 10))))
    with pytest.raises(UnreadableLabelError):
        printed(_interlaced(Image.new("L", (10, 11))))


@pytest.mark.parametrize(("width", "size", "interlaced"), [(1, 100_000, 1), (1_048_577, 1_048_578, 0)])
def test_a_png_that_needs_far_more_memory_than_its_label_is_not_read(
    width: int, size: int, interlaced: int
) -> None:
    with pytest.raises(UnreadableLabelError):
        printed(_png_of(width, 1, zlib.compress(bytes(size)), interlaced=interlaced))


def _interlaced(image: Image.Image) -> bytes:
    """A PNG as Adam7 has it; Pillow writes none."""
    import png

    samples = {"1": 1, "L": 1, "P": 1, "RGB": 3, "RGBA": 4}[image.mode]
    data = list(image.get_flattened_data())
    flat = [int(value > 0) for value in data] if image.mode == "1" else data
    flat = [part for value in flat for part in (value if isinstance(value, tuple) else (value,))]
    rows = [
        flat[start : start + image.width * samples] for start in range(0, len(flat), image.width * samples)
    ]
    how: dict[str, Any] = {"greyscale": image.mode in "1L", "alpha": image.mode == "RGBA"}
    if image.mode == "1":
        how["bitdepth"] = 1
    if image.mode == "P":
        colours = image.getpalette() or []
        how = {"palette": [tuple(colours[at : at + 3]) for at in range(0, len(colours), 3)]}
    out = io.BytesIO()
    png.Writer(image.width, image.height, interlace=True, **how).write(out, rows)
    return out.getvalue()


def test_what_can_be_seen_through_is_white_on_paper() -> None:
    ink_on_nothing = Image.new("RGBA", (288, 432), (255, 0, 0, 0))
    ink_on_nothing.paste((0, 0, 0, 255), (100, 100, 200, 200))
    out = io.BytesIO()
    ink_on_nothing.save(out, "PNG")
    page = rendered(printed(out.getvalue()), scale=1)
    assert (page.getpixel((10, 10)), page.getpixel((150, 150))) == (255, 0)

    palette = Image.new("P", (288, 432), 0)
    palette.putpalette([255, 0, 0, 0, 0, 0])
    palette.paste(1, (100, 100, 200, 200))
    out = io.BytesIO()
    palette.save(out, "PNG", transparency=0)
    page = rendered(printed(out.getvalue()), scale=1)
    assert (page.getpixel((10, 10)), page.getpixel((150, 150))) == (255, 0)


# What must not come along

JAVASCRIPT = "app.alert('hello')"


def _active(writer: PdfWriter) -> None:
    """Everything that a document can do."""
    writer.add_attachment("evil.exe", b"MZ-EMBEDDED")
    writer.add_metadata({"/Author": "MARKED"})
    action = DictionaryObject(
        {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject(JAVASCRIPT)}
    )
    launch = DictionaryObject(
        {NameObject("/S"): NameObject("/Launch"), NameObject("/F"): TextStringObject("calc.exe")}
    )
    writer.root_object[NameObject("/OpenAction")] = action
    names: Any = writer.root_object["/Names"]
    scripts = ArrayObject([TextStringObject("a"), action])
    names[NameObject("/JavaScript")] = DictionaryObject({NameObject("/Names"): scripts})
    (page,) = writer.pages
    page[NameObject("/AA")] = DictionaryObject({NameObject("/O"): action})
    link = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject("/Link"),
            NameObject("/Rect"): ArrayObject(page.mediabox),
            NameObject("/A"): launch,
        }
    )
    page[NameObject("/Annots")] = ArrayObject([writer._add_object(link)])
    resources = page["/Resources"]
    assert isinstance(resources, DictionaryObject)
    resources[NameObject("/Properties")] = DictionaryObject(
        {NameObject("/P1"): action, NameObject("/P2"): launch}
    )


@pytest.mark.parametrize("layout", Layout)
def test_nothing_that_acts_is_carried_over(layout: Layout) -> None:
    hostile = pdf_label("HOSTILE-1", spoil=_active)
    words: tuple[str, ...] = (
        "JavaScript",
        "OpenAction",
        "Launch",
        "EmbeddedFile",
        "Filespec",
        "/AA",
        "alert",
        "MZ-",
        "MARKED",
    )
    assert [word for word in words if word not in _opened(hostile)] == [], "or there is nothing to be found"
    pdf = printed(hostile, layout=layout)
    found = [word for word in words if word in _opened(pdf)]
    assert found == []
    ((code,),) = barcodes(pdf)
    assert code.text == "HOSTILE-1"


def _opened(pdf: bytes) -> str:
    """All that a file holds, its streams decoded."""
    reader = PdfReader(io.BytesIO(pdf))
    parts = [repr(reader.trailer)]
    for number in range(1, 1 + int(reader.trailer["/Size"])):  # type: ignore[call-overload]
        try:
            thing: Any = reader.get_object(number)
        except Exception:
            continue
        parts.append(repr(thing))
        if hasattr(thing, "get_data"):
            parts.append(thing.get_data().decode("latin-1"))
    return "\n".join(parts)


def _encrypted(writer: PdfWriter) -> None:
    writer.encrypt("", "owner", algorithm="AES-256")


def _without_pages(writer: PdfWriter) -> None:
    del writer.pages[0]


def _with_a_layer_off(writer: PdfWriter) -> None:
    layer = writer._add_object(
        DictionaryObject(
            {NameObject("/Type"): NameObject("/OCG"), NameObject("/Name"): TextStringObject("a")}
        )
    )
    how = DictionaryObject({NameObject("/OFF"): ArrayObject([layer])})
    writer.root_object[NameObject("/OCProperties")] = DictionaryObject(
        {NameObject("/OCGs"): ArrayObject([layer]), NameObject("/D"): how}
    )


def _endless(writer: PdfWriter) -> None:
    deep: Any = DictionaryObject()
    for _ in range(200):
        deep = DictionaryObject({NameObject("/Deeper"): deep})
    resources: Any = writer.pages[0]["/Resources"]
    resources[NameObject("/Properties")] = deep


def _elsewhere(writer: PdfWriter) -> None:
    outside = DecodedStreamObject()
    outside[NameObject("/F")] = TextStringObject("/etc/passwd")
    writer.pages[0][NameObject("/Contents")] = writer._add_object(outside)


def _with_a_wrong_bit(image: bytes, chunk: bytes) -> bytes:
    at = image.index(chunk) + 10
    return image[:at] + bytes([image[at] ^ 1]) + image[at + 1 :]


def _png_of(width: int, height: int, data: bytes, **header: int) -> bytes:
    head = struct.pack(
        ">IIBBBBB",
        width,
        height,
        header.get("bits", 8),
        header.get("kind", 0),
        0,
        0,
        header.get("interlaced", 0),
    )
    chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _with_thumbnail(jpg: bytes) -> bytes:
    picture = b"Exif\0\0" + b"\xff\xd8\xff\xd9"
    return jpg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(picture)) + picture + jpg[2:]


WHOLE = pdf_label("WHOLE-1")
UNREADABLE = {
    "encrypted": pdf_label("X", spoil=_encrypted),
    "no pages": pdf_label("X", spoil=_without_pages),
    "a layer off": pdf_label("X", spoil=_with_a_layer_off),
    "too deep": pdf_label("X", spoil=_endless),
    "in another file": pdf_label("X", spoil=_elsewhere),
    "pdf cut in half": WHOLE[: len(WHOLE) // 2],
    "pdf without its end": WHOLE[:-20],
    "pdf whose last change was cut off": WHOLE + b"4 0 obj\n<< /Length 9000 >>\nstream\n" + b" " * 3000,
    "only a beginning": b"%PDF-1.4\n%%EOF",
    "zpl": b"^XA^FDhello^FS^XZ",
    "a page of the web": b"<html></html>",
    "nothing": b"",
    "jpg cut in half": jpg_label("X")[:9000],
    "jpg cut in half, with a whole picture in its head": _with_thumbnail(jpg_label("X"))[:9000],
    "jpg cut in its head": jpg_label("X")[:30],
    "jpg of nothing": b"\xff\xd8\xff\xd9",
    "png cut in half": image_label("X")[:2000],
    "png cut in its head": image_label("X")[:20],
    "png with a wrong bit in its palette": _with_a_wrong_bit(image_label("X", mode="P"), b"PLTE"),
    "png without rows": _png_of(100, 100, zlib.compress(b"\0" * 50)),
    "png with a filter that there is none": _png_of(1, 1, zlib.compress(b"\x09\0")),
    "png of a kind that there is none": _png_of(1, 1, zlib.compress(b"\0\0"), kind=5),
    "png without an area": _png_of(0, 1, zlib.compress(b"\0")),
    "png larger than any label": _png_of(100_000, 100_000, zlib.compress(b"\0")),
}


@pytest.mark.parametrize("bad", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_spoils_nothing_else(bad: bytes) -> None:
    """Of an order with one bad label nothing is printed: half of it would be taken for all."""
    out = io.BytesIO()
    sheets = Sheets(out, Layout.A4_4)
    sheets.add([pdf_label("FIRST-1")], "4x6")
    with pytest.raises(UnreadableLabelError):
        sheets.add([pdf_label("SPOILT-1"), bad], "4x6")
    sheets.add([pdf_label("LAST-1")], "4x6")
    sheets.finish()

    good = printed(pdf_label("FIRST-1"), pdf_label("LAST-1"), layout=Layout.A4_4)
    assert out.getvalue() == good
    assert [code.text for code in barcodes(good)[0]] == ["FIRST-1", "LAST-1"]


def test_filled_in_fields_and_stamps_are_printed() -> None:
    def stamped(writer: PdfWriter) -> None:
        look = DecodedStreamObject()
        look.set_data(b"0 0 50 10 re f")
        look[NameObject("/Subtype")] = NameObject("/Form")
        look[NameObject("/BBox")] = ArrayObject(map(_number, (0, 0, 50, 10)))
        (page,) = writer.pages
        notes = []
        for flags, left in ((4, 100), (0, 160), (6, 220)):
            note = DictionaryObject(
                {
                    NameObject("/Type"): NameObject("/Annot"),
                    NameObject("/Subtype"): NameObject("/Stamp"),
                    NameObject("/F"): _number(flags),
                    NameObject("/Rect"): ArrayObject(map(_number, (left, 20, left + 40, 60))),
                    NameObject("/AP"): DictionaryObject({NameObject("/N"): writer._add_object(look)}),
                }
            )
            notes.append(writer._add_object(note))
        page[NameObject("/Annots")] = ArrayObject(notes)

    page = rendered(printed(pdf_label("STAMPED-1", spoil=stamped)), scale=1)
    seen = [page.getpixel((left + 20, HEIGHT - 40)) for left in (100, 160, 220)]
    assert seen == [0, 255, 255], "for print, for the screen alone, hidden"


def _number(value: int) -> Any:
    from pypdf.generic import NumberObject

    return NumberObject(value)


def test_resources_that_lead_back_to_themselves_are_copied_once() -> None:
    def circular(writer: PdfWriter) -> None:
        (page,) = writer.pages
        resources = writer._add_object(page["/Resources"])
        page[NameObject("/Resources")] = resources
        form = DecodedStreamObject()
        form.set_data(b"100 20 40 40 re f")
        form[NameObject("/Subtype")] = NameObject("/Form")
        form[NameObject("/BBox")] = ArrayObject(map(_number, (0, 0, 288, 432)))
        form[NameObject("/Resources")] = resources
        here: Any = resources.get_object()
        here[NameObject("/XObject")] = DictionaryObject({NameObject("/AA"): writer._add_object(form)})
        contents: Any = page["/Contents"]
        drawing = DecodedStreamObject()
        drawing.set_data(contents.get_data() + b"\nq /AA Do Q")
        page[NameObject("/Contents")] = writer._add_object(drawing)

    page = rendered(printed(pdf_label("ROUND-1", spoil=circular)), scale=1)
    assert page.getpixel((120, HEIGHT - 40)) == 0


def test_contents_in_several_streams_are_one() -> None:
    def parted(writer: PdfWriter) -> None:
        (page,) = writer.pages
        contents: Any = page["/Contents"]
        lines = contents.get_data().splitlines(keepends=True)
        parts = []
        for start in range(0, len(lines), 7):
            part = DecodedStreamObject()
            part.set_data(b"".join(lines[start : start + 7]))
            parts.append(writer._add_object(part))
        assert len(parts) > 3
        page[NameObject("/Contents")] = ArrayObject(parts)

    assert alike(rendered(pdf_label("PARTS-1")), rendered(printed(pdf_label("PARTS-1", spoil=parted))))


def test_what_labels_share_is_there_once_and_the_same_labels_make_the_same_bytes() -> None:
    labels = [jpg_label("SAME-1")] * 50
    pdf = printed(*labels)
    assert len(pdf) < 2 * len(labels[0])
    assert page_numbers(pdf) == 50
    assert printed(*labels) == pdf
