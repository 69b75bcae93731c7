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
    """A body, or a part of one, does not have the form that the carrier documents."""


_ESCAPE = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
"""An escape in a text, as far as it matters here: whole pairs of surrogates, and as a group half of one."""
_encoder = msgspec.json.Encoder(decimal_format="number")


def encoded(body: Any) -> bytes:
    """`body` as JSON, decimals as numbers with the digits they have."""
    return _encoder.encode(body)


def decoded(content: bytes) -> Any:
    """JSON from outside, with its decimals digit by digit. Raises UnreadableError."""
    try:
        return json.loads(_mended(content), parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):
        raise UnreadableError("not JSON") from None


def decoded_as[T](kind: type[T], content: bytes) -> T:
    """JSON from outside in the form of a type that msgspec knows. Raises UnreadableError."""
    try:
        return msgspec.json.decode(_mended(content), type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise UnreadableError(f"not JSON of the form {kind.__name__}") from None


def _mended(content: bytes) -> bytes:
    """JSON in which a replacement character stands for every half of one: in UTF-8, or of a surrogate pair.

    What is right stays as it is, and what is no JSON does not become any. A byte order mark is left out.
    """
    content = content.removeprefix(BOM_UTF8)
    if b"\\ud" in content or b"\\uD" in content:
        content = _ESCAPE.sub(lambda match: match[0] if match[1] is None else rb"\ufffd", content)
    return content.decode(errors="replace").encode()


def _no_number(name: str) -> Any:
    raise ValueError(name)


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """`value` with the keys of its objects, at every level, by their other `names`."""
    if isinstance(value, Mapping):
        return {names.get(key, key): renamed(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [renamed(item, names) for item in value]
    return value


LONGEST_TEXT = 2_000
"""Characters of a text that is kept: an order, with what its carrier says of it, is one item of 400 KB."""


def text(value: Any) -> str | None:
    """A string, also when a number came; None for a blank one and for anything else. A long one is cut."""
    found = whole_text(value)
    return found and found[:LONGEST_TEXT]


def whole_text(value: Any) -> str | None:
    """A string of any length, also when a number came; None for a blank one and for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        return str(value).strip() or None
    except ValueError:
        # An integer of more digits than Python writes.
        return None


def an_object(value: Any) -> Any:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
