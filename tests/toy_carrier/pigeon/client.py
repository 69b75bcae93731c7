"""Moves bytes to the post and back; knows paths and the key, and nothing of orders."""

from urllib.parse import quote

from parcelgate.carriers.accounts import Connection, Login
from parcelgate.carriers.errors import AuthenticationError, TransientError, UnknownOutcomeError
from parcelgate.carriers.toolkit.bodies import encoded
from parcelgate.carriers.toolkit.calls import Request
from tests.toy_carrier.pigeon import wire
from tests.toy_carrier.pigeon.settings import ACCOUNT, METHODS, Call


class Client:
    """The post's calls for one account."""

    def __init__(self, connection: Connection) -> None:
        self.login = Login(ACCOUNT, connection.account, connection.reread)
        self._send = connection.send

    def ask(self, call: Call, *, number: str = "", body: wire.Flight | None = None) -> wire.Answer:
        """A readable answer.

        Raises AuthenticationError, TransientError, and for a create UnknownOutcomeError.
        """
        return self.login.call(lambda: self._once(call, number, body))

    def _once(self, call: Call, number: str, body: wire.Flight | None) -> wire.Answer:
        path = self.login.settings.path(call).replace("{number}", quote(number, safe=""))
        response = self._send.send(
            Request(
                call=f"pigeon.{call}",
                method=METHODS.get(call, "GET"),
                url=self.login.base_url + path,
                headers={"x-pigeon-key": self.login.credentials.key, "content-type": "application/json"},
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
