"""The one maker of identifiers: a prefix that says what it is, and a ULID, which sorts by time.

A ULID (github.com/ulid/spec) is the time in milliseconds, 48 bits, and 80 random bits, written as 26 of
Crockford's digits. Those that a process makes within a millisecond follow each other. The library of ULIDs
is not used: loading it, with the e-mail and zip modules that it asks for its own version, took a quarter of
the start of a function that creates orders.
"""

import os
import time
from datetime import datetime
from hashlib import sha256
from threading import Lock

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
_RANDOM_BITS = 80

_making = Lock()
_last = 0


def new_id(prefix: str) -> str:
    """A fresh identifier, such as `ord_01JD...`."""
    global _last
    milliseconds = time.time_ns() // 1_000_000
    with _making:
        if _last >> _RANDOM_BITS == milliseconds:
            _last += 1
        else:
            _last = milliseconds << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8))
        number = _last
    return f"{prefix}_{text_of(number)}"


def fixed_id(prefix: str, at: datetime, *parts: str | int) -> str:
    """An identifier that follows from these parts: always the same one. It sorts by time as `at`."""
    named = sha256("\0".join(map(str, parts)).encode()).digest()
    milliseconds = int(at.timestamp() * 1000)
    return f"{prefix}_{text_of(milliseconds << _RANDOM_BITS | int.from_bytes(named[:10]))}"


def text_of(number: int) -> str:
    """A number of 128 bits as the text of a ULID."""
    return "".join([DIGITS[number >> 5 * place & 31] for place in range(LENGTH - 1, -1, -1)])
