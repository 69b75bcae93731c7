"""A label that is an image, as an image XObject of the file that is being written.

What is compressed stays as it is: a JPG's data are what PDF calls DCTDecode, and the rows of a PNG what it
calls FlateDecode with PNG's predictors (ISO 32000-1, 7.4.4.4). An image lies as its EXIF data say.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from parcelgate.services.labels.pages import Matrix, Page, UnreadableLabelError
from parcelgate.services.labels.pdf_file import PdfFile, stream

_SIZES = {"4x6": (288.0, 432.0), "4x4": (288.0, 288.0), "a4": (595.276, 841.89)}
"""Width and height of each size of label, in points."""

_MOST_PIXELS = 100_000_000
_MOST_INTERLACED = 5_000_000
"""These are put into order pixel by pixel."""
_LONGEST_ROW = 1024 * 1024
"""Bytes: a row is held whole."""

_TURNS = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
"""What brings the unit square of an image upright, by its EXIF orientation (CIPA DC-008, 4.6.4)."""


def image_page(content: bytes, size: str, file: PdfFile) -> Page:
    """An image as large as a label of `size` (`4x6`, `4x4`, `a4`) can be. Raises UnreadableLabelError.

    What its own data say of its resolution is not believed: most say what their maker did not know.
    """
    try:
        image = _png(content) if content.startswith(_PNG) else _jpg(content)
        mask = None if image.mask is None else file.add(image.mask)
    except UnreadableLabelError:
        raise
    except Exception as error:
        raise UnreadableLabelError(type(error).__name__) from error
    soft = b"" if mask is None else b" /SMask %d 0 R" % mask
    xobject = file.add(stream(image.entries + soft, image.data))
    width, height = image.width, image.height
    if image.orientation >= 5:
        width, height = height, width
    short, long = sorted(_SIZES.get(size, _SIZES["4x6"]))
    across, up = (long, short) if width > height else (short, long)
    scale = min(across / width, up / height)
    width_in_points, height_in_points = width * scale, height * scale
    turn = Matrix(*_TURNS[image.orientation])
    upright = turn.then(Matrix(width_in_points, 0, 0, height_in_points, 0, 0))
    return Page(xobject, upright, width_in_points, height_in_points)


class _Image(NamedTuple):
    width: int
    height: int
    entries: bytes
    """Of its dictionary."""
    data: bytes
    orientation: int = 1
    mask: bytes | None = None
    """How much of the paper is to be seen through it: a whole image XObject."""


def _entries(width: int, height: int, colours: bytes, bits: int, more: bytes) -> bytes:
    if not 0 < width * height <= _MOST_PIXELS:
        raise UnreadableLabelError("no image, or too large")
    size = b"/Type /XObject /Subtype /Image /Width %d /Height %d" % (width, height)
    return b"%s /ColorSpace %s /BitsPerComponent %d %s" % (size, colours, bits, more)


# JPG (ITU-T T.81, annex B)

_COLOURS = {1: b"/DeviceGray", 3: b"/DeviceRGB", 4: b"/DeviceCMYK"}
_FRAMES = {0xC0, 0xC1, 0xC2}
"""Baseline, extended and progressive: the ways of compressing that PDF takes."""
_OTHER_FRAMES = {*range(0xC3, 0xD0)} - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _EXIF, _ADOBE = 0xDA, 0xE1, 0xEE
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a segment."""


def _jpg(content: bytes) -> _Image:
    frame: tuple[int, int, int, int] | None = None
    orientation, is_adobe = 1, False
    for marker, segment in _segments(content):
        if marker in _FRAMES:
            frame = struct.unpack_from(">BHHB", segment)
        elif marker in _OTHER_FRAMES:
            raise UnreadableLabelError("a JPG that PDF does not know")
        elif marker == _EXIF and segment.startswith(b"Exif\0\0"):
            orientation = _orientation(segment[6:])
        elif marker == _ADOBE and segment.startswith(b"Adobe"):
            is_adobe = True
    if frame is None:
        raise UnreadableLabelError("a JPG without an image")
    bits, height, width, parts = frame
    if bits != 8 or parts not in _COLOURS:
        raise UnreadableLabelError("a JPG that PDF does not know")
    more = b"/Filter /DCTDecode"
    if parts == 4 and is_adobe:
        # Adobe's programs write ink the other way round, and everybody reads it so.
        more += b" /Decode [ 1 0 1 0 1 0 1 0 ]"
    end = content.rindex(b"\xff\xd9") + 2
    return _Image(
        width, height, _entries(width, height, _COLOURS[parts], 8, more), content[:end], orientation
    )


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments up to the image's own data. Raises UnreadableLabelError when these have no end."""
    place = 2
    while True:
        if content[place] != 0xFF:
            raise UnreadableLabelError("a damaged JPG")
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in _ALONE:
            place += 2
        else:
            (length,) = struct.unpack_from(">H", content, place + 2)
            yield marker, content[place + 4 : place + 2 + length]
            place += 2 + length
            if marker == _START_OF_SCAN:
                break
    if content.find(b"\xff\xd9", place) < 0:
        raise UnreadableLabelError("a JPG that was cut off")


def _orientation(tiff: bytes) -> int:
    """The orientation that EXIF data tell; 1, upright, where they tell none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    try:
        if order is None:
            return 1
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for entry in range(first + 2, first + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if (tag, kind) == (0x0112, 3):
                return value if value in _TURNS else 1
    except struct.error:
        return 1
    return 1


# PNG (ISO 15948)

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_LAST_FILTER = 4
_WHITE = 255
_PIECE = 64 * 1024
"""Bytes that are inflated at once."""


def _png(content: bytes) -> _Image:
    chunks = _chunks(content)
    width, height, bits, kind, compression, filters, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if bits not in _DEPTHS.get(kind, ()) or compression or filters or interlaced > 1:
        raise UnreadableLabelError("a PNG of no kind that there is")
    orientation = _orientation(chunks.get(b"eXIf", b""))
    if interlaced:
        return _png(_in_order(content, width * height, chunks[b"IDAT"]))._replace(orientation=orientation)
    coloured = kind & 2
    colours = b"/DeviceRGB" if coloured else b"/DeviceGray"
    see_through = chunks.get(b"tRNS", b"")
    more = b""
    if kind == 3:
        colours = _palette(chunks[b"PLTE"], see_through)
    elif see_through and kind in (0, 2):
        # One colour stands for the paper.
        values = struct.unpack(f">{len(see_through) // 2}H", see_through)
        more = b" /Mask [ %s ]" % b" ".join(b"%d %d" % (value, value) for value in values)
    row = (width * bits * _CHANNELS[kind] + 7) // 8
    if row > _LONGEST_ROW:
        raise UnreadableLabelError("too wide")
    entries = _entries(width, height, colours, bits, b"")  # holds the size to its bounds, too
    rows = _rows(chunks[b"IDAT"], row + 1, height)
    if kind in (4, 6):
        data, mask = _parted(rows, 3 if coloured else 1, bits // 8)
        soft = _entries(width, height, b"/DeviceGray", bits, _predicted(1, bits, width))
        return _Image(
            width,
            height,
            entries + _predicted(3 if coloured else 1, bits, width),
            data,
            orientation,
            stream(soft, mask),
        )
    for _ in rows:
        pass
    more += _predicted(_CHANNELS[kind], bits, width)
    return _Image(width, height, entries + more, chunks[b"IDAT"], orientation)


def _chunks(content: bytes) -> dict[bytes, bytes]:
    """The chunks by their names, all IDAT as one. Raises UnreadableLabelError for a damaged one."""
    chunks: dict[bytes, list[bytes]] = {}
    place = len(_PNG)
    while b"IEND" not in chunks:
        length, name = struct.unpack_from(">I4s", content, place)
        body = content[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, place + 8 + length)
        if zlib.crc32(body, zlib.crc32(name)) != checksum:
            raise UnreadableLabelError("a damaged PNG")
        chunks.setdefault(name, []).append(body)
        place += 12 + length
    return {name: b"".join(parts) for name, parts in chunks.items()}


def _palette(colours: bytes, see_through: bytes) -> bytes:
    """The colour space of a palette. What of it can be seen through is mixed with the white of the paper."""
    table = bytearray(colours)
    for place, share in enumerate(see_through[: len(table) // 3]):
        for part in range(3 * place, 3 * place + 3):
            table[part] = (table[part] * share + _WHITE * (255 - share)) // 255
    return b"[ /Indexed /DeviceRGB %d <%s> ]" % (len(table) // 3 - 1, bytes(table).hex().encode())


def _predicted(channels: int, bits: int, width: int) -> bytes:
    parameters = b"/Predictor 15 /Colors %d /BitsPerComponent %d /Columns %d" % (channels, bits, width)
    return b" /Filter /FlateDecode /DecodeParms << %s >>" % parameters


def _rows(data: bytes, length: int, count: int) -> Iterator[bytes]:
    """The rows, each with its filter before it. Raises UnreadableLabelError when not all are there."""
    inflate = zlib.decompressobj()
    buffer = bytearray()
    given = 0
    for start in range(0, len(data), _PIECE):
        left = data[start : start + _PIECE]
        while left and given < count:
            buffer += inflate.decompress(left, _PIECE)
            left = inflate.unconsumed_tail
            while len(buffer) >= length and given < count:
                row = bytes(buffer[:length])
                del buffer[:length]
                if row[0] > _LAST_FILTER:
                    raise UnreadableLabelError("a damaged PNG")
                yield row
                given += 1
    if given < count:
        raise UnreadableLabelError("a PNG that was cut off")


def _parted(rows: Iterator[bytes], colours: int, size: int) -> tuple[bytes, bytes]:
    """The colours and what can be seen through them, which PDF has apart.

    PNG's filters look at bytes of the same channel alone, so the rows need not be read for that. `size` is
    the bytes of a sample.
    """
    pixel = size * (colours + 1)
    colour, mask = zlib.compressobj(), zlib.compressobj()
    colour_data, mask_data = [], []
    for row in rows:
        samples = len(row) // pixel
        painted, seen = bytearray(row[:1]), bytearray(row[:1])
        painted += bytes(size * colours * samples)
        seen += bytes(size * samples)
        for place in range(size * colours):
            painted[1 + place :: size * colours] = row[1 + place :: pixel]
        for place in range(size):
            seen[1 + place :: size] = row[1 + size * colours + place :: pixel]
        colour_data.append(colour.compress(painted))
        mask_data.append(mask.compress(seen))
    return b"".join([*colour_data, colour.flush()]), b"".join([*mask_data, mask.flush()])


def _in_order(content: bytes, pixels: int, data: bytes) -> bytes:
    """The same PNG, not interlaced; `data` are its rows, which its reader would inflate whole."""
    if pixels > _MOST_INTERLACED:
        raise UnreadableLabelError("too large for an interlaced PNG")
    inflate = zlib.decompressobj()
    # A pixel has at most 8 bytes; each row one for its filter and one that is not full, and at least a pixel.
    inflate.decompress(data, 10 * pixels + 1)
    if inflate.unconsumed_tail:
        raise UnreadableLabelError("more rows than the PNG has")
    # Rare, so that nobody else loads it.
    import png  # type: ignore[import-untyped]

    width, height, rows, info = png.Reader(bytes=content).read()
    out = io.BytesIO()
    given = ("greyscale", "alpha", "bitdepth", "palette", "transparent")
    writer = png.Writer(width, height, **{name: info[name] for name in given if name in info})
    writer.write(out, rows)
    return out.getvalue()
