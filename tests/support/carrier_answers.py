"""A grammar of what carriers answer: each call's whole answer, as the facts have it, and ways to spoil it.

A whole answer holds every field that is known of it. Spoilt, each field may be absent, null, of another type
or huge; the bytes may be cut off, no text, or no JSON at all; the HTTP status and its headers are anything.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from parcelgate.carriers.errors import TooManyRequestsError
from parcelgate.carriers.toolkit.calls import Request, Response, retry_after

type Json = Any

MOST_CALLS = 40
"""More calls for one question are a loop without an end."""


def deep(levels: int) -> Json:
    """A list in a list in a list."""
    value: Json = 0
    for _ in range(levels):
        value = [value]
    return value


def huge() -> SearchStrategy[Json]:
    """Values that are well formed and much too large."""
    return st.sampled_from(
        [
            "x" * 70_000,
            "9" * 5_000,
            "\U0001f4e6" * 9_000,
            10**400,
            -(10**30),
            1e308,
            [{}] * 3_000,
            {f"k{n}": n for n in range(3_000)},
            deep(300),
        ]
    )


SMALL: SearchStrategy[Json] = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        200,
        0.5,
        -0.0,
        "",
        " ",
        "0",
        "200",
        "-1",
        "12.34",
        "NaN",
        "Infinity",
        "1e400",
        "null",
        "\0",
        "a\nb",
        "\ud83d",
        "\u202e",
        "深圳",
        "2026-02-30 25:61:00",
        "0001-01-01T00:00:00",
        [],
        {},
        [None],
        [[]],
        [{}],
        ["x"],
        {"": None},
        {"code": "1"},
    ]
)
VALUES = SMALL | SMALL | SMALL | st.text(max_size=20) | st.integers() | st.floats() | huge()
ODD_NUMBERS = ("1e400", "-1e999999999", "1E-9999999999999999999", "0." + "1" * 400, "NaN", "-Infinity", "01")
STATUSES = (200,) * 12 + (201, 204, 302, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429, 451)
STATUSES += (500, 501, 502, 503, 504, 520, 599)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"retry-after": "7"},
    {"retry-after": "-7"},
    {"retry-after": "9" * 30},
    {"retry-after": "²"},
    {"retry-after": "Fri, 32 Nov 2026 99:00:00 GMT"},
    {"retry-after": "Fri, 27 Nov 9999 10:00:00 GMT"},
    {"content-type": "text/html; charset=utf-16"},
)
RUBBISH = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"0",
    b"<html><body>502 Bad Gateway</body></html>",
    b"\xff\xfe{\x00}\x00",
    b"\x1f\x8b\x08\x00",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"code": 200, "code": 0}',
)


def places(value: Json, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document but its root."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    paths: list[tuple[Any, ...]] = []
    for key, part in inner:
        paths += [(*here, key), *places(part, (*here, key))]
    return paths


@st.composite
def spoilt(draw: DrawFn, whole: Json) -> bytes:
    """The answer with up to four places spoilt, or none."""
    body = deepcopy(whole)
    marks: dict[str, str] = {}
    for _ in range(draw(st.integers(0, 4))):
        everywhere = places(body)
        if not everywhere:
            break
        *way, last = draw(st.sampled_from(everywhere))
        holder = body
        for part in way:
            holder = holder[part]
        match draw(st.integers(0, 7)):
            case 0:
                del holder[last]
            case 1:
                holder[last] = None
            case 2:
                holder[last] = [deepcopy(holder[last])] * draw(st.integers(1, 3))
            case 3:
                mark = f"mark-{len(marks)}"
                marks[mark] = draw(st.sampled_from(ODD_NUMBERS))
                holder[last] = mark
            case 4 if isinstance(holder, list):
                holder.insert(last, deepcopy(draw(st.sampled_from([holder[last], None, "x", {}]))))
            case 5 if isinstance(holder[last], str | int | float):
                # Still a text or a number, of the other kind.
                holder[last] = (
                    float(len(str(holder[last]))) if isinstance(holder[last], str) else str(holder[last])
                )
            case _:
                holder[last] = deepcopy(draw(VALUES))
    text = json.dumps(body, ensure_ascii=draw(st.booleans()) or _has_halves(body))
    for mark, number in marks.items():
        text = text.replace(json.dumps(mark), number)
    return text.encode(errors="surrogatepass")


def _has_halves(body: Json) -> bool:
    return "\\ud83d" in json.dumps(body)


@st.composite
def bodies(draw: DrawFn, whole: Json) -> bytes:
    """Mostly spoilt answers; now and then bytes that are none."""
    content = draw(spoilt(whole))
    match draw(st.integers(0, 11)):
        case 0:
            return content[: draw(st.integers(0, len(content)))]
        case 1:
            return draw(st.sampled_from(RUBBISH))
        case 2:
            return draw(st.binary(max_size=60))
        case 3:
            at = draw(st.integers(0, len(content)))
            return (
                content[:at]
                + draw(st.sampled_from([b"\xff", b"\xed\xa0\xbd", b"\x00", b"\\", b'"']))
                + content[at:]
            )
        case 4:
            return b"\xef\xbb\xbf" + content
        case _:
            return content


@st.composite
def responses(draw: DrawFn, *wholes: Json) -> list[Response]:
    """One to three answers to one question, which may need several calls; the last one is given again."""
    return [
        Response(
            status=draw(st.sampled_from(STATUSES)),
            headers=draw(st.sampled_from(HEADERS)),
            body=draw(bodies(draw(st.sampled_from(wholes)))),
        )
        for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3])))
    ]


class Answering:
    """A way out that gives these answers, one after the other, whatever it is asked."""

    def __init__(self, answers: list[Response]) -> None:
        self.answers = answers
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        assert len(self.requests) <= MOST_CALLS, "asks without an end"
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if answer.status == 429:
            # As the real way out does.
            wait = retry_after(answer.headers.get("retry-after"))
            raise TooManyRequestsError(f"{request.call}: too many requests", retry_after=wait)
        return answer


class Question(NamedTuple):
    """One question of the port: how it is put, its whole answers, and what it may end in."""

    carrier: str
    ask: Callable[[Any], Any]
    wholes: tuple[Json, ...]
    results: tuple[type, ...]
    errors: tuple[type[Exception], ...]
    changes: bool = False
    """Whether the call buys or changes something."""
