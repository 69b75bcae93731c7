"""UBI's labels: one drawing of a parcel's label, as a PDF page, a JPG or ZPL, in three sizes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from string import ascii_uppercase

from PIL import Image, ImageDraw, ImageFont
from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.units import inch, mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

#: `labelType` → width and height in points; the label's own drawing is 10 cm wide.
SIZES = {
    0: (4 * inch, 6 * inch),
    1: (4 * inch, 6 * inch),
    2: (210 * mm, 297 * mm),
    4: (100 * mm, 100 * mm),
}
FORMATS = ("PDF", "JPG", "ZPL")
RESOLUTIONS = (203, 300)

_WIDTH, _MARGIN = 100 * mm, 5 * mm
_TEXT_WIDTH = _WIDTH - 2 * _MARGIN
_BAR_HEIGHT = 20 * mm
_POINTS = 72


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text: its place from the upper left corner and its size, in points."""

    y: float
    size: float
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """The content of one parcel's label."""

    service: str
    tracking_number: str
    consignee: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def _barcode_top(self) -> float:
        return self._lines()[-1].y + 5 * mm

    def _lines(self) -> list[Line]:
        texts = [(15, f"UBI  {self.service}"), (7, "DELIVER TO"), *((11, text) for text in self.consignee)]
        texts += [(8, text) for text in self.notes]
        lines, y = [], _MARGIN
        for size, text in texts:
            printable = text.encode("latin-1", "replace").decode("latin-1")
            width = stringWidth(printable, "Helvetica", size)
            fitting = min(size, size * _TEXT_WIDTH / width) if width else size
            y += size * 1.25
            lines.append(Line(y, fitting, printable))
        return lines

    def _bars(self) -> Iterator[tuple[float, float]]:
        """Give every bar of the Code 128: where it begins and how wide it is, in points."""
        widths = _modules(self.tracking_number)
        module = min(1.6, (_TEXT_WIDTH - 10) / sum(abs(width) for width in widths))
        x = (_WIDTH - module * sum(abs(width) for width in widths)) / 2
        for width in widths:
            if width > 0:
                yield x, width * module
            x += abs(width) * module

    def draw(self, canvas: Canvas, height: float) -> None:
        """Draw the label at the upper left of a page."""
        for line in self._lines():
            canvas.setFont("Helvetica", line.size)
            canvas.drawString(_MARGIN, height - line.y, line.text)
        top = height - self._barcode_top
        for x, width in self._bars():
            canvas.rect(x, top - _BAR_HEIGHT, width, _BAR_HEIGHT, stroke=0, fill=1)
        canvas.setFont("Courier-Bold", 12)
        canvas.drawCentredString(_WIDTH / 2, top - _BAR_HEIGHT - 13, self.tracking_number)
        canvas.showPage()

    def jpg(self, label_type: int, dpi: int) -> bytes:
        """Make a picture of the label."""
        width, height = SIZES[label_type]
        scale = dpi / _POINTS
        image = Image.new("L", (round(width * scale), round(height * scale)), 255)
        drawing = ImageDraw.Draw(image)
        for line in self._lines():
            font = _font(round(line.size * scale))
            drawing.text((_MARGIN * scale, line.y * scale), line.text, font=font, fill=0, anchor="ls")
        # Each module gets whole pixels, otherwise the bars would blur.
        widths = _modules(self.tracking_number)
        modules = sum(abs(one) for one in widths)
        pixels = max(int(min(1.6, _TEXT_WIDTH / modules) * scale), 1)
        x = round((_WIDTH * scale - pixels * modules) / 2)
        top = self._barcode_top * scale
        for one in widths:
            if one > 0:
                drawing.rectangle((x, top, x + one * pixels - 1, top + _BAR_HEIGHT * scale), fill=0)
            x += abs(one) * pixels
        middle, below = _WIDTH * scale / 2, (self._barcode_top + _BAR_HEIGHT + 14) * scale
        drawing.text(
            (middle, below), self.tracking_number, font=_font(round(12 * scale)), fill=0, anchor="ms"
        )
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=90, dpi=(dpi, dpi))
        return buffer.getvalue()

    def zpl(self, label_type: int, dpi: int) -> bytes:
        """Write the label for a Zebra printer."""
        width, height = SIZES[label_type]
        scale = dpi / _POINTS
        commands = ["^XA", "^CI28", f"^PW{round(width * scale)}", f"^LL{round(height * scale)}"]
        for line in self._lines():
            size = round(line.size * scale)
            text = line.text.replace("^", " ").replace("~", " ")
            top = round((line.y - line.size) * scale)
            commands.append(f"^FO{round(_MARGIN * scale)},{top}^A0N,{size},{size}^FD{text}^FS")
        top, tall = round(self._barcode_top * scale), round(_BAR_HEIGHT * scale)
        commands.append(f"^FO{round(_MARGIN * scale)},{top}^BY{round(scale)}^BCN,{tall},Y,N,N")
        commands.append(f"^FD{self.tracking_number}^FS^XZ")
        return "\n".join(commands).encode()

    def document(self, kind: str, label_type: int, dpi: int) -> bytes:
        """Make the label in one of the formats."""
        if kind == "JPG":
            return self.jpg(label_type, dpi)
        return self.zpl(label_type, dpi) if kind == "ZPL" else pdf([self], label_type)


def pdf(labels: Sequence[Label], label_type: int) -> bytes:
    """Print labels into one document, a page each."""
    width, height = SIZES[label_type]
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=(width, height), pageCompression=1)
    canvas.setTitle(f"UBI {labels[0].tracking_number}")
    for label in labels:
        label.draw(canvas, height)
    canvas.save()
    return buffer.getvalue()


@cache
def _modules(number: str) -> tuple[int, ...]:
    """Give the widths of a Code 128 in modules: bars positive, gaps negative."""
    code = Code128(number, barWidth=1, quiet=False)
    code.validate()
    code.encode()
    code.decompose()
    letters: str = code.decomposed
    return tuple(
        ord(one) - ord("A") + 1 if one in ascii_uppercase else -(ord(one) - ord("a") + 1) for one in letters
    )


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
