"""The Idempotency-Key of a request: one answer for it, however often it is sent."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from parcelgate.domain.problems import RETRY_SECONDS, ProblemError
from parcelgate.http.answers import Answer
from parcelgate.http.api import Request
from parcelgate.http.problems import problem_answer
from parcelgate.observability.logs import log
from parcelgate.services.idempotency import Fresh, Replay, Resume, begin, finish
from parcelgate.store.errors import ClaimTakenError, StoreError
from parcelgate.store.idempotency import Answer as KeptAnswer

if TYPE_CHECKING:
    from parcelgate.store.idempotency import Claim
    from parcelgate.store.table import TenantTable

REPLAYED = "idempotent-replayed"

_ATTEMPTS = 4


def create_once(
    request: Request,
    table: "TenantTable",
    now: datetime,
    create: "Callable[[Claim | None], Answer]",
    resume: Callable[[str], Answer],
) -> Answer:
    """Answer a create, once for its idempotency key.

    `create` is given the claim to be stored along with the order (None: the request has no key), and
    `resume` the id of an order that was stored by a request that never gave its answer.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return create(None)
    for _ in range(_ATTEMPTS):
        match begin(table, method=request.method, path=request.path, key=key, body=request.raw_body, now=now):
            case Replay(status, headers, body):
                return Answer(status=status, body=body, headers={**headers, REPLAYED: "true"})
            case Resume(claim, order_id):
                return _finished(request, claim, resume, order_id)
            case Fresh(claim):
                try:
                    return _finished(request, claim, create, claim)
                except ClaimTakenError:
                    continue
    detail = "The first request with this Idempotency-Key is still running."
    raise ProblemError("idempotency_in_progress", detail, retry_after=RETRY_SECONDS)


def do_once(request: Request, table: "TenantTable", now: datetime, work: Callable[[], Answer]) -> Answer:
    """Answer a request that stores no order of its own, once for its idempotency key."""

    def held(claim: "Claim | None") -> Answer:
        if claim is not None:
            claim.hold()
        return work()

    return create_once(request, table, now, held, lambda _: work())


def _finished[T](request: Request, claim: "Claim", work: Callable[[T], Answer], given: T) -> Answer:
    """Do the work, and keep or let go of the answer, as the contract says of its kind."""
    try:
        answer = work(given)
    except ClaimTakenError:
        raise
    except Exception as error:
        answer = problem_answer(error, request.site, request.request_id)
    try:
        finish(claim, KeptAnswer(answer.status, answer.headers, answer.body))
    except StoreError as error:
        # The lease ends by itself, and the same request then resumes what was stored.
        log.warning("the answer could not be kept", extra={"error": type(error).__name__})
    return answer
