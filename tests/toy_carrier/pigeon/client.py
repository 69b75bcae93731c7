"""Moves bytes to the post and back; knows paths and the key, and nothing of orders."""

from urllib.parse import quote

from parcelgate.carriers.errors import AuthenticationError, TransientError, UnknownOutcomeError
from parcelgate.carriers.toolkit.bodies import encoded
from parcelgate.carriers.toolkit.calls import Request, Transport
from tests.toy_carrier.pigeon import wire
from tests.toy_carrier.pigeon.settings import METHODS, PATHS, Call, CarrierSettings


class Client:
    """The post's calls for one account."""

    def __init__(self, base_url: str, settings: CarrierSettings, send: Transport) -> None:
        self._base_url = base_url
        self._settings = settings
        self._send = send

    def ask(self, call: Call, key: str, *, number: str = "", body: wire.Flight | None = None) -> wire.Answer:
        """A readable answer.

        Raises AuthenticationError, TransientError, and for a create UnknownOutcomeError.
        """
        path = self._settings.paths.get(call, PATHS[call]).replace("{number}", quote(number, safe=""))
        response = self._send.send(
            Request(
                call=f"pigeon.{call}",
                method=METHODS.get(call, "GET"),
                url=self._base_url + path,
                headers={"x-pigeon-key": key, "content-type": "application/json"},
                body=None if body is None else encoded(body.fields()),
                # The only call that may not be made twice: a second cancel of a flight changes nothing.
                safe=call is not Call.CREATE,
            )
        )
        if response.status == 401:
            raise AuthenticationError(f"{call}: the key is refused")
        answer = None if response.status >= 500 else wire.read(response.body)
        if answer is None:
            trouble = UnknownOutcomeError if call is Call.CREATE else TransientError
            raise trouble(f"{call}: HTTP {response.status}, not readable")
        return answer
