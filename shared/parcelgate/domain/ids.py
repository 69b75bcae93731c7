"""The one maker of identifiers: a prefix that says what it is, and a ULID, which sorts by time.

The library of ULIDs loads much of Python's own. So who only sometimes makes an id imports this when it does.
"""

from datetime import datetime
from hashlib import sha256

from ulid import ULID


def new_id(prefix: str) -> str:
    """A fresh identifier, such as `ord_01JD...`."""
    return f"{prefix}_{ULID()}"


def fixed_id(prefix: str, at: datetime, *parts: str | int) -> str:
    """An identifier that follows from these parts: always the same one. It sorts by time as `at`."""
    named = sha256("\0".join(map(str, parts)).encode()).digest()
    milliseconds = int(at.timestamp() * 1000)
    return f"{prefix}_{ULID.from_bytes(milliseconds.to_bytes(6) + named[:10])}"
