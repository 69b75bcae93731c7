"""Many labels on sheets of paper, in one PDF: bytes in, bytes out.

`as_is`: every page of every label is a page, of its own size. `a4_4`: four to a page of A4, from left to
right and then down, each upright and whole in the middle of its place.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from parcelgate.carriers.toolkit.documents import document_format
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.printouts import PLACES, Layout
from parcelgate.services.labels.images import image_page
from parcelgate.services.labels.pages import OutOfTimeError, Page, UnreadableLabelError, moved, scaled
from parcelgate.services.labels.pdf_file import PdfFile, reals
from parcelgate.services.labels.pdf_pages import pdf_pages

_A4 = (595.276, 841.89)
"""210 by 297 mm, in points."""
_ACROSS, _DOWN = 2, 2
"""Labels on a sheet: `PLACES` of them."""
_MARGIN = 12.0
"""Points around each label: printers leave about 4 mm of a sheet's edge white."""
_LARGEST = 14_400.0
"""Points that a page may be wide or high (ISO 32000-1, annex C)."""


class Sheets:
    """Puts labels on sheets, in the order they come, and writes the PDF into `out` as it goes on.

    `start_at` is the first sheet's place to begin at, from 1 at the top left to 4: those before it were used.
    """

    def __init__(self, out: BinaryIO, layout: Layout, start_at: int = 1) -> None:
        self._file = PdfFile(out)
        self._layout = layout
        self._sheet: list[Page | None] = [None] * (start_at - 1) if layout is Layout.A4_4 else []

    @property
    def size(self) -> int:
        """How many bytes the PDF has so far."""
        return self._file.size

    def add(self, documents: Sequence[bytes], size: str, deadline: Deadline | None = None) -> None:
        """Put the documents of one order on paper; images as large as a label of `size`.

        Raises UnreadableLabelError, and OutOfTimeError where `deadline` passes between two pages; nothing of
        the order is on any sheet then.
        """
        mark = self._file.mark()
        pages = []
        try:
            for document in documents:
                for page in self._pages(document, size):
                    if deadline is not None and deadline.passed:
                        raise OutOfTimeError
                    pages.append(page)
        except MemoryError as error:
            self._file.go_back(mark)
            raise UnreadableLabelError(type(error).__name__) from error
        except (UnreadableLabelError, OutOfTimeError):
            self._file.go_back(mark)
            raise
        for page in pages:
            if self._layout is Layout.A4_4:
                self._sheet.append(page)
                if len(self._sheet) == PLACES:
                    self._draw_sheet()
            else:
                self._draw_alone(page)

    def finish(self) -> int:
        """Write the last sheet and what ends the file; how many pages it has."""
        if any(self._sheet):
            self._draw_sheet()
        self._file.finish()
        return self._file.pages

    def _pages(self, document: bytes, size: str) -> Iterator[Page]:
        match document_format(document):
            case "pdf":
                yield from pdf_pages(document, self._file)
            case "jpg" | "png":
                yield image_page(document, size, self._file)
            case _:
                raise UnreadableLabelError("no document that can be printed here")

    def _draw_alone(self, page: Page) -> None:
        scale = min(1.0, _LARGEST / page.width, _LARGEST / page.height)
        self._file.add_page(
            page.width * scale, page.height * scale, _drawn("L", page, scale), [("L", page.xobject)]
        )

    def _draw_sheet(self) -> None:
        width, height = _A4[0] / _ACROSS, _A4[1] / _DOWN
        content, shown = [], []
        for place, page in enumerate(self._sheet):
            if page is None:
                continue
            scale = min(1.0, (width - 2 * _MARGIN) / page.width, (height - 2 * _MARGIN) / page.height)
            down, across = divmod(place, _ACROSS)
            right = across * width + (width - page.width * scale) / 2
            up = (_DOWN - 1 - down) * height + (height - page.height * scale) / 2
            name = f"L{place + 1}"
            content.append(_drawn(name, page, scale, right, up))
            shown.append((name, page.xobject))
        self._sheet = []
        self._file.add_page(*_A4, b"".join(content), shown)


def _drawn(name: str, page: Page, scale: float, right: float = 0, up: float = 0) -> bytes:
    matrix = page.upright.then(scaled(scale)).then(moved(right, up))
    return b"q %s cm /%s Do Q\n" % (reals(matrix), name.encode())
