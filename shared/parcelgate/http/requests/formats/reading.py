"""Read a request: its body as JSON, and the values in bodies and queries.

Each function reads one kind of value. It returns the value in the domain's form, or raises WrongValueError.
Most functions return a value of another JSON type unchanged; the model that checks the body refuses it.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any, NoReturn
from unicodedata import normalize

from parcelgate.domain import currencies
from parcelgate.domain.places import countries
from parcelgate.domain.problems import ProblemError

JSON = "application/json"
CSV = "text/csv"
MERGE_PATCH = "application/merge-patch+json"
MAX_BYTES = 256 * 1024
MAX_DEPTH = 50
"""The deepest nesting that is read. No valid body comes near it."""
_LARGEST_EXPONENT = 1000
"""The largest power of ten. Every field takes far less, and decimal arithmetic overflows far beyond."""
_EXACT = Context(prec=64)
"""Has more digits than any number that is read: with too few of them rounding fails."""
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)
_DASH = re.compile(r"[\u2010-\u2015\u2212]")
_PHONE = re.compile(
    r"(?P<number>[\d+().\-/ ]+?)( ?(ext|extension|x|#)[ .:]*\d{1,8})?", re.ASCII | re.IGNORECASE
)
_ENTITY = re.compile(r"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORMATTING = re.compile(r"[\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
"""Control and formatting characters, without those that join letters (U+200C, U+200D)."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class WrongValueError(ValueError):
    """A value is wrong; `code` is one of the codes that `http.requests.orders` lists."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def is_absent(value: object) -> bool:
    """Whether a field with this value counts as not given."""
    return value is None or value == [] or (isinstance(value, str) and not without_invisible(value).strip())


def pointer(place: Iterable[int | str]) -> str:
    """Write the place of a value in a document as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def at_pointer(document: object, place: str) -> object:
    """Look up the value at a JSON pointer; None if there is none."""
    for part in place.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def read_bytes(event: Mapping[str, Any]) -> bytes:
    """Take the body out of an HTTP API event. Raises ProblemError `not_json` when it cannot be read."""
    body = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError):
        raise ProblemError("not_json", "The body is not text in UTF-8.") from None


def check_media(raw: bytes, content_type: str, *, most: int, types: Collection[str]) -> None:
    """Check the type and the size of a body. Raises `unsupported_media_type` or `body_too_large`."""
    if content_type.partition(";")[0].strip().lower() not in types:
        named = " or ".join(types)
        form = "a CSV table" if CSV in types else "JSON"
        raise ProblemError("unsupported_media_type", f"Send {form}, with Content-Type: {named}.")
    if len(raw) > most:
        raise ProblemError("body_too_large", f"The body has {len(raw)} bytes. The limit is {most}.")


def read_json(
    raw: bytes, content_type: str, *, most: int = MAX_BYTES, types: Collection[str] = (JSON,)
) -> object:
    """Read a body of at most `most` bytes as JSON. An empty body counts as `{}`.

    A UTF-8 byte order mark is skipped. Numbers become int or Decimal, never float. Raises ProblemError:
    `unsupported_media_type`, `body_too_large` or `not_json`. `not_json` also covers NaN, the same name twice
    in one object, half a surrogate pair, and nesting that is too deep.
    """
    if not raw:
        return {}
    check_media(raw, content_type, most=most, types=types)
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
        raise ProblemError("not_json", f"The body is not JSON: the first error is at {place}.") from None
    except UnicodeDecodeError:
        raise ProblemError("not_json", "The body is not text in UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    _check(value, MAX_DEPTH)
    return value


def _decimal(text: str) -> Decimal:
    """Read a number exactly. A huge exponent makes it infinite, so that arithmetic cannot overflow."""
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
        raise ProblemError("not_json", "A text has half a surrogate pair. Send whole characters.")


def _too_deep() -> ProblemError:
    return ProblemError("not_json", f"The body is nested more than {MAX_DEPTH} levels deep.")


def time(value: object) -> datetime:
    """Read an RFC 3339 time with its zone, and return it in UTC."""
    if not isinstance(value, str):
        raise WrongValueError("type", "Must be a text with a time, such as 2026-11-21T09:30:00Z.")
    try:
        moment = datetime.fromisoformat(value.upper()) if _TIME.fullmatch(value) else None
    except ValueError:
        moment = None
    if moment is None:
        raise WrongValueError("format", "Must be an RFC 3339 time with a zone, such as 2026-11-21T09:30:00Z.")
    if not 1970 < moment.year < 2200:
        raise WrongValueError("out_of_range", "Must be between the years 1971 and 2199.")
    return moment.astimezone(UTC)


def day(value: object) -> date:
    """Read a date, or the date of a time."""
    if not isinstance(value, str):
        raise WrongValueError("type", "Must be a text with a date, such as 2026-11-21.")
    if len(value) > len("2026-11-21"):
        return time(value).date()
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise WrongValueError("format", "Must be a date, such as 2026-11-21.") from None


def number(value: object, *, below: int, places: int, positive: bool = True) -> Decimal:
    """Read a JSON number, or a text with one. More decimals than `places` are rounded half up.

    They are not refused, because sums of floats in a shop's software have such decimals.
    """
    if isinstance(value, str):
        text = value.strip()
        if not _DECIMAL.fullmatch(text):
            example = text.replace(",", ".")
            example = example if _DECIMAL.fullmatch(example) else "12.34"
            raise WrongValueError("format", f"Must be a decimal number, such as {example}.")
        value = Decimal(text)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise WrongValueError("type", "Must be a number.")
    amount = Decimal(value)
    least = "greater than 0" if positive else "0 or more"
    if not amount.is_finite() or amount < 0 or amount >= below or (positive and amount == 0):
        raise WrongValueError("out_of_range", f"Must be {least}, and less than {below:,}.")
    if decimals_of(amount) > places:
        amount = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)
        if positive and amount == 0:
            raise WrongValueError("out_of_range", f"Must be {least} when rounded to {places} decimals.")
    return Decimal(format(amount.copy_abs(), "f"))


def decimals_of(amount: Decimal) -> int:
    """Count the digits after the decimal point of a finite number."""
    return max(0, -amount.as_tuple().exponent)  # type: ignore[operator] # it is finite


def whole(value: object) -> object:
    """Read 2.0 as 2, because JSON makes no difference between them."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**15 and value == int(value):
        return int(value)
    return value


def line(value: object) -> object:
    """Read a text of one line. Blanks around it are dropped; line breaks and tabs in it become blanks."""
    return " ".join(_visible(value).split()) if isinstance(value, str) else value


def lines(value: object) -> object:
    """Read a text that may have several lines. Blanks around it are dropped."""
    return _visible(value).strip() if isinstance(value, str) else value


def compatible(value: object) -> object:
    """Read a line in Unicode's compatibility form, so that full-width characters become ordinary ones."""
    return line(normalize("NFKC", value)) if isinstance(value, str) else value


def upper(value: object) -> object:
    """Read a line in compatibility form and in capital letters."""
    text = compatible(value)
    return text.upper() if isinstance(text, str) else text


def lower(value: object) -> object:
    """Read a line in compatibility form and in small letters, such as a carrier's or a courier's code."""
    text = compatible(value)
    return text.lower() if isinstance(text, str) else text


def reference(value: object) -> object:
    """Read a client's reference, which is not corrected."""
    if isinstance(value, str):
        if value != value.strip():
            raise WrongValueError("format", "Must not begin or end with a blank.")
        _refuse_controls(value)
    return value


def own_text(value: object) -> object:
    """Read a text that the carrier never gets; it is not corrected."""
    if isinstance(value, str):
        _refuse_lost_letters(value)
    return value


def tracking_number(value: object) -> object:
    """Read a tracking number, in capitals, and without the blanks that people copy with it."""
    if not isinstance(value, str):
        return value
    text = _FORMATTING.sub("", "".join(normalize("NFKC", value).split())).upper()
    _refuse_controls(text)
    return text


def phone(value: object) -> object:
    """Read a telephone number, which may have an extension."""
    text = compatible(_DASH.sub("-", value)) if isinstance(value, str) else value
    if isinstance(text, str) and text:
        match = _PHONE.fullmatch(text)
        if match is None or not 5 <= sum(map(str.isdigit, match["number"])) <= 20:
            message = (
                "Must have 5 to 20 digits; + ( ) . - / and blanks are allowed. "
                "An example is +1 512 555 0142 ext. 12."
            )
            raise WrongValueError("format", message)
    return text


def hs_code(value: object) -> object:
    """Read a code of the Harmonized System. One with fewer than 6 digits is accepted too."""
    text = compatible(value)
    if isinstance(text, str) and text and not re.fullmatch(r"\d([. ]*\d){0,13}", text, re.ASCII):
        raise WrongValueError("format", "Must be 6 to 14 digits; dots and blanks may stand between them.")
    return text


def web_address(value: object) -> object:
    """Read the address of a page."""
    text = line(value)
    if isinstance(text, str) and not text.startswith(("https://", "http://")):
        raise WrongValueError("format", "Must begin with https:// or http://.")
    return text


def country(value: object) -> object:
    """Read the two letters of a country, in any case."""
    code = upper(value)
    if isinstance(code, str) and code and not countries.is_country(code):
        likely = countries.country_code(code)
        hint = f". Do you mean {likely}?" if likely else ", such as US."
        raise WrongValueError("format", f"Must be the two letters of a country (ISO 3166-1){hint}")
    return code


def origin(value: object) -> object:
    """Read a country of origin. Two or three letters are the country's code, a longer text is its name."""
    text = compatible(value)
    is_code = isinstance(text, str) and (len(text) <= 2 or (len(text) == 3 and countries.country_code(text)))
    return country(text) if is_code else text


def currency(value: object) -> object:
    """Read a currency's code, in any case."""
    code = upper(value)
    if isinstance(code, str) and code and currencies.decimals(code) is None:
        likely = currencies.LIKELY.get(code)
        hint = f". Do you mean {likely}?" if likely else ", such as USD."
        raise WrongValueError("unknown_value", f"Must be the code of a currency in use (ISO 4217){hint}")
    return code


def without_entities(text: str) -> str:
    """Replace HTML entities by their characters. A shop's software may have made them of an apostrophe.

    >>> without_entities("O&amp;#39;Connell &copy Sons")
    "O'Connell &copy Sons"
    """
    if not _ENTITY.search(text):
        return text
    from html import unescape

    for _ in range(2):  # an entity may have been encoded twice
        text = _ENTITY.sub(lambda entity: unescape(entity[0]), text)
    return text


def without_invisible(text: str) -> str:
    """Replace each invisible character, line breaks and tabs excepted, by a blank."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub(" ", text)


def _visible(text: str) -> str:
    _refuse_lost_letters(text)
    return without_invisible(text)


def _refuse_lost_letters(text: str) -> None:
    if "\ufffd" in text:
        message = "Must not have U+FFFD: a letter was lost before the text came here. Send the text as UTF-8."
        raise WrongValueError("characters", message)


def _refuse_controls(text: str) -> None:
    _refuse_lost_letters(text)
    if _CONTROL.search(text):
        raise WrongValueError("format", "Must be one line without control characters.")
