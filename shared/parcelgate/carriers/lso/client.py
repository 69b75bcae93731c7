"""Send calls to the platform and read its replies. This module knows paths, not orders."""

from collections.abc import Mapping
from typing import Any

from parcelgate.carriers.accounts import Connection, Login
from parcelgate.carriers.lso import wire
from parcelgate.carriers.lso.settings import ACCOUNT, Call
from parcelgate.carriers.toolkit.bodies import encoded, renamed
from parcelgate.carriers.toolkit.calls import MIB, Request

_LABEL_ANSWER_BYTES = 24 * MIB
_ANSWER_BYTES = 2 * MIB
COMMIT_SECONDS = 10.0
"""A commit is not begun with fewer seconds left. If its answer is lost, a person must look at the order."""


class Client:
    """The platform's calls for one account.

    Documented: every call is a POST of JSON, and the answer's body says whether it succeeded. Assumed: the
    HTTP status adds nothing to a readable body.
    """

    def __init__(self, connection: Connection) -> None:
        self.login = Login(ACCOUNT, connection.account, connection.reread)
        self.send = connection.send

    def ask(self, call: Call, body: Mapping[str, Any], *, safe: bool) -> wire.Answer | None:
        """The platform's answer; None when it cannot be read. Raises what the transport raises."""
        ours_to_theirs = self.login.settings.fields.get(call, {})
        request = Request(
            call=f"lso.{call}",
            method="POST",
            url=self.login.base_url + self.login.settings.path(call),
            headers={"content-type": "application/json", "accept": "application/json"},
            body=encoded(renamed(body, ours_to_theirs)),
            safe=safe,
            max_bytes=_LABEL_ANSWER_BYTES if call is Call.LABEL else _ANSWER_BYTES,
            least_seconds=COMMIT_SECONDS if call is Call.ORDER_COMMIT else 0.0,
        )
        theirs_to_ours = {theirs: ours for ours, theirs in ours_to_theirs.items()}
        return wire.read(self.send.send(request).body, theirs_to_ours)
