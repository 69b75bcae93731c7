"""Send encrypted calls to LME and read its replies. This module knows paths and keys, not orders."""

from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from parcelgate.carriers.accounts import Login
from parcelgate.carriers.lme import signing, wire
from parcelgate.carriers.lme.settings import Call, CarrierSettings, Credentials
from parcelgate.carriers.toolkit.bodies import UnreadableError, decoded, encoded, renamed
from parcelgate.carriers.toolkit.calls import MIB, Request, Transport
from parcelgate.carriers.toolkit.models import Sent
from parcelgate.domain.clock import Clock

_LABEL_ANSWER_BYTES = 24 * MIB
_ANSWER_BYTES = 2 * MIB


class Unread(msgspec.Struct, frozen=True):
    """A reply that cannot be read or was not encrypted for us, with its HTTP status."""

    status: int


class Client(msgspec.Struct, frozen=True):
    """LME's calls for one account. The HTTP status counts only if the body cannot be read (assumed)."""

    login: Login[Credentials, CarrierSettings]
    send: Transport
    clock: Clock

    def ask(self, call: Call, body: Callable[[str], Sent], *, safe: bool) -> wire.Answer | Unread:
        """Return LME's decrypted answer; `body` is made for an app key.

        Raises AccountError, TransientError.
        """
        login = self.login.credentials
        ours_to_theirs = self.login.settings.fields.get(call, {})
        data = signing.seal(encoded(renamed(body(login.app_key).fields(), ours_to_theirs)), login.theirs)
        timestamp = signing.milliseconds(self.clock())
        request = Request(
            call=f"lme.{call}",
            method="POST",
            url=self.login.base_url + self.login.settings.path(call),
            headers=signing.headers(login.app_key, data, timestamp, login.ours),
            body=encoded({"data": data}),
            safe=safe,
            max_bytes=_LABEL_ANSWER_BYTES if call is Call.LABEL else _ANSWER_BYTES,
        )
        response = self.send.send(request)
        answer = wire.read_envelope(response.body)
        if answer is None:
            return Unread(response.status)
        if answer.code != "0":
            # It is not encrypted, and of no use (public: the SDK does not decrypt it either).
            return wire.Answer(answer.code, answer.message)
        try:
            opened = _opened(answer.data, login.ours)
        except UnreadableError:
            return Unread(response.status)
        theirs_to_ours = {theirs: ours for ours, theirs in ours_to_theirs.items()}
        return wire.Answer(answer.code, answer.message, renamed(opened, theirs_to_ours))


def _opened(data: Any, key: RSAPrivateKey) -> Any:
    """Return `data` of a success. It is encrypted for us, empty, or plain as the vendor's pages show it.

    Decryption with the wrong key gives noise, which is sometimes empty or a digit: neither counts.
    """
    if not isinstance(data, str) or not data.strip():
        return data or None
    opened = decoded(signing.unseal(data, key))
    if opened is not None and not isinstance(opened, dict | list):
        raise UnreadableError("neither an object nor a list")
    return opened
