"""Send signed calls to eTower and read its replies. What the replies mean is decided elsewhere.

A signature (public: vendor wiki, "Authentication and Security Features", and eight independent clients) is
HMAC-SHA1 over method, date and full URL, one below the other, with no line feed at the end; the body is not
signed. A date more than 15 minutes off is answered with HTTP 401.
"""

import base64
import hmac
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

from parcelgate.carriers.accounts import Connection, Login
from parcelgate.carriers.errors import AuthenticationError, CarrierError, TransientError, UnknownOutcomeError
from parcelgate.carriers.toolkit.bodies import UnreadableError
from parcelgate.carriers.toolkit.calls import MIB, Request, Response
from parcelgate.carriers.ubi import answers
from parcelgate.carriers.ubi.codes import ErrorClass
from parcelgate.carriers.ubi.settings import ACCOUNT, Call
from parcelgate.carriers.ubi.wire import Envelope, read_envelope

_METHODS = {Call.SERVICE_CATALOG: "GET", Call.DELETE_ORDER: "DELETE"}
_QUESTIONS = frozenset({Call.LABELS, Call.TRACKING_EVENTS, Call.SERVICE_CATALOG, Call.QUERY_ORDERS})
_LONGEST_ANSWER = {Call.LABELS: 48 * MIB}


class Client:
    """One account's calls."""

    def __init__(self, connection: Connection) -> None:
        self.login = Login(ACCOUNT, connection.account, connection.reread)
        self._send = connection.send
        self._clock = connection.clock

    def call(self, call: Call, body: bytes | None = None, *, number: str = "") -> Envelope:
        """Make a call and read the outside of its answer.

        Raises AuthenticationError, TransientError, UnknownOutcomeError.
        """
        return self.login.call(lambda: self._once(call, body, number))

    def _once(self, call: Call, body: bytes | None, number: str) -> Envelope:
        credentials = self.login.credentials
        method = _METHODS.get(call, "POST")
        # The signed URL is exactly the URL that is called.
        url = self.login.base_url + self.login.settings.path(call).replace("{id}", quote(number, safe=""))
        headers = {
            **signed_headers(credentials.token, credentials.secret, method, url, self._clock()),
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
            raise answers.whole(envelope.errors)
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
    """The error of a call that may have been carried out. A call that only reads can be repeated."""
    kind = TransientError if request.safe else UnknownOutcomeError
    return kind(f"{request.call}: {what}")


def http_date(moment: datetime) -> str:
    """Return `moment` in the form of RFC 1123, always in GMT.

    >>> http_date(datetime(2021, 11, 4, 3, 39, 28, tzinfo=UTC))
    'Thu, 04 Nov 2021 03:39:28 GMT'
    """
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def signature(secret: str, method: str, date: str, url: str) -> str:
    """Return the signature of one request in standard Base64; `url` is exactly as it is called."""
    text = f"{method}\n{date}\n{url}"
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


def signed_headers(token: str, secret: str, method: str, url: str, at: datetime) -> dict[str, str]:
    """Return the headers that sign a request made at `at`."""
    date = http_date(at)
    return {
        "Authorization": f"WallTech {token}:{signature(secret, method, date, url)}",
        "X-WallTech-Date": date,
    }
