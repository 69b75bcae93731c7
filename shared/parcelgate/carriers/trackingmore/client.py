"""The bytes to TrackingMore and back: paths, the key, lanes; what the answers mean is elsewhere.

Each call of the document is a method of its name. All of them may be made again without harm: a parcel that
is followed, changed or forgotten twice is so once.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.errors import AuthenticationError, RefusedError, TransientError
from parcelgate.carriers.results import Waybill
from parcelgate.carriers.toolkit.bodies import UnreadableError, encoded
from parcelgate.carriers.toolkit.calls import MIB, Request, Response, Transport
from parcelgate.carriers.trackingmore import answers, codes, wire
from parcelgate.carriers.trackingmore.codes import Kind
from parcelgate.carriers.trackingmore.settings import Call, base_url, read_settings
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
    """One account's calls. Raises AccountError when the account lacks what they need.

    Every call raises AuthenticationError, TooManyRequestsError or TransientError, also for an answer that
    cannot be read; any other answer is given back for its caller to judge.
    """

    def __init__(
        self,
        account: AccountConfig,
        *,
        send: Transport,
        reread: Callable[[], AccountConfig] | None = None,
    ) -> None:
        self._send = send
        self._reread = reread
        self._use(account)

    def _use(self, account: AccountConfig) -> None:
        self._key = account.credential("api_key")
        self._settings = read_settings(account)
        self._base_url = base_url(account, self._settings)

    def post(self, parcel: wire.NewTracking) -> wire.Answer:
        """Follow one parcel."""
        return self._call(Call.POST, parcel.fields())

    def batch(self, parcels: Sequence[wire.NewTracking]) -> wire.Answer:
        """Follow up to 40 parcels."""
        return self._call(Call.BATCH, [parcel.fields() for parcel in parcels])

    def get_one(self, waybill: Waybill) -> wire.Answer:
        """What is known of one parcel."""
        return self._call(Call.GET_ONE, waybill=waybill)

    def get(self, **query: str | int) -> wire.Answer:
        """A page of the parcels that are followed; `numbers` asks for up to 40 of them."""
        return self._call(Call.GET, query=query)

    def put_one(self, waybill: Waybill, changes: wire.Changes) -> wire.Answer:
        """Change what is kept of one parcel."""
        return self._call(Call.PUT_ONE, changes.fields(), waybill=waybill)

    def updatemore(self, parcels: Sequence[wire.ChangedTracking]) -> wire.Answer:
        """Change what is kept of several parcels."""
        return self._call(Call.UPDATEMORE, [parcel.fields() for parcel in parcels])

    def delete_one(self, waybill: Waybill) -> wire.Answer:
        """Forget one parcel."""
        return self._call(Call.DELETE_ONE, waybill=waybill)

    def delete(self, parcels: Sequence[wire.Pair]) -> wire.Answer:
        """Forget several parcels."""
        return self._call(Call.DELETE, [parcel.fields() for parcel in parcels])

    def realtime(self, parcel: wire.Pair) -> wire.Answer:
        """Have the courier asked about one parcel, now."""
        return self._call(Call.REALTIME, parcel.fields())

    def update(self, change: wire.CourierChange) -> wire.Answer:
        """Follow a parcel with another courier."""
        return self._call(Call.UPDATE, change.fields())

    def notupdate(self, parcels: Sequence[wire.Pair]) -> wire.Answer:
        """Ask the couriers about these parcels no more."""
        return self._call(Call.NOTUPDATE, [parcel.fields() for parcel in parcels])

    def getuserinfo(self) -> wire.Answer:
        """What is left of the account's quota."""
        return self._call(Call.GETUSERINFO)

    def getstatusnumber(self) -> wire.Answer:
        """How many parcels stand how."""
        return self._call(Call.GETSTATUSNUMBER)

    def remote(self, areas: Sequence[wire.AreaQuestion]) -> wire.Answer:
        """Which places are remote."""
        return self._call(Call.REMOTE, [area.fields() for area in areas])

    def costtime(self, routes: Sequence[wire.RouteQuestion]) -> wire.Answer:
        """How long parcels take."""
        return self._call(Call.COSTTIME, [route.fields() for route in routes])

    def aircargo(self, waybills: wire.AirWaybills) -> wire.Answer:
        """Where pieces of air cargo are."""
        return self._call(Call.AIRCARGO, waybills.fields())

    def carriers(self, lang: str | None = None) -> wire.Answer:
        """Whose parcels can be followed, named in a language (en, cn, tw, es, ru, it)."""
        return self._call(Call.CARRIERS, headers={"Lang": lang} if lang else {})

    def detect(self, question: wire.NumberQuestion) -> wire.Answer:
        """Whose a number may be."""
        return self._call(Call.DETECT, question.fields())

    def _call(self, call: Call, body: Any = None, **how: Any) -> wire.Answer:
        """Make a call; with another key in the account by now, once more when the key is not accepted."""
        try:
            return self._once(call, body, **how)
        except AuthenticationError:
            if self._reread is None:
                raise
            before = self._key
            self._use(self._reread())
            if self._key == before:
                raise
        return self._once(call, body, **how)

    def _once(
        self,
        call: Call,
        body: Any,
        *,
        waybill: Waybill | None = None,
        query: dict[str, str | int] | None = None,
        headers: dict[str, str] | None = None,
    ) -> wire.Answer:
        path = self._settings.path(call)
        if waybill is not None:
            path = path.replace("{carrier_code}", _segment(waybill.carrier_code, "/carrier_code"))
            path = path.replace("{tracking_number}", _segment(waybill.tracking_number, "/tracking_number"))
        request = Request(
            call=f"trackingmore.{call}",
            method=_METHODS.get(call, "POST"),
            url=f"{self._base_url}{path}" + (f"?{urlencode(query)}" if query else ""),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                self._settings.key_header: self._key,
                **(headers or {}),
            },
            body=None if body is None else encoded(body),
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
    """A part of a path; what would lead elsewhere is refused as TrackingMore itself would."""
    if value.strip(". ") == "":
        error = FieldError(pointer, "refused_by_carrier", "TrackingMore cannot be asked for this.")
        raise RefusedError("TrackingMore cannot be asked for this", errors=[error])
    return quote(value, safe="")
