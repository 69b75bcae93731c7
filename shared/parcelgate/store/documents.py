"""Documents as they are stored: JSON, without what has its default."""

from functools import cache
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(decimal_format="string").encode


def document(thing: msgspec.Struct) -> str:
    """The JSON of a document to be stored, without the fields that have their default.

    Whoever reads it gives them the same value. That is more than half of an order, and a write is billed by
    its size. So the default of a field of a stored type never changes.
    """
    return _encode(_without_defaults(thing)).decode()


def _without_defaults(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        kept = {}
        for name, key, default in _fields(type(value)):
            inner = getattr(value, name)
            if inner != default:
                # Without a call for a text: that is what most fields hold.
                kept[key] = inner if type(inner) is str else _without_defaults(inner)
        return kept
    if isinstance(value, list | tuple):
        return [_without_defaults(each) for each in value]
    return value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, Any], ...]:
    """The fields of a type, each with its key in JSON and its default: `NODEFAULT` where it has none.

    A status is always there: releases before read it alone.
    """
    return tuple(
        (
            field.name,
            field.encode_name,
            msgspec.NODEFAULT
            if field.name == "status"
            else field.default
            if field.default_factory is msgspec.NODEFAULT
            else field.default_factory(),
        )
        for field in msgspec.structs.fields(kind)
    )
