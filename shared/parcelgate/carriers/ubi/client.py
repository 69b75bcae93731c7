"""The bytes to eTower and back: paths, signatures and status codes; what the answers mean is elsewhere."""

from collections.abc import Callable
from urllib.parse import quote

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.errors import AuthenticationError, CarrierError, TransientError, UnknownOutcomeError
from parcelgate.carriers.toolkit.bodies import UnreadableError
from parcelgate.carriers.toolkit.calls import MIB, Request, Response, Transport
from parcelgate.carriers.ubi import answers, signing
from parcelgate.carriers.ubi.codes import ErrorClass
from parcelgate.carriers.ubi.settings import Call, base_url, read_settings
from parcelgate.carriers.ubi.wire import Envelope, read_envelope
from parcelgate.domain.clock import Clock

_METHODS = {Call.SERVICE_CATALOG: "GET", Call.DELETE_ORDER: "DELETE"}
_QUESTIONS = frozenset({Call.LABELS, Call.TRACKING_EVENTS, Call.SERVICE_CATALOG, Call.QUERY_ORDERS})
_LONGEST_ANSWER = {Call.LABELS: 48 * MIB}


class Client:
    """One account's calls. Raises AccountError when the account lacks what they need."""

    def __init__(
        self,
        account: AccountConfig,
        *,
        send: Transport,
        clock: Clock,
        reread: Callable[[], AccountConfig] | None = None,
    ) -> None:
        self._send = send
        self._clock = clock
        self._reread = reread
        self._use(account)

    def _use(self, account: AccountConfig) -> None:
        self._token, self._secret = account.credential("token"), account.credential("secret")
        self._base_url = base_url(account)
        self._settings = read_settings(account)

    def call(self, call: Call, body: bytes | None = None, *, number: str = "") -> Envelope:
        """Make a call and read the outside of its answer.

        Credentials that are not accepted are read again, and the call is made once more if they are
        others now: a request that was not let in has done nothing. Raises AuthenticationError,
        TransientError, UnknownOutcomeError.
        """
        try:
            return self._once(call, body, number)
        except AuthenticationError:
            if self._reread is None:
                raise
            before = self._token, self._secret
            self._use(self._reread())
            if (self._token, self._secret) == before:
                raise
        return self._once(call, body, number)

    def _once(self, call: Call, body: bytes | None, number: str) -> Envelope:
        method = _METHODS.get(call, "POST")
        # What is signed is what is called, to the letter.
        url = self._base_url + self._settings.path(call).replace("{id}", quote(number, safe=""))
        headers = {
            **signing.headers(self._token, self._secret, method, url, self._clock()),
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        request = Request(
            call=f"ubi.{call}",
            method=method,
            url=url,
            headers=headers,
            body=body,
            safe=call in _QUESTIONS,
            max_bytes=_LONGEST_ANSWER.get(call, 16 * MIB),
        )
        envelope = _read(request, self._send.send(request))
        if any(answers.classify(trouble.code) is ErrorClass.AUTHENTICATION for trouble in envelope.errors):
            raise answers.whole(envelope)
        return envelope


def _read(request: Request, response: Response) -> Envelope:
    # 401 for a bad signature or a clock more than 15 minutes off (public); 403 alike (assumed).
    if response.status in (401, 403):
        raise AuthenticationError(f"{request.call}: HTTP {response.status}")
    if response.status >= 500 or 300 <= response.status < 400:
        raise _passing(request, f"HTTP {response.status}")
    try:
        return read_envelope(response.body)
    except UnreadableError as error:
        raise _passing(request, f"{error}, HTTP {response.status}") from None


def _passing(request: Request, what: str) -> CarrierError:
    """Trouble of which nobody knows whether the call was carried out; a question is just asked again."""
    kind = TransientError if request.safe else UnknownOutcomeError
    return kind(f"{request.call}: {what}")
