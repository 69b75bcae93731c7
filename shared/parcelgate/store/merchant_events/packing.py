"""The bodies of events, compressed with the words that most of them have.

A body is a few kilobytes of names that are always the same, and a write is billed by the kilobyte.
`words.txt` holds these names and the usual values. It never changes: what was packed with it can be read with
it alone.
"""

import zlib
from functools import cache
from pathlib import Path


def pack(body: bytes) -> bytes:
    """Compress a body."""
    squeeze = zlib.compressobj(9, memLevel=9, zdict=_words())
    return squeeze.compress(body) + squeeze.flush()


def unpack(packed: bytes) -> bytes:
    """Return the body that was compressed, also without the words, as releases before format 4 do."""
    expand = zlib.decompressobj(zdict=_words())
    return expand.decompress(packed) + expand.flush()


@cache
def _words() -> bytes:
    return Path(__file__).with_name("words.txt").read_bytes()
