"""JSON as carriers write it: decimals digit by digit, an account's other names for fields, readers of values.

Texts that were cut off in the middle of a character are read all the same: half an
emoji in one parcel's name must not make the whole reply unreadable.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec


class UnreadableError(ValueError):
    """A body, or a part of a body, does not have the form that the carrier documents."""


_ESCAPE = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
"""Matches an escape in a text: a whole pair of surrogates, or, as a group, half a pair."""
_encoder = msgspec.json.Encoder(decimal_format="number")


def encoded(body: Any) -> bytes:
    """Return `body` as JSON, decimals as numbers with all their digits."""
    return _encoder.encode(body)


def decoded(content: bytes) -> Any:
    """Read JSON from outside, decimals with all their digits. Raises UnreadableError."""
    try:
        return json.loads(_mended(content), parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):
        raise UnreadableError("not JSON") from None


def decoded_as[T](kind: type[T], content: bytes) -> T:
    """Read JSON from outside as a type that msgspec knows. Raises UnreadableError."""
    try:
        return msgspec.json.decode(_mended(content), type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise UnreadableError(f"not JSON of the form {kind.__name__}") from None


def _mended(content: bytes) -> bytes:
    """Return JSON in which a replacement character stands for every half character, in UTF-8 or in escapes.

    Correct text stays as it is, and text that is no JSON does not become JSON. A byte order mark is removed.
    """
    content = content.removeprefix(BOM_UTF8)
    if b"\\ud" in content or b"\\uD" in content:
        content = _ESCAPE.sub(lambda match: match[0] if match[1] is None else rb"\ufffd", content)
    return content.decode(errors="replace").encode()


def _no_number(name: str) -> Any:
    raise ValueError(name)


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return `value` with the keys of its objects, at every level, replaced by their other `names`."""
    if isinstance(value, Mapping):
        return {names.get(key, key): renamed(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [renamed(item, names) for item in value]
    return value


LONGEST_TEXT = 2_000
"""The longest text that is kept, in characters: an order with its carrier's words is one item of 400 KB."""


def text(value: Any) -> str | None:
    """Return a string, also for a number; None for a blank string and anything else. A long one is cut."""
    whole = whole_text(value)
    return whole and whole[:LONGEST_TEXT]


def whole_text(value: Any) -> str | None:
    """Return a string of any length, also for a number; None for a blank string and anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        return str(value).strip() or None
    except ValueError:
        # An integer of more digits than Python writes.
        return None


def an_object(value: Any) -> Any:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
