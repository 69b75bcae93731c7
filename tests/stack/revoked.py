"""A key that is revoked when the tests begin, and goes on being used while other tests run."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx

from local.command.deployment import Deployment
from parcelgate.services.accounts import api_keys
from tests.stack.shop import Shop, until

LONGEST = 60.0
"""Seconds that a revoked key may still work."""
EVERY = 1.0

type LastAnswer = Callable[[], httpx.Response]
"""Waits for the answer that refuses the key, or for one to a call after `LONGEST`."""


@contextmanager
def tried(reader: Shop, deployment: Deployment, key: str) -> Iterator[LastAnswer]:
    """Use the reader's key, revoke it, and go on using it, so that whatever remembers it is asked."""
    assert reader.http.get("/v1/orders").status_code == 200
    api_keys.revoke(deployment.table, "demo", key.split("_")[1])
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(_used, reader).result


def _used(reader: Shop) -> httpx.Response:
    revoked = time.monotonic()

    def ask() -> tuple[float, httpx.Response]:
        return time.monotonic() - revoked, reader.http.get("/v1/orders")

    # However long an answer takes: what is asked after a minute is refused.
    _, last = until(ask, lambda seen: seen[1].status_code != 200 or seen[0] > LONGEST, every=EVERY)
    return last
