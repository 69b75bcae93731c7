"""Labels to be printed, of every kind there is, and what can be read from paper once they were."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import pypdfium2
import zxingcpp
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import FloatObject, NameObject, NumberObject, RectangleObject
from reportlab.graphics.barcode.code128 import Code128
from reportlab.pdfgen.canvas import Canvas

from sandbox.ubi.labels import Label

WIDTH, HEIGHT = 288, 432
"""Of a label of 4 by 6 inches, in points."""
SCALE = 203 / 72
"""Dots of a common label printer for each point."""


class Read(NamedTuple):
    """A barcode on paper: its text, its turn in degrees, and its middle in points from the top left."""

    text: str
    turned: int
    x: float
    y: float


def rendered(pdf: bytes, page: int = 0, *, scale: float = SCALE) -> Image.Image:
    """A page on paper, as grey."""
    with pypdfium2.PdfDocument(pdf) as document:
        image: Image.Image = document[page].render(scale=scale).to_pil()
        return image.convert("L")


def sizes(pdf: bytes) -> list[tuple[float, float]]:
    """Width and height of each page in points."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [page.get_size() for page in document]


def texts(pdf: bytes) -> list[str]:
    """The text of each page."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [page.get_textpage().get_text_range() for page in document]


def barcodes(pdf: bytes) -> list[list[Read]]:
    """What a scanner reads on each page: from the top left to the right, and then down."""
    return [_scanned(rendered(pdf, page)) for page in range(len(sizes(pdf)))]


def _scanned(image: Image.Image) -> list[Read]:
    codes = []
    for code in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.Code128, try_invert=False):
        corners = [getattr(code.position, name) for name in ("top_left", "bottom_right")]
        x, y = (sum(getattr(corner, axis) for corner in corners) / 2 / SCALE for axis in "xy")
        codes.append(Read(code.text, code.orientation, x, y))
    return sorted(
        codes, key=lambda each: (each.y > image.height / SCALE / 2, each.x > image.width / SCALE / 2)
    )


def draw(canvas: Canvas, number: str, width: float = WIDTH, height: float = HEIGHT) -> None:
    """A label from the origin: a frame at its very edge, a barcode, its number, a mark at the top left."""
    canvas.setLineWidth(2)
    canvas.rect(1, 1, width - 2, height - 2)
    canvas.rect(10, height - 40, 30, 30, fill=1)
    canvas.setFont("Helvetica", 14)
    canvas.drawString(50, height - 30, f"TOP OF {number}")
    bars = Code128(number, barWidth=1.4, barHeight=70, quiet=True)
    bars.drawOn(canvas, (width - bars.width) / 2, height / 2 - 35)


def pdf_label(
    number: str,
    *,
    rotate: int = 0,
    origin: tuple[float, float] = (0, 0),
    cropped: float = 0,
    unit: float = 1,
    size: tuple[float, float] = (WIDTH, HEIGHT),
    spoil: Callable[[PdfWriter], object] = lambda _: None,
) -> bytes:
    """A label whose page is turned, lies elsewhere, is cut or measured otherwise, yet is upright.

    Parameters
    ----------
    rotate
        What the page says of its turn; its content is drawn the other way round.
    origin
        Where the lower left corner of its media box lies.
    cropped
        The media box is larger than the label by so much, and what lies there is not to be seen.
    unit
        Points for each unit of the page.
    """
    width, height = (each / unit for each in size)
    across, up = (height, width) if rotate % 180 else (width, height)
    left, bottom = origin
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(left + across + 2 * cropped, bottom + up + 2 * cropped))
    canvas.translate(left + cropped, bottom + cropped)
    if cropped:
        secret = Code128("NOT TO BE SEEN", barWidth=1, barHeight=30, quiet=True)
        secret.drawOn(canvas, 10, -cropped + 10)
    corner = {0: (0, 0), 90: (across, 0), 180: (across, up), 270: (0, up)}[rotate % 360]
    canvas.translate(*corner)
    canvas.rotate(rotate)
    canvas.scale(1 / unit, 1 / unit)
    draw(canvas, number, *size)
    canvas.save()
    writer = PdfWriter(clone_from=io.BytesIO(out.getvalue()))
    (page,) = writer.pages
    box = (left, bottom, left + across + 2 * cropped, bottom + up + 2 * cropped)
    page[NameObject("/MediaBox")] = RectangleObject(box)
    if cropped:
        page[NameObject("/CropBox")] = RectangleObject(
            (box[0] + cropped, box[1] + cropped, box[2] - cropped, box[3] - cropped)
        )
    if rotate:
        page[NameObject("/Rotate")] = NumberObject(rotate)
    if unit != 1:
        page[NameObject("/UserUnit")] = FloatObject(unit)
    spoil(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def jpg_label(number: str, dpi: int = 203) -> bytes:
    """A label as UBI gives it."""
    return Label("PRINTED", number, ("Ada Byrd", "401 Congress Ave"), ("one",)).jpg(1, dpi)


def image_label(number: str, *, mode: str = "L", says: int = 203, **how: Any) -> bytes:
    """The same label as another image, that says how many dots an inch has; `how` is for Pillow's `save`."""
    out = io.BytesIO()
    image = Image.open(io.BytesIO(jpg_label(number))).convert(mode)
    image.save(out, **({"format": "PNG", "dpi": (says, says)} | how))
    return out.getvalue()


def page_numbers(pdf: bytes) -> int:
    """How many pages a strict reader finds."""
    return len(PdfReader(io.BytesIO(pdf), strict=True).pages)
