"""Shipping labels as the carriers print them: one PDF page of 4 by 6 inches per parcel."""

from dataclasses import dataclass
from io import BytesIO

from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.units import inch
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

_WIDTH, _HEIGHT = 4 * inch, 6 * inch
_MARGIN = 0.2 * inch
_TEXT_WIDTH = _WIDTH - 2 * _MARGIN
_THICKEST_BAR = 1.6


@dataclass(frozen=True, slots=True)
class Label:
    """The content of a label.

    `height` is how much of the page is used, in inches from the top: LSO's own label is 4x5 and
    is padded to 4x6 (documented, lso-order-commit, note 3).
    """

    carrier: str
    service: str
    tracking_number: str
    consignee: tuple[str, ...]
    notes: tuple[str, ...]
    height: float = 6.0

    def pdf(self) -> bytes:
        """Print the label."""
        buffer = BytesIO()
        canvas = Canvas(buffer, pagesize=(_WIDTH, _HEIGHT), pageCompression=1)
        canvas.setTitle(f"{self.carrier} {self.tracking_number}")
        bottom = _HEIGHT - self.height * inch
        self._draw_text(canvas)
        self._draw_barcode(canvas, bottom + 0.5 * inch)
        canvas.rect(_MARGIN / 2, bottom + _MARGIN / 2, _WIDTH - _MARGIN, self.height * inch - _MARGIN)
        canvas.showPage()
        canvas.save()
        return buffer.getvalue()

    def _draw_text(self, canvas: Canvas) -> None:
        y = _HEIGHT - 0.45 * inch
        _line(canvas, y, f"{self.carrier}  {self.service}", 18, "Helvetica-Bold")
        y -= 0.35 * inch
        _line(canvas, y, "SHIP TO", 8)
        for text in self.consignee:
            y -= 0.22 * inch
            _line(canvas, y, text, 13)
        y -= 0.3 * inch
        for text in self.notes:
            _line(canvas, y, text, 9)
            y -= 0.17 * inch

    def _draw_barcode(self, canvas: Canvas, y: float) -> None:
        narrow = Code128(self.tracking_number, barWidth=1, barHeight=inch, quiet=True)
        bar = min(_THICKEST_BAR, _TEXT_WIDTH / narrow.width)
        barcode = Code128(self.tracking_number, barWidth=bar, barHeight=inch, quiet=True)
        barcode.drawOn(canvas, (_WIDTH - barcode.width) / 2, y)
        canvas.setFont("Courier-Bold", 13)
        canvas.drawCentredString(_WIDTH / 2, y - 0.22 * inch, self.tracking_number)


def _line(canvas: Canvas, y: float, text: str, size: float, font: str = "Helvetica") -> None:
    """Print a line, smaller if it does not fit; the printer knows Latin letters only."""
    printable = text.encode("latin-1", "replace").decode("latin-1")
    width = stringWidth(printable, font, size)
    canvas.setFont(font, min(size, size * _TEXT_WIDTH / width) if width else size)
    canvas.drawString(_MARGIN, y, printable)


#: What SBX-BADLABEL and SBX-SPOILT give in a label's place.
NO_DOCUMENT = b"<html><body>label service is busy</body></html>"
