"""Moves bytes to the platform and back; knows paths, and nothing of orders."""

from collections.abc import Mapping
from typing import Any

from parcelgate.carriers.lso import wire
from parcelgate.carriers.lso.settings import Call, CarrierSettings
from parcelgate.carriers.toolkit.bodies import encoded, renamed
from parcelgate.carriers.toolkit.calls import MIB, Request, Transport
from parcelgate.carriers.toolkit.label_addresses import fetch_label

_LABEL_ANSWER_BYTES = 24 * MIB
_ANSWER_BYTES = 2 * MIB
COMMIT_SECONDS = 10.0
"""A commit is not begun with less time left: its answer, if it is lost, costs a person's time."""


class Client:
    """The platform's calls for one account.

    Documented: every call is a POST of JSON, and the answer's body says how it went. Assumed: the HTTP
    status says nothing that a readable body does not say better.
    """

    def __init__(self, base_url: str, settings: CarrierSettings, send: Transport) -> None:
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
            body=encoded(renamed(body, ours_to_theirs)),
            safe=safe,
            max_bytes=_LABEL_ANSWER_BYTES if call is Call.LABEL else _ANSWER_BYTES,
            least_seconds=COMMIT_SECONDS if call is Call.ORDER_COMMIT else 0.0,
        )
        theirs_to_ours = {theirs: ours for ours, theirs in ours_to_theirs.items()}
        return wire.read(self._send.send(request).body, theirs_to_ours)

    def fetch_label(self, url: str) -> bytes | None:
        """The document at a label's own address; None when it is not to be trusted or there is none."""
        return fetch_label(
            self._send, "lso.label_file", url, base_url=self._base_url, hosts=self._settings.label_hosts
        )
