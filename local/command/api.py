"""Calls the API of a stack, as any client does."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from local.command.rendering import FAILED, NO_ANSWER, NO_RIGHT, NOT_FOUND

_PAGE = 100
"""The largest page that the API gives."""
_LONGEST_WAIT = 30.0
MOST_BYTES = 256 * 2**20
"""The largest document that is fetched; a document of 300 labels is far below it."""


class ApiError(Exception):
    """A call did not succeed; the text says why, and `exit_code` is what the command ends with."""

    exit_code = FAILED


class NoAnswerError(ApiError):
    """The API does not answer, or not as itself."""

    exit_code = NO_ANSWER


class RefusedError(ApiError):
    """The API refuses the call. `status` is that of the answer, `problem` its body; `{}` if it is no JSON."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.problem = _object(answer)
        self.exit_code = {401: NO_RIGHT, 403: NO_RIGHT, 404: NOT_FOUND}.get(self.status, FAILED)
        super().__init__("\n".join(_refusals(answer, self.problem)))

    @property
    def code(self) -> str | None:
        """The problem's code."""
        return self.problem.get("code")


def part(name: str) -> str:
    """Return a name as one part of a path. No name leads to another call than its own."""
    return quote(name, safe="") if name.strip(".") else "-"


class Api:
    """The API of one stack, called with one key.

    Every call that changes something has an idempotency key, so a call that met a passing failure is made
    again and still does its work once.

    Parameters
    ----------
    url, key
        The API's address, without `/v1`, and a key.
    tries
        How often a call is made that meets a passing failure.
    patient
        Whether a conflict, and a server that is not there, count as passing failures, too.
    transport, sleep
        For tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        tries: int = 3,
        patient: bool = False,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.sleep = sleep
        self._tries = tries
        self._patient = patient
        trusted = httpx.create_ssl_context()  # Reading whom to trust takes longer than a call.
        authorized = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(headers=authorized, timeout=60, transport=transport, verify=trusted)
        self._files = httpx.Client(timeout=60, transport=transport, verify=trusted, follow_redirects=True)

    def get(self, path: str, **query: str | int | None) -> Any:
        """Return the body of an answer to GET. Parameters that are None are left out. Raises ApiError."""
        return self._body(self.call("GET", path, query=query))

    def post(self, path: str, body: object = None, *, key: str | None = None) -> Any:
        """Return the body of an answer to POST. Raises ApiError."""
        return self._body(self.call("POST", path, body=body, key=key))

    def pages(self, path: str, *, limit: int | None = None, **query: str | None) -> Iterator[Any]:
        """Return the entries of a list, page after page; with a limit, at most so many. Raises ApiError."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self.get(path, limit=size, cursor=cursor, **query)
            yield from page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                return
            left = None if left is None else left - len(page["data"])

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: object = None,
        content: bytes | None = None,
        media: str | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """Return a successful answer.

        Raises NoAnswerError, and RefusedError for an answer that says no.
        """
        headers = {}
        if method in ("POST", "PATCH"):
            headers["Idempotency-Key"] = key or uuid4().hex
        if media is not None:
            headers["Content-Type"] = media
        request = self._http.build_request(
            method,
            self.absolute(path),
            params={name: value for name, value in (query or {}).items() if value is not None},
            json=body,
            content=content,
            headers=headers,
        )
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            try:
                answer = self._http.send(request)
            except httpx.TransportError as error:
                # Who refuses the connection is not there; it does not help to ask at once again.
                if last or (isinstance(error, httpx.ConnectError) and not self._patient):
                    raise NoAnswerError(f"{self.url} does not answer ({type(error).__name__}).") from None
                self.sleep(_wait(attempt))
                continue
            if answer.is_success:
                return answer
            if last or not (_passes(answer) or (self._patient and answer.status_code == 409)):
                raise _error(answer, self.url)
            self.sleep(_wait(attempt, answer))
        raise AssertionError

    def _body(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except (ValueError, RecursionError):
            raise NoAnswerError(f"{self.url} is not the address of a Parcelgate API.") from None

    def download(self, link: str) -> bytes:
        """Return the document behind a link that opens without a key. Raises NoAnswerError."""
        content = bytearray()
        try:
            with self._files.stream("GET", self.absolute(link)) as answer:
                answer.raise_for_status()
                for piece in answer.iter_bytes():
                    content += piece
                    if len(content) > MOST_BYTES:
                        raise NoAnswerError(
                            f"The document is larger than {MOST_BYTES // 2**20} MiB, which no label is."
                        )
        except httpx.HTTPError as error:
            raise NoAnswerError(f"The document cannot be fetched ({type(error).__name__}).") from None
        return bytes(content)

    def absolute(self, link: str) -> str:
        """Return a link of an answer with this API's address before it, its path included."""
        return f"{self.url}{link}" if link.startswith("/") else link


def _passes(answer: httpx.Response) -> bool:
    """Whether the same call may succeed in a moment."""
    return (
        answer.status_code in (429, 500, 502, 503, 504)
        or _object(answer).get("code") == "idempotency_in_progress"
    )


def _wait(attempt: int, answer: httpx.Response | None = None) -> float:
    told = answer.headers.get("retry-after", "") if answer is not None else ""
    return min(float(told) if told.isascii() and told.isdigit() else 2.0**attempt, _LONGEST_WAIT)


def _error(answer: httpx.Response, url: str) -> ApiError:
    if answer.status_code < 500 and answer.status_code != 429 and not answer.is_redirect:
        return RefusedError(answer)
    problem = _object(answer)
    words = problem.get("detail") or problem.get("message") or answer.reason_phrase
    return NoAnswerError(f"{url} cannot answer now: {answer.status_code} {words}")


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _refusals(answer: httpx.Response, problem: Mapping[str, Any]) -> Iterator[str]:
    """Return what the API says against a call: a line for its detail, and one for each error."""
    if not problem:
        yield f"{answer.status_code} {answer.reason_phrase}"
        return
    yield str(problem.get("detail") or problem.get("title") or problem.get("message") or answer.reason_phrase)
    errors = problem.get("errors")
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict) and error.get("message"):
            yield f"{error['pointer']}: {error['message']}" if error.get("pointer") else str(error["message"])
    words = problem.get("carrier")
    if isinstance(words, dict) and words:
        said = " ".join(str(words[name]) for name in ("code", "message") if words.get(name))
        yield f"{words.get('name') or 'The carrier'} said: {said}"
    if request_id := problem.get("request_id"):
        yield f"(request {request_id})"
