"""JSON as carriers write it: decimals digit by digit, and an account's other names for fields."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec


class UnreadableError(ValueError):
    """A body, or a part of one, that is not what the carrier sends."""


_encoder = msgspec.json.Encoder(decimal_format="number")


def encoded(body: Any) -> bytes:
    """`body` as JSON, decimals as numbers with the digits they have."""
    return _encoder.encode(body)


def decoded(content: bytes) -> Any:
    """JSON with its decimals digit by digit. Raises UnreadableError."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None


def _no_number(name: str) -> Any:
    raise ValueError(name)


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """`value` with the keys of its objects, at every level, by their other `names`."""
    if isinstance(value, Mapping):
        return {names.get(key, key): renamed(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [renamed(item, names) for item in value]
    return value
