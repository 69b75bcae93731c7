"""Moves bytes to the platform and back; knows paths, and nothing of orders."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from parcelgate.carriers.calls import MIB, Request, Transport
from parcelgate.carriers.lso import wire
from parcelgate.carriers.lso.assumed import Call, Settings

_LABEL_ANSWER_BYTES = 24 * MIB
_ANSWER_BYTES = 2 * MIB
_LABEL_BYTES = 10 * MIB
COMMIT_SECONDS = 10.0
"""A commit is not begun with less time left: its answer, if it is lost, costs a person's time."""


class Client:
    """The platform's calls for one account.

    Documented: every call is a POST of JSON, and the answer's body says how it went. Assumed: the HTTP
    status says nothing that a readable body does not say better.
    """

    def __init__(self, base_url: str, settings: Settings, send: Transport) -> None:
        self._base_url = base_url
        self._settings = settings
        self._send = send

    def ask(self, call: Call, body: Mapping[str, Any], *, safe: bool) -> wire.Answer | None:
        """The platform's answer; None when it cannot be read. Raises what the transport raises."""
        ours_to_theirs = self._settings.fields.get(call, {})
        request = Request(
            call=f"lso.{call}",
            method="POST",
            url=self._base_url + self._settings.path(call),
            headers={"content-type": "application/json", "accept": "application/json"},
            body=wire.encoded(wire.renamed(body, ours_to_theirs)),
            safe=safe,
            max_bytes=_LABEL_ANSWER_BYTES if call is Call.LABEL else _ANSWER_BYTES,
            least_seconds=COMMIT_SECONDS if call is Call.ORDER_COMMIT else 0.0,
        )
        theirs_to_ours = {theirs: ours for ours, theirs in ours_to_theirs.items()}
        return wire.read(self._send.send(request).body, theirs_to_ours)

    def fetch_label(self, url: str) -> bytes | None:
        """The document at a label's own address; None when that address is not one to be trusted.

        Assumed: the account's own host, or one of its `label_hosts`, over https unless the base URL is
        http, without redirects, at most 10 MB. Hosts other than the account's own must be on the public
        internet. Raises what the transport raises.
        """
        try:
            asked, base = urlsplit(url), urlsplit(self._base_url)
            own = _origin(asked.hostname, asked.port, asked.scheme) == _origin(
                base.hostname, base.port, base.scheme
            )
            named = {asked.hostname, f"{asked.hostname}:{asked.port}"} & set(self._settings.label_hosts)
        except ValueError:
            return None
        secure = asked.scheme == "https" or (asked.scheme == "http" and base.scheme == "http")
        if not secure or "@" in asked.netloc or not (own or named):
            return None
        request = Request(
            call="lso.label_file",
            method="GET",
            url=url,
            safe=True,
            max_bytes=_LABEL_BYTES,
            public_only=not own,
        )
        answer = self._send.send(request)
        return answer.body if answer.status == 200 else None


def _origin(host: str | None, port: int | None, scheme: str) -> tuple[str | None, int | None]:
    return host, port or {"http": 80, "https": 443}.get(scheme)
