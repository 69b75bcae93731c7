"""Send calls to TrackingMore and read its replies. What the replies mean is decided elsewhere.

All calls may be made again without harm: following, changing or deleting a parcel twice has the same effect
as once.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from parcelgate.carriers.accounts import Connection, Login
from parcelgate.carriers.errors import RefusedError, TransientError
from parcelgate.carriers.results import Waybill
from parcelgate.carriers.toolkit.bodies import UnreadableError, encoded
from parcelgate.carriers.toolkit.calls import MIB, Request, Response
from parcelgate.carriers.toolkit.models import Sent
from parcelgate.carriers.trackingmore import answers, codes, wire
from parcelgate.carriers.trackingmore.codes import Kind
from parcelgate.carriers.trackingmore.settings import ACCOUNT, Call, prefix
from parcelgate.domain.problems import FieldError

_METHODS = {
    Call.GET_ONE: "GET",
    Call.PUT_ONE: "PUT",
    Call.DELETE_ONE: "DELETE",
    Call.GET: "GET",
    Call.GETUSERINFO: "GET",
    Call.GETSTATUSNUMBER: "GET",
    Call.CARRIERS: "GET",
}
_LANES = {Call.GET: "list", Call.REALTIME: "realtime"}


class Client:
    """One account's calls."""

    def __init__(self, connection: Connection) -> None:
        self.login = Login(ACCOUNT, connection.account, connection.reread)
        self._send = connection.send

    def call(
        self,
        call: Call,
        body: Sent | Sequence[Sent] | None = None,
        *,
        waybill: Waybill | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> wire.Answer:
        """Make a call; `waybill` is the parcel whose own path is called.

        Raises AuthenticationError, TooManyRequestsError or TransientError, also for an answer that cannot be
        read. Any other answer is returned, and the caller decides what it means.
        """
        return self.login.call(lambda: self._once(call, body, waybill, query or {}, headers or {}))

    def _once(
        self,
        call: Call,
        body: Sent | Sequence[Sent] | None,
        waybill: Waybill | None,
        query: Mapping[str, str | int],
        headers: Mapping[str, str],
    ) -> wire.Answer:
        path = self.login.settings.path(call)
        for name, value in waybill._asdict().items() if waybill else ():
            path = path.replace(f"{{{name}}}", _segment(value, f"/{name}"))
        content = [part.fields() for part in body] if isinstance(body, Sequence) else body and body.fields()
        request = Request(
            call=f"trackingmore.{call}",
            method=_METHODS.get(call, "POST"),
            url=f"{prefix(self.login)}{path}" + (f"?{urlencode(query)}" if query else ""),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                self.login.settings.key_header: self.login.credentials.api_key,
                **headers,
            },
            body=None if body is None else encoded(content),
            safe=True,
            max_bytes=16 * MIB,
            lane=_LANES.get(call),
            verdict=verdict,
        )
        response = self._send.send(request)
        try:
            answer = wire.read_answer(response.body)
        except UnreadableError as error:
            raise TransientError(f"{request.call}: {error}, HTTP {response.status}") from None
        if codes.kind(answer.code) in {Kind.AUTHENTICATION, Kind.TOO_MANY, Kind.TRANSIENT}:
            raise answers.error(answer.code, answer.message)
        return answer


def verdict(response: Response) -> int:
    """The status that counts: `meta.code`, since HTTP's own means nothing in v2 (public)."""
    code = wire.read_code(response.body)
    if code is None or not code.isascii() or not code.isdecimal() or len(code) > 6:
        return response.status
    return int(code)


def _segment(value: str, pointer: str) -> str:
    """Return a part of a path.

    A value that would change the path is refused, as TrackingMore itself would.
    """
    if value.strip(". ") == "":
        error = FieldError(pointer, "refused_by_carrier", "TrackingMore does not accept this value.")
        raise RefusedError("TrackingMore does not accept a value of the request", errors=[error])
    return quote(value, safe="")
