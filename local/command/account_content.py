"""Prepares a carrier account for storage: merges it with the stored one and checks it.

Pure. What an account holds is declared once, by each carrier (`ACCOUNT` in its `settings`).
"""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, AccountContent, Login, looks_like, read_content
from parcelgate.carriers.limits import Limits

type Content = dict[str, Any]

_MERGED = ("credentials", "overrides", "limits")
"""Objects whose fields are merged one by one; every other field is replaced as a whole."""


def merged(stored: Content, given: Content) -> Content:
    """Return the stored account with the given fields in it; a field given as null is removed."""
    content = stored | given
    for name in _MERGED:
        before, after = stored.get(name), given.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            content[name] = _without_nulls(before | after)
    return _without_nulls(content)


def _without_nulls(content: Content) -> Content:
    return {name: value for name, value in content.items() if value is not None}


def faults(carrier: str, content: Content, *, allows_http: bool) -> list[str]:
    """Return what is wrong with the content of an account; each text names the field and how it must look."""
    values, wrong = read_content(json.dumps(content), allows_http=allows_http)
    config = AccountConfig(
        **{"credentials": {}, **values}, tenant="any", carrier=carrier, name="any", faults=wrong
    )
    unknown = [*_unknown(carrier, content)]
    # The same error with the field's name: the reader has written the account, so it tells no secret.
    known = [
        fault
        for fault in Login(registry.account_fields(carrier), config).faults
        if "unknown field" not in fault
    ]
    return [*unknown, *dict.fromkeys(known)]


def _unknown(carrier: str, content: Content) -> Iterator[str]:
    for place, kind in _places(carrier).items():
        given = content.get(place) if place else content
        fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
        for name in given if isinstance(given, dict) else ():
            if name not in fields:
                where = f"{place}.{name}" if place else name
                listed = "; ".join(f"{field} ({looks_like(kind)})" for field, kind in fields.items())
                yield f"{where} is not a field of an account of carrier {carrier}. The fields are: {listed}"


def _places(carrier: str) -> Mapping[str, type[msgspec.Struct]]:
    fields = registry.account_fields(carrier)
    return {
        "": AccountContent,
        "credentials": fields.credentials,
        "overrides": fields.settings,
        "limits": Limits,
    }


def changes(carrier: str, before: Content, after: Content) -> list[str]:
    """Return what is added, changed and removed, field by field; the value of a secret is never shown."""
    old, new = _flat(before), _flat(after)
    secrets = {f"credentials.{name}" for name in _secrets(carrier)} | {"webhook_token"}
    lines = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        hidden = name in secrets or (name.startswith("credentials.") and not _is_declared(carrier, name))
        was, now = (
            "(hidden)" if hidden else json.dumps(side.get(name), ensure_ascii=False) for side in (old, new)
        )
        if name not in old:
            lines.append(f"+ {name}: {now}")
        elif name not in new:
            lines.append(f"- {name}: {was}")
        else:
            lines.append(f"~ {name}: {was} -> {now}")
    return lines


def _flat(content: Content) -> Content:
    flat: Content = {}
    for name, value in content.items():
        if name in _MERGED and isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            flat[name] = value
    return flat


def _secrets(carrier: str) -> set[str]:
    fields = msgspec.structs.fields(registry.account_fields(carrier).credentials)
    return {field.name for field in fields if "writeOnly" in json.dumps(msgspec.json.schema(field.type))}


def _is_declared(carrier: str, name: str) -> bool:
    fields = registry.account_fields(carrier).credentials.__struct_fields__
    return name.removeprefix("credentials.") in fields


def fields(carrier: str) -> Iterator[tuple[str, str, str, str]]:
    """Return every field of an account: its name, its form, whether it is required, and what it means."""
    own = registry.account_fields(carrier)
    limits = registry.profile(carrier).limits
    for place, kind in _places(carrier).items():
        meanings = meanings_of(kind)
        for field in msgspec.structs.fields(kind):
            name = f"{place}.{field.name}" if place else field.name
            default = getattr(limits, field.name) if place == "limits" else field.default
            needed = "required" if field.required else f"optional{_default(default)}"
            if name == "base_url":
                needed = f"optional, {own.base_url}" if own.base_url else "required"
            if place == "credentials" and field.name in _secrets(carrier):
                needed += ", secret"
            yield name, looks_like(field.type), needed, meanings.get(field.name, "")


def _default(value: Any) -> str:
    if value in (msgspec.NODEFAULT, None, (), {}):
        return ""
    return f", {msgspec.json.encode(value).decode()}"


def meanings_of(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what each field of a declaration means: the text below it in the source."""
    meanings = {}
    for base in kind.__mro__[::-1]:
        if base.__module__.partition(".")[0] in {"builtins", "msgspec"}:
            continue
        (declaration,) = ast.parse(inspect.getsource(base)).body
        assert isinstance(declaration, ast.ClassDef)  # noqa: S101 - for the type checker
        for field, text in pairwise(declaration.body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(meaning))):
                    meanings[name] = " ".join(meaning.split())
    return meanings
