"""Idempotency keys as the contract has them: one answer for one request, however often it is sent.

>>> match begin(table, method="POST", path="/v1/orders", key=key, body=body, now=now):  # doctest: +SKIP
...     case Replay() as first: ...                     # give this answer again
...     case Resume(claim, order_id): ...               # its function died: go on with this order
...     case Fresh(claim): ...                          # do it, the claim in the order's own transaction

Then `finish(claim, answer)`, which keeps the answer or lets go of the key, as the contract says.
"""

import hashlib
import json
import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parcelgate.domain.clock import now as current_time
from parcelgate.domain.problems import RETRY_SECONDS, FieldError, ProblemError
from parcelgate.store import keys
from parcelgate.store.errors import ClaimTakenError
from parcelgate.store.idempotency import Answer, Claim

if TYPE_CHECKING:
    from parcelgate.store.table import TenantTable

LEASE = timedelta(minutes=2)
"""Must be longer than any function that answers a POST: the holder of a lapsed lease counts as dead."""
LONGEST_KEY = 255

__all__ = ["Answer", "Claim", "Fresh", "Replay", "Resume", "begin", "finish", "hash_of"]

_LOOKS = 4


class Replay(NamedTuple):
    """The first answer, to be given again with `Idempotent-Replayed: true`."""

    status: int
    headers: dict[str, str]
    body: str


class Resume(NamedTuple):
    """The first request died after it had stored its order: go on with that order, under this claim."""

    claim: Claim
    order_id: str


class Fresh(NamedTuple):
    """The first request with this key. A create gives `claim` to `Orders.add`; others call `claim.hold()`."""

    claim: Claim


def check_key(key: str) -> None:
    """Check the form of an idempotency key. Raises ProblemError (`validation_failed`)."""
    if not 1 <= len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
        message = f"Idempotency-Key is 1 to {LONGEST_KEY} printable ASCII characters."
        errors = (FieldError("", "invalid_idempotency_key", message),)
        raise ProblemError("validation_failed", message, errors=errors)


def begin(
    table: "TenantTable",
    *,
    method: str,
    path: str,
    key: str,
    body: bytes | str,
    now: datetime,
    lease: timedelta = LEASE,
) -> Replay | Resume | Fresh:
    """How a request with an idempotency key is to be treated.

    `Orders.add` or `claim.hold()` may still raise ClaimTakenError, when the same request came twice at the
    same moment. Call `begin` again then: it says how the other request stands.

    Raises ProblemError: `validation_failed` for a malformed key, `idempotency_key_reused`, or
    `idempotency_in_progress` with the seconds to wait.
    """
    check_key(key)
    key_hash = keys.digest(method.upper(), path, key)
    body_hash = hash_of(body)
    for _ in range(_LOOKS):
        standing = table.claims.find(key_hash, now)
        if standing is None:
            return Fresh(table.claims.fresh(key_hash, body_hash, now=now, lease=lease))
        claim, answer = standing
        if claim.body_hash != body_hash:
            raise ProblemError(
                "idempotency_key_reused", "This Idempotency-Key was used with another body on this path."
            )
        if answer is not None:
            return Replay(answer.status, answer.headers, answer.body)
        left = (claim.lease_until - now).total_seconds()
        if left > 0:
            raise _in_progress(left)
        if claim.order_id is None:
            # The first request stored nothing. The next request that holds the claim starts again.
            return Fresh(table.claims.fresh(key_hash, body_hash, now=now, lease=lease))
        try:
            mine = table.claims.take_over(claim, now=now, lease=lease)
        except ClaimTakenError:
            continue
        return Resume(mine, claim.order_id)
    raise _in_progress(RETRY_SECONDS)


def finish(claim: Claim, answer: Answer, *, now: datetime | None = None) -> bool:
    """Keep the answer for 24 hours if the contract says so, else release the key.

    Every 2xx is kept, and a 409 or 422 that was given after an order was stored under the key. Returns
    whether the answer was kept. If it was not, but an order was stored, the same request resumes that order.
    """
    moment = now or current_time()
    keeps = 200 <= answer.status < 300 or (answer.status in (409, 422) and claim.order_id is not None)
    if keeps and claim.keep(answer, moment):
        return True
    claim.drop(moment)
    return False


def hash_of(body: bytes | str) -> str:
    """The hash of a body as JSON: blanks, the order of names and the spelling of numbers do not count.

    No more does a byte order mark. No body is `{}`. What is not JSON is hashed as it stands.
    """
    raw = body.encode(errors="surrogatepass") if isinstance(body, str) else body
    try:
        value = json.loads(raw.decode("utf-8-sig").strip() or "{}", parse_float=_number, parse_int=_number)
        # MessagePack writes the type and the length of each part, so different values never look the same.
        raw = msgspec.msgpack.encode(value, order="sorted")
    except (ValueError, ArithmeticError, RecursionError):
        pass
    return hashlib.sha256(raw).hexdigest()


def _number(literal: str) -> msgspec.msgpack.Ext:
    """A number however it is spelt: `1`, `1.0` and `10e-1` are one."""
    sign, digits, exponent = Decimal(literal).as_tuple()
    all_digits = "".join(map(str, digits))
    significant = all_digits.rstrip("0")
    if not significant:
        return msgspec.msgpack.Ext(0, b"0")
    scale = int(exponent) + len(all_digits) - len(significant)
    return msgspec.msgpack.Ext(0, f"{'-' if sign else ''}{significant.lstrip('0')}e{scale}".encode())


def _in_progress(left: float) -> ProblemError:
    return ProblemError(
        "idempotency_in_progress",
        "The first request with this Idempotency-Key is still running.",
        retry_after=max(1, min(RETRY_SECONDS, math.ceil(left))),
    )
