"""The one way to the hosts of addresses that others give us: labels' links and merchants' endpoints.

A host name is looked up once, every address of it is checked, and the connection goes to an address that was
checked. A name that changes its address between the check and the connection changes nothing.
"""

import socket
from collections.abc import Callable
from threading import Thread

from parcelgate.domain.merchants.public_addresses import is_public

type Resolve = Callable[[str, int], list[str]]
"""Looks up the IP addresses of a host. Raises OSError or UnicodeError."""


class NotPublicError(Exception):
    """The host has an address that is not on the public internet, or none at all."""


class LookupTimeoutError(OSError):
    """The host's name was not found within the time."""


def addresses(host: str, port: int) -> list[str]:
    """Look a host up. Raises OSError or UnicodeError."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in entries]


def public_address(host: str, port: int, resolve: Resolve = addresses) -> str:
    """The address to connect to. Raises NotPublicError, OSError or UnicodeError."""
    found = resolve(host, port)
    # All addresses are checked, because a host name may also resolve to an internal address.
    if not found or not all(map(is_public, found)):
        raise NotPublicError("the host has an address that is not on the public internet")
    return found[0]


def within(seconds: float, resolve: Resolve = addresses) -> Resolve:
    """The same look-up, given up after so many seconds. Raises LookupTimeoutError then.

    The system's look-up knows no time limit of ours, so it is left behind in a thread.
    """

    def bounded(host: str, port: int) -> list[str]:
        answers: list[list[str] | BaseException] = []

        def look() -> None:
            try:
                answers.append(resolve(host, port))
            except Exception as error:
                answers.append(error)

        thread = Thread(target=look, daemon=True)
        thread.start()
        thread.join(seconds)
        if not answers:
            raise LookupTimeoutError("the name was not found in time")
        answer = answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return bounded
