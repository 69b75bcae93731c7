"""Reading a request's body: its type, its size and its JSON, before anybody asks what it means."""

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from parcelgate.domain.problems import ProblemError

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
MAX_BYTES = 256 * 1024
MAX_DEPTH = 50
"""No body that means anything here is nested this deep."""
_LARGEST_EXPONENT = 1000
"""Of ten: far beyond what any field takes, and far below what decimal arithmetic overflows at."""


def read_bytes(event: Mapping[str, Any]) -> bytes:
    """Take the body out of an HTTP API event. Raises ProblemError `not_json` when it cannot be read."""
    body = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError):
        raise ProblemError("not_json", "The body cannot be read.") from None


def read_json(
    raw: bytes, content_type: str, *, most: int = MAX_BYTES, types: Collection[str] = (JSON,)
) -> object:
    """Read a body of at most `most` bytes as JSON; no body is `{}`.

    A UTF-8 byte order mark is passed over. Numbers are int or Decimal, never float. Raises ProblemError:
    `unsupported_media_type`, `body_too_large`, or `not_json`, also for what JSON leaves open and nobody can
    mean: NaN, a name twice in one object, half a surrogate pair, thousands of brackets.
    """
    if not raw:
        return {}
    if content_type.partition(";")[0].strip().lower() not in types:
        named = " or ".join(types)
        raise ProblemError("unsupported_media_type", f"Send JSON, with Content-Type: {named}.")
    if len(raw) > most:
        raise ProblemError("body_too_large", f"The body has {len(raw)} bytes; {most} are taken.")
    try:
        value: object = json.loads(
            raw.decode("utf-8-sig"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ProblemError("not_json", f"The body is not JSON: see {place}.") from None
    except UnicodeDecodeError:
        raise ProblemError("not_json", "The body is not UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    _check(value, MAX_DEPTH)
    return value


def _decimal(text: str) -> Decimal:
    """A number as it is written. One beyond all measure is infinite: no arithmetic with it can overflow."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal("Infinity")
    return number if abs(number.adjusted()) < _LARGEST_EXPONENT else Decimal("Infinity")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= 18 else _decimal(text)


def _no_number(name: str) -> NoReturn:
    raise ProblemError("not_json", f"{name} is not a JSON number.")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ProblemError("not_json", "An object has the same name twice.")
    return value


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth == 0:
            raise _too_deep()
        if isinstance(value, dict):
            for name in value:
                _check_text(name)
            value = list(value.values())
        for part in value:
            _check(part, depth - 1)


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ProblemError("not_json", "A text holds half a surrogate pair.")


def _too_deep() -> ProblemError:
    return ProblemError("not_json", f"The body is nested more than {MAX_DEPTH} deep.")
