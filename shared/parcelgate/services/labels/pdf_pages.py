"""The pages of a label that is a PDF, each as a form XObject of the file that is being written.

Of a source no more is taken than what its pages draw: contents, resources, and what annotations for print
look like. Scripts, actions, links, embedded files, form fields and metadata stay behind, whether a page,
an annotation or the document has them.
"""

import io
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from pypdf import PdfReader
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NullObject,
    PdfObject,
    StreamObject,
)

from parcelgate.services.labels.pages import Matrix, Page, UnreadableLabelError, scaled
from parcelgate.services.labels.pdf_file import PdfFile, reals, stream

MOST_PAGES = 200
"""Of one document: four for each parcel of the largest order."""
_MOST_OBJECTS = 20_000
_MOST_CONTENT = 64 * 1024 * 1024
"""Bytes that one page draws, decoded. Carriers' labels have at most 3 MB a page."""
_MOST_DECODED = 192 * 1024 * 1024
"""The same of all pages together."""
_MOST_COPIED = 64 * 1024 * 1024
"""Bytes of streams that are taken from one document, which itself has at most 10 MB."""
_DEEPEST = 60
_TAIL = 2048
"""Within so many bytes of its end a file that was not cut off says that it ends; the standard has 1024."""

_LEFT_BEHIND = frozenset(
    {
        "/AA",
        "/AF",
        "/Alternates",
        "/LastModified",
        "/Metadata",
        "/OPI",
        "/Parent",
        "/PieceInfo",
        "/Ref",
        "/StructParent",
        "/StructParents",
    }
)
"""Entries of streams, and of dictionaries that say what they are, that lead out of the page or draw nothing.

Elsewhere the names are the page's own: a font may be called `/AA`.
"""
_NO_DRAWING = frozenset(
    {"/Action", "/Annot", "/Catalog", "/EmbeddedFile", "/F", "/Filespec", "/Page", "/Pages", "/Sig"}
)
"""Types of dictionaries that no drawing needs."""
_ACTIONS = frozenset(
    {
        "/GoToE",
        "/GoToR",
        "/ImportData",
        "/JavaScript",
        "/Launch",
        "/Rendition",
        "/RichMediaExecute",
        "/SubmitForm",
        "/URI",
    }
)
"""What an action does by its `S`; one need not say that it is an action."""

_HIDDEN, _PRINTED = 2, 4
"""Flags of an annotation (ISO 32000-1, table 165)."""


def pdf_pages(content: bytes, file: PdfFile) -> Iterator[Page]:
    """The pages of a PDF, each written into `file` when it is asked for. Raises UnreadableLabelError."""
    try:
        yield from _pages(content, file)
    except UnreadableLabelError:
        raise
    except Exception as error:
        # Of a spoilt document pypdf raises errors of many kinds, such as AssertionError and RecursionError.
        raise UnreadableLabelError(type(error).__name__) from error


def _pages(content: bytes, file: PdfFile) -> Iterator[Page]:
    if b"%%EOF" not in content[-_TAIL:]:
        raise UnreadableLabelError("cut off")
    # At its end it lets go of all that it has read, which leads round in circles.
    with PdfReader(io.BytesIO(content)) as reader:
        if reader.is_encrypted:
            raise UnreadableLabelError("encrypted")
        if not 0 < len(reader.pages) <= MOST_PAGES:
            raise UnreadableLabelError("no pages, or too many")
        if _has_hidden_layers(reader):
            raise UnreadableLabelError("layers that are switched off")
        copy = _Copy(file)
        for page in reader.pages:
            yield _page(page, copy)


def _page(page: DictionaryObject, copy: "_Copy") -> Page:
    box = _visible_box(page)
    upright, width, height = _upright(box, _number(page.get("/Rotate"), 0), _number(page.get("/UserUnit"), 1))
    entries, data = _contents(page, copy)
    head = b"/Type /XObject /Subtype /Form /FormType 1 /BBox [ %s ]" % reals(box)
    head += b" /Resources %s%s" % (copy.resources_of(page), entries)
    group = _at(page, "/Group")
    if isinstance(group, DictionaryObject):
        head += b" /Group " + copy.value(group)
    drawn = copy.file.add(stream(head, data))
    stamps = list(_stamps(page, copy))
    if stamps:
        drawn = _together(box, [(drawn, scaled(1)), *stamps], copy.file)
    return Page(drawn, upright, width, height)


def _visible_box(page: DictionaryObject) -> tuple[float, float, float, float]:
    """What of the page is to be seen: its crop box, as far as that lies on its media box."""
    media = _box(page, "/MediaBox")
    if media is None:
        raise UnreadableLabelError("a page without a size")
    crop = _box(page, "/CropBox") or media
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    right, top = min(media[2], crop[2]), min(media[3], crop[3])
    return (left, bottom, right, top) if left < right and bottom < top else media


def _box(thing: DictionaryObject, name: str) -> tuple[float, float, float, float] | None:
    """A rectangle with its lower left corner first; None for none, and for one without an area."""
    value = _at(thing, name)
    if not isinstance(value, ArrayObject) or len(value) != 4:
        return None
    x0, y0, x1, y1 = (_number(each, math.nan) for each in value)
    box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    return box if all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3] else None


def _upright(
    box: tuple[float, float, float, float], rotation: float, unit: float
) -> tuple[Matrix, float, float]:
    """What brings the box upright to the origin, with the width and height in points that it has then.

    `rotation` is in degrees clockwise; what is no multiple of 90 counts as none, as in viewers. `unit` is
    the size of the page's own unit in points.
    """
    left, bottom, right, top = box
    unit = unit if unit > 0 else 1
    matrix = {
        90: Matrix(0, -1, 1, 0, -bottom, right),
        180: Matrix(-1, 0, 0, -1, right, top),
        270: Matrix(0, 1, -1, 0, top, -left),
    }.get(int(rotation) % 360, Matrix(1, 0, 0, 1, -left, -bottom))
    width, height = unit * (right - left), unit * (top - bottom)
    if int(rotation) % 360 in (90, 270):
        width, height = height, width
    return matrix.then(scaled(unit)), width, height


def _contents(page: DictionaryObject, copy: "_Copy") -> tuple[bytes, bytes]:
    """What a page draws: entries that say how it is encoded, and the data. Several streams become one."""
    if "/Contents" not in page:
        return b"", b""
    contents = _at(page, "/Contents")
    if isinstance(contents, StreamObject):
        # Decoded although it is copied as it is: what cannot be decoded would be a page without its label.
        copy.decoded(contents, _MOST_CONTENT)
        return copy.encoding(contents), copy.taken(contents._data)
    if not isinstance(contents, ArrayObject):
        raise UnreadableLabelError("a page without its contents")
    parts, left = [], _MOST_CONTENT
    for each in contents:
        part = each.get_object()
        if not isinstance(part, StreamObject):
            raise UnreadableLabelError("a page without its contents")
        parts.append(copy.decoded(part, left))
        left -= len(parts[-1])
    # A token never runs on from one stream into the next (ISO 32000-1, 7.8.2).
    return b" /Filter /FlateDecode", copy.taken(zlib.compress(b"\n".join(parts)))


def _stamps(page: DictionaryObject, copy: "_Copy") -> Iterator[tuple[int, Matrix]]:
    """What annotations look like on paper, such as filled-in fields, and where each stands on the page."""
    annotations = _at(page, "/Annots")
    for each in annotations if isinstance(annotations, ArrayObject) else ():
        annotation = each.get_object()
        if not isinstance(annotation, DictionaryObject):
            continue
        flags = int(_number(annotation.get("/F"), 0))
        place, look = _box(annotation, "/Rect"), _look(annotation)
        if flags & _HIDDEN or not flags & _PRINTED or place is None or look is None:
            continue
        matrix = _fitting(look, place)
        if matrix is not None:
            yield copy.form(look), matrix


def _look(annotation: DictionaryObject) -> StreamObject | None:
    """The normal appearance of an annotation, of several the one that its state names."""
    looks = _at(annotation, "/AP")
    normal = _at(looks, "/N") if isinstance(looks, DictionaryObject) else None
    if isinstance(normal, DictionaryObject) and not isinstance(normal, StreamObject):
        normal = _at(normal, str(_at(annotation, "/AS")))
    return normal if isinstance(normal, StreamObject) and _box(normal, "/BBox") else None


def _fitting(look: StreamObject, place: tuple[float, float, float, float]) -> Matrix | None:
    """What brings an appearance to its place (ISO 32000-1, 12.5.5, algorithm 8.1)."""
    box, own = _box(look, "/BBox"), _at(look, "/Matrix")
    if box is None:
        return None
    matrix = Matrix(*(_number(each, 0) for each in own)) if _is_matrix(own) else scaled(1)
    corners = [
        (matrix.a * x + matrix.c * y + matrix.e, matrix.b * x + matrix.d * y + matrix.f)
        for x in (box[0], box[2])
        for y in (box[1], box[3])
    ]
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    bottom, top = min(y for _, y in corners), max(y for _, y in corners)
    if not (left < right and bottom < top):
        return None
    across, up = (place[2] - place[0]) / (right - left), (place[3] - place[1]) / (top - bottom)
    return Matrix(across, 0, 0, up, place[0] - across * left, place[1] - up * bottom)


def _is_matrix(value: object) -> bool:
    return isinstance(value, ArrayObject) and len(value) == 6


def _together(
    box: tuple[float, float, float, float], parts: Sequence[tuple[int, Matrix]], file: PdfFile
) -> int:
    """One form that draws several, each at its place."""
    names = b" ".join(b"/P%d %d 0 R" % (place, number) for place, (number, _) in enumerate(parts))
    drawing = b"".join(b"q %s cm /P%d Do Q\n" % (reals(at), place) for place, (_, at) in enumerate(parts))
    head = b"/Type /XObject /Subtype /Form /FormType 1 /BBox [ %s ]" % reals(box)
    return file.add(stream(head + b" /Resources << /XObject << %s >> >>" % names, drawing))


def _has_hidden_layers(reader: PdfReader) -> bool:
    """Whether something on the pages is not to be seen: layers end with their document, all would be seen."""
    layers = _at(reader.root_object, "/OCProperties")
    how = _at(layers, "/D") if isinstance(layers, DictionaryObject) else None
    if not isinstance(how, DictionaryObject):
        return False
    return bool(_at(how, "/OFF")) or _at(how, "/BaseState") == "/OFF"


class _Copy:
    """Copies objects of one source into the file, each once, with all that they draw with."""

    def __init__(self, file: PdfFile) -> None:
        self.file = file
        self._written: dict[tuple[int, int], int] = {}
        self._open: dict[tuple[int, int], int | None] = {}
        """What is being written: its number, where something in it leads back to it."""
        self._left = _MOST_OBJECTS
        self._to_decode, self._to_copy = _MOST_DECODED, _MOST_COPIED
        self._depth = 0
        self._resources: tuple[tuple[int, int], Any] | None = None

    def resources_of(self, page: DictionaryObject) -> bytes:
        """The resources of a page, which forms in it without resources of their own have too."""
        resources = page.get("/Resources")
        if resources is None:
            self._resources = None
            return b"<< >>"
        key = _key(resources) if isinstance(resources, IndirectObject) else (-1, id(page))
        self._resources = key, resources.get_object()
        return self._numbered(*self._resources)

    def value(self, thing: Any) -> bytes:
        """A value as it is written. What is no drawing is written as null."""
        self._left -= 1
        self._depth += 1
        if self._left < 0 or self._depth > _DEEPEST:
            raise UnreadableLabelError("too many objects, or too deep")
        try:
            if isinstance(thing, IndirectObject):
                original = thing.get_object()
                return b"null" if _is_nothing(original) else self._numbered(_key(thing), original)
            if isinstance(thing, StreamObject):
                raise UnreadableLabelError("a stream that is no object")
            if isinstance(thing, DictionaryObject):
                return self._dictionary(thing)
            if isinstance(thing, ArrayObject):
                return b"[ %s ]" % b" ".join(self.value(each) for each in thing)
            return _written(thing)
        finally:
            self._depth -= 1

    def decoded(self, part: StreamObject, most: int) -> bytes:
        """What a stream draws, of at most so many bytes."""
        _refuse_outside(part)
        data = part.get_data()
        part.decoded_self = None  # or pypdf keeps it
        if len(part._data) and not data:
            raise UnreadableLabelError("contents that cannot be decoded")
        self._to_decode -= len(data)
        if len(data) > most or self._to_decode < 0:
            raise UnreadableLabelError("too much to draw")
        return data

    def taken(self, data: bytes) -> bytes:
        """The data of a stream, which are counted each time they are copied."""
        self._to_copy -= len(data)
        if self._to_copy < 0:
            raise UnreadableLabelError("too much to draw")
        return data

    def form(self, look: StreamObject) -> int:
        """A form XObject that is not reached through resources."""
        return self.file.add(self._stream(look))

    def encoding(self, of: StreamObject) -> bytes:
        """How a stream is encoded."""
        kept = (name for name in ("/Filter", "/DecodeParms") if name in of)
        return b"".join(b" %s %s" % (name.encode(), self.value(of.raw_get(name))) for name in kept)

    def _numbered(self, key: tuple[int, int], thing: Any) -> bytes:
        """The way to an object of its own; `key` names it in the source."""
        if key in self._open:
            # It leads back to itself: its number is needed before it is written.
            number = self._open[key]
            if number is None:
                number = self._open[key] = self.file.reserve()
            return b"%d 0 R" % number
        if key not in self._written:
            self._open[key] = None
            body = self._stream(thing) if isinstance(thing, StreamObject) else self.value(thing)
            self._written[key] = self.file.add(body, self._open.pop(key))
        return b"%d 0 R" % self._written[key]

    def _stream(self, thing: StreamObject) -> bytes:
        _refuse_outside(thing)
        kind = _at(thing, "/Subtype")
        if kind == "/PS" or _at(thing, "/Subtype2") == "/PS":
            raise UnreadableLabelError("a program of PostScript")
        entries = self._entries(thing, but=_LEFT_BEHIND | {"/Length"})
        if kind == "/Form" and "/Resources" not in thing and self._resources is not None:
            entries += b" /Resources " + self._numbered(*self._resources)
        return stream(entries, self.taken(thing._data))

    def _dictionary(self, thing: DictionaryObject) -> bytes:
        if _at(thing, "/Type") in _NO_DRAWING or _at(thing, "/S") in _ACTIONS:
            return b"null"
        return b"<< %s >>" % self._entries(thing, but=_LEFT_BEHIND if "/Type" in thing else frozenset())

    def _entries(self, thing: DictionaryObject, *, but: frozenset[str]) -> bytes:
        kept = (name for name in thing if name not in but)
        return b" ".join(b"%s %s" % (_written(name), self.value(thing.raw_get(name))) for name in kept)


def _refuse_outside(part: StreamObject) -> None:
    """Refuse what lies in another file, or is encrypted by itself. Raises UnreadableLabelError."""
    filters = _at(part, "/Filter")
    if "/F" in part or "/Crypt" in (filters if isinstance(filters, ArrayObject) else [filters]):
        raise UnreadableLabelError("a stream that cannot be read from here")


def _key(reference: IndirectObject) -> tuple[int, int]:
    return reference.idnum, reference.generation


def _is_nothing(thing: object) -> bool:
    return thing is None or isinstance(thing, NullObject)


def _written(thing: Any) -> bytes:
    if not isinstance(thing, PdfObject):
        raise UnreadableLabelError("no object of a PDF")
    out = io.BytesIO()
    thing.write_to_stream(out)
    return out.getvalue()


def _at(thing: DictionaryObject, name: str) -> Any:
    """What stands under a name, wherever it lies; None for nothing."""
    value = thing.get(name)
    value = None if value is None else value.get_object()
    return None if _is_nothing(value) else value


def _number(value: Any, otherwise: float) -> float:
    value = value.get_object() if isinstance(value, PdfObject) else None
    try:
        return otherwise if value is None else float(value)
    except (TypeError, ValueError):
        return otherwise
