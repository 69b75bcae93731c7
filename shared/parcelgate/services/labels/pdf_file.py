"""A PDF file, written object by object as it comes: what is written needs no memory any more.

Two objects of the same bytes are written once, so the font that all labels of a carrier have is there once.
The same calls make the same bytes. References: ISO 32000-1, 7.3 (objects), 7.5 (file structure).
"""

import hashlib
import math
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

_CATALOG, _PAGES = 1, 2


class Mark(NamedTuple):
    """A state of a file to which it can go back."""

    end: int
    objects: int
    pages: int


class PdfFile:
    """Writes into `out`, which is at its beginning and can be cut off. Numbers name objects."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        # The catalogue and the tree of pages have the first two numbers and are written last.
        self._places: list[int] = [0, 0, 0]
        self._known: dict[bytes, int] = {}
        self._pages: list[int] = []
        # Version 1.7, and a line of bytes above 127, which says that this is no text (7.5.2).
        out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    @property
    def pages(self) -> int:
        """How many pages it has so far."""
        return len(self._pages)

    @property
    def size(self) -> int:
        """How many bytes it has so far."""
        return self._out.tell()

    def reserve(self) -> int:
        """A number for an object that is written later, by `add`."""
        self._places.append(0)
        return len(self._places) - 1

    def add(self, body: bytes, number: int | None = None) -> int:
        """Write an object, under the number that was reserved for it; its number.

        Without `number` an equal object that was written before is given instead.
        """
        digest = hashlib.sha256(body).digest()
        if number is None:
            if digest in self._known:
                return self._known[digest]
            number = self._known[digest] = self.reserve()
        self._places[number] = self._out.tell()
        self._out.write(b"%d 0 obj\n" % number)
        self._out.write(body)
        self._out.write(b"\nendobj\n")
        return number

    def add_page(self, width: float, height: float, content: bytes, shown: Iterable[tuple[str, int]]) -> None:
        """Write a page of this size, in points, whose content draws the XObjects of these names."""
        drawing = self.add(stream(b"", content))
        names = b" ".join(b"/%s %d 0 R" % (name.encode(), number) for name, number in shown)
        page = b"<< /Type /Page /Parent %d 0 R /MediaBox [ 0 0 %s %s ]" % (_PAGES, real(width), real(height))
        page += b" /Resources << /XObject << %s >> >> /Contents %d 0 R >>" % (names, drawing)
        # Two pages may be the same and are two pages nevertheless.
        self._pages.append(self.add(page, self.reserve()))

    def mark(self) -> Mark:
        """The state that it has now."""
        return Mark(self._out.tell(), len(self._places), len(self._pages))

    def go_back(self, mark: Mark) -> None:
        """Forget all that was written since `mark`."""
        self._out.seek(mark.end)
        self._out.truncate()
        del self._places[mark.objects :], self._pages[mark.pages :]
        self._known = {each: number for each, number in self._known.items() if number < mark.objects}

    def finish(self) -> None:
        """Write what ends a file. Nothing is written after that."""
        kids = b" ".join(b"%d 0 R" % number for number in self._pages)
        self.add(b"<< /Type /Pages /Count %d /Kids [ %s ] >>" % (len(self._pages), kids), _PAGES)
        self.add(b"<< /Type /Catalog /Pages %d 0 R >>" % _PAGES, _CATALOG)
        start, count = self._out.tell(), len(self._places)
        self._out.write(b"xref\n0 %d\n0000000000 65535 f \n" % count)
        for place in self._places[1:]:
            self._out.write(b"%010d 00000 n \n" % place)
        self._out.write(b"trailer\n<< /Size %d /Root %d 0 R >>\n" % (count, _CATALOG))
        self._out.write(b"startxref\n%d\n%%%%EOF\n" % start)


def stream(entries: bytes, data: bytes) -> bytes:
    """The body of a stream object: `entries` of its dictionary, without the length, and its data."""
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(data), data)


def real(number: float) -> bytes:
    """A number as PDF has it: without an exponent. Raises ValueError for one that is not finite."""
    if not math.isfinite(number):
        raise ValueError("no number of a PDF")
    return f"{number:.6f}".rstrip("0").rstrip(".").encode()


def reals(numbers: Iterable[float]) -> bytes:
    """Numbers with blanks between them."""
    return b" ".join(map(real, numbers))
