"""Small things that both bodies and queries are made of: times, pointers, what counts as absent."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class WrongTextError(ValueError):
    """A text is not what it must be; `code` is one of the codes that `http.requests.orders` lists."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def is_absent(value: object) -> bool:
    """Whether a field with this value counts as not given."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def pointer(place: Iterable[int | str]) -> str:
    """Write the place of a value in a document as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def at_pointer(document: object, place: str) -> object:
    """Look up what stands at a JSON pointer; None for nothing."""
    for part in place.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time with its zone, and give it in UTC. Raises WrongTextError."""
    try:
        moment = datetime.fromisoformat(text.upper()) if _TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise WrongTextError("format", "Must be an RFC 3339 time with a zone: 2026-11-21T09:30:00Z.")
    if not 1970 < moment.year < 2200:
        raise WrongTextError("out_of_range", "Must lie between the years 1971 and 2199.")
    return moment.astimezone(UTC)
