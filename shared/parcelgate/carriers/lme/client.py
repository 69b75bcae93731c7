"""Moves bytes to LME and back, sealed; knows paths and keys, and nothing of orders."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from parcelgate.carriers.accounts import AccountConfig, AccountError
from parcelgate.carriers.lme import signing, wire
from parcelgate.carriers.lme.settings import Call, CarrierSettings
from parcelgate.carriers.toolkit.bodies import UnreadableError, decoded, encoded, renamed
from parcelgate.carriers.toolkit.calls import MIB, Request, Transport
from parcelgate.carriers.toolkit.label_addresses import fetch_label
from parcelgate.domain.clock import Clock

_LABEL_ANSWER_BYTES = 24 * MIB
_ANSWER_BYTES = 2 * MIB


class Keys(NamedTuple):
    """An account's credentials: `app_key`, `client_private` and `lme_public` of its secret.

    Keys are RSA of any length, as Base64 DER or PEM.
    """

    app_key: str
    ours: RSAPrivateKey
    theirs: RSAPublicKey

    @classmethod
    def of(cls, account: AccountConfig) -> "Keys":
        """Read them. Raises AccountError, which never quotes them."""
        try:
            ours = signing.private_key(account.credential("client_private"))
        except signing.KeyFormatError as error:
            raise AccountError(f"{account}: credentials: client_private: {error}") from None
        try:
            theirs = signing.public_key(account.credential("lme_public"))
        except signing.KeyFormatError as error:
            raise AccountError(f"{account}: credentials: lme_public: {error}") from None
        return cls(account.credential("app_key"), ours, theirs)

    def __repr__(self) -> str:
        return "Keys(...)"


class Unread(msgspec.Struct, frozen=True):
    """An answer that is none, or that was not sealed for us, and the HTTP status it came with."""

    status: int


class Client:
    """LME's calls for one account. The HTTP status counts only where the body cannot be read (assumed)."""

    def __init__(self, base_url: str, settings: CarrierSettings, send: Transport, clock: Clock) -> None:
        self._base_url = base_url
        self._settings = settings
        self._send = send
        self._clock = clock

    def ask(self, call: Call, fields: Mapping[str, Any], keys: Keys, *, safe: bool) -> wire.Answer | Unread:
        """LME's answer, opened. Raises what the transport raises."""
        ours_to_theirs = self._settings.fields.get(call, {})
        data = signing.seal(encoded(renamed(fields, ours_to_theirs)), keys.theirs)
        timestamp = signing.milliseconds(self._clock())
        request = Request(
            call=f"lme.{call}",
            method="POST",
            url=self._base_url + self._settings.path(call),
            headers=signing.headers(keys.app_key, data, timestamp, keys.ours),
            body=encoded({"data": data}),
            safe=safe,
            max_bytes=_LABEL_ANSWER_BYTES if call is Call.LABEL else _ANSWER_BYTES,
        )
        response = self._send.send(request)
        answer = wire.read_envelope(response.body)
        if answer is None:
            return Unread(response.status)
        if answer.code != "0":
            # Not sealed, and of no use (public: the SDK does not open it either).
            return wire.Answer(answer.code, answer.message)
        try:
            opened = self._opened(answer.data, keys)
        except UnreadableError:
            return Unread(response.status)
        theirs_to_ours = {theirs: ours for ours, theirs in ours_to_theirs.items()}
        return wire.Answer(answer.code, answer.message, renamed(opened, theirs_to_ours))

    @staticmethod
    def _opened(data: Any, keys: Keys) -> Any:
        """`data` of a success: sealed for us, or nothing, or plain as the vendor's pages show it.

        Opening with the wrong key gives noise, which now and then is empty or a digit: neither counts.
        """
        if not isinstance(data, str) or not data.strip():
            return data or None
        opened = decoded(signing.unseal(data, keys.ours))
        if opened is not None and not isinstance(opened, dict | list):
            raise UnreadableError("neither an object nor a list")
        return opened

    def fetch_label(self, url: str) -> bytes | None:
        """The document at a label's own address; None when it is not to be trusted or there is none."""
        return fetch_label(
            self._send, "lme.label_file", url, base_url=self._base_url, hosts=self._settings.label_hosts
        )
