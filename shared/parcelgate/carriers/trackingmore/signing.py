"""Verifies the signature of TrackingMore's webhooks. Pure, and cheap to import: it runs before the answer.

A webhook carries `verifyInfo {timeStr, signature}`, at its top or inside `data`. The signature is the
lower-case hex HMAC-SHA256 of `timeStr` under the account's e-mail address (public). **The body is not
signed**: anybody who has seen one pair can put it on any body. So a webhook proves nothing of what it says,
and is only a reason to ask. A pair that came before with another body must be refused; the code that
remembers the pairs does so, by `Proof.digest`.

>>> match verify_proof(body, email):
...     case Flaw.MALFORMED: ...         # park it with its reason; answer 200
...     case Flaw.WRONG_SIGNATURE: ...   # answer 401
...     case Proof() as proof: ...       # known with another body: 401; otherwise store it, see `is_fresh`
"""

import hmac
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any, NamedTuple

from parcelgate.carriers.toolkit.bodies import UnreadableError, decoded
from parcelgate.carriers.toolkit.times import read_time


class Proof(NamedTuple):
    """What a webhook offers as proof: the text of its `timeStr`, and the signature of that."""

    time: str
    signature: str

    @property
    def digest(self) -> str:
        """The name under which the pair is remembered."""
        return sha256(f"{self.time}\0{self.signature}".encode("utf-8", "surrogatepass")).hexdigest()


class Flaw(StrEnum):
    """Why a webhook is not accepted, in a few words."""

    MALFORMED = "not a JSON object"
    WRONG_SIGNATURE = "its signature is missing or wrong"


def verify_proof(body: bytes, email: str) -> Proof | Flaw:
    """Return the webhook's proof if it is valid, however old; otherwise return what is wrong.

    A JSON object without a proof, or with half of one, has no valid signature.
    """
    content = _content(body)
    if content is None:
        return Flaw.MALFORMED
    proof = _proof(content)
    return proof if proof is not None and is_signed(proof, email) else Flaw.WRONG_SIGNATURE


def read_proof(body: bytes) -> Proof | None:
    """Return the proof that the webhook carries, valid or not; None when there is none."""
    content = _content(body)
    return None if content is None else _proof(content)


def is_signed(proof: Proof, email: str) -> bool:
    """Return whether the signature is that of the time, under this e-mail address; in constant time."""
    if not email:
        return False
    expected = hmac.new(email.encode(), proof.time.encode("utf-8", "surrogatepass"), sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), proof.signature.encode("utf-8", "surrogatepass"))


def is_fresh(proof: Proof, now: datetime, tolerance: timedelta) -> bool:
    """Return whether the time (seconds or milliseconds since 1970, or a date in UTC) is near to `now`."""
    time = read_time(proof.time)
    if time is None:
        return False
    return abs((time if time.tzinfo else time.replace(tzinfo=UTC)) - now) <= tolerance


def _content(body: bytes) -> dict[str, Any] | None:
    try:
        content = decoded(body)
    except UnreadableError:
        return None
    return content if isinstance(content, dict) else None


def _proof(content: dict[str, Any]) -> Proof | None:
    data = content.get("data")
    for place in (content, data if isinstance(data, dict) else {}):
        info = place.get("verifyInfo")
        if isinstance(info, dict):
            time, signature = _text(info.get("timeStr")), info.get("signature")
            return Proof(time, signature) if time and isinstance(signature, str) and signature else None
    return None


def _text(value: Any) -> str | None:
    """Return a time as it is signed: a text unchanged, a number as its digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    return None
