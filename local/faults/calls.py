"""What a request is: which operation of which service, made by which function."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from local.faults.messages import Message

_SERVICE = re.compile(rb"Credential=[^/]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request")
_S3_VERBS = {b"GET": "GetObject", b"PUT": "PutObject", b"HEAD": "HeadObject", b"DELETE": "DeleteObject"}
_NUMBERS = re.compile(r"/[^/]*\d[^/]*(?=/|$)")
_ESTABLISHED = "01"
"""Other connections from the same port may be over and not forgotten yet."""
_KEY = re.compile(rb"Credential=([^/]+)/")
_NAME = b"AWS_LAMBDA_FUNCTION_NAME"
_STAGE = "parcelgate-local-"


class Ends(NamedTuple):
    """The ports of a connection: the caller's and the proxy's. Another connection may have one of them."""

    callers: int
    ours: int


@dataclass(frozen=True, slots=True)
class Caller:
    """The process at the other end of a connection, and the function that it runs."""

    pid: int
    function: str


def aws_call(request: Message) -> str:
    """The service and operation of a call to AWS, such as `dynamodb.GetItem`."""
    found = _SERVICE.search(request.headers.get(b"authorization", b""))
    service = found[1].decode() if found else "unsigned"
    if target := request.headers.get(b"x-amz-target"):
        return f"{service}.{target.rpartition(b'.')[2].decode()}"
    method, path = request.start[0], request.start[1].decode()
    if service == "s3":
        return f"s3.{_S3_VERBS.get(method, method.decode())}"
    if path.startswith("/2015-03-31/functions/"):
        return f"{service}.Invoke"
    return f"{service}.{path.partition('?')[0].rpartition('/')[2]}"


def carrier_call(request: Message) -> str:
    """The carrier and path of a call to one, such as `ubi /orders`; numbers in the path are left out."""
    method, path = request.start[0].decode(), request.start[1].decode().partition("?")[0]
    carrier, _, rest = path.removeprefix("/").partition("/")
    return f"{carrier} {method} {_NUMBERS.sub('/*', '/' + rest)}"


def invocation(request: Message) -> bytes | None:
    """What names the invocation of a function that made a call to AWS, as the SDK passes it on."""
    return request.headers.get(b"x-amzn-trace-id")


def attempt_of(request: Message) -> bytes | None:
    """What is the same in each of the SDK's attempts at one call."""
    return request.headers.get(b"amz-sdk-invocation-id")


class Callers:
    """Finds the function at the other end of a connection, among those whose AWS is `endpoint`."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.encode()
        self._known: dict[int, Caller] = {}
        self._by_key: dict[bytes, str] = {}
        """Each function's name by the access key of its role."""

    def function(self, request: Message, ends: Ends) -> str:
        """The name of the function that made a call over this connection; `?` when it is none of ours."""
        signed = _KEY.search(request.headers.get(b"authorization", b""))
        if signed is None:
            caller = self.at(ends)
            return caller.function if caller else "?"
        if signed[1] not in self._by_key:
            self._look_again()
        return self._by_key.setdefault(signed[1], "?")

    def at(self, ends: Ends) -> Caller | None:
        """The function whose process has this connection; None when it is none of ours."""
        inode = _inode(ends)
        if inode is None:
            return None
        if (caller := self._with_open(f"socket:[{inode}]")) is None:
            self._look_again()
            caller = self._with_open(f"socket:[{inode}]")
        return caller

    def _with_open(self, file: str) -> Caller | None:
        for pid in reversed(self._known):
            # A process that has ended may have left its number to a program that is none of ours.
            if file in _open_files(pid) and (caller := self._caller(pid)):
                return caller
        return None

    def _look_again(self) -> None:
        alive = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        self._known = {pid: caller for pid, caller in self._known.items() if pid in alive}
        for pid in sorted(alive - self._known.keys()):
            if caller := self._caller(pid):
                self._known[pid] = caller

    def _caller(self, pid: int) -> Caller | None:
        """The function that a process runs; None when it runs none of ours."""
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            variables = dict(word.split(b"=", 1) for word in words if b"=" in word)
            if variables.get(b"AWS_ENDPOINT_URL") == self._endpoint and _NAME in variables:
                function = variables[_NAME].decode().removeprefix(_STAGE)
                self._by_key[variables[b"AWS_ACCESS_KEY_ID"]] = function
                return Caller(pid, function)
        return None


def _inode(ends: Ends) -> str | None:
    of_these = rf":{ends.callers:04X} [0-9A-F]+:{ends.ours:04X} {_ESTABLISHED} (?:\S+ +){{5}}(\d+)"
    found = re.search(of_these, Path("/proc/net/tcp").read_text())
    return found[1] if found else None


def _open_files(pid: int) -> Iterator[str]:
    """Without pathlib: a call of a carrier's looks at thousands, which took half of the proxy's time."""
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            with contextlib.suppress(OSError):
                yield os.readlink(f"{folder}/{name}")  # noqa: PTH115
