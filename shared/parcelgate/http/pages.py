"""Pages for people: the documentation and what each problem means. Nothing is loaded from elsewhere."""

import base64
import hashlib
import re
from functools import cache
from html import escape
from importlib.resources import files

from parcelgate.domain.problems import Problem
from parcelgate.http.answers import Answer

EXPLANATIONS: dict[str, str] = {
    "not_json": "The body could not be read as JSON in UTF-8. Names must not be repeated within an object, "
    "and NaN and Infinity are no JSON.",
    "invalid_key": "The API key is malformed, unknown or was revoked. Ask whoever runs this service for a "
    "new one.",
    "missing_scope": "The key is good, and was not made for this call. The detail names the scope it lacks.",
    "not_found": "There is nothing of this id for your tenant. What belongs to others is not found either.",
    "label_unavailable": "The carrier confirmed the order and never gave a usable label. The order's "
    "attention says more; ask the carrier, or cancel the order.",
    "not_acceptable": "The label is a document of another type than the Accept header asks for. Ask for "
    "JSON, which names the type and has the links.",
    "reference_in_use": "A living order of the same carrier account has this reference. order_id and the "
    "Location header lead to it. A cancelled or failed order frees its reference.",
    "idempotency_in_progress": "The first request with this Idempotency-Key has not been answered yet. "
    "Send the same request again after the seconds of the Retry-After header.",
    "not_yet_confirmed": "The carrier has been sent the order and has not decided yet. Try again after the "
    "seconds of the Retry-After header.",
    "cannot_cancel": "The order has failed, the carrier does not take it back, or nobody can tell whether "
    "the carrier has it. The detail says which.",
    "cannot_change": "The order has come too far to be changed, or the carrier does not let it be changed. "
    "The first entry of errors says which where the carrier does: already_closed, already_cancelled, "
    "unknown_order or not_permitted. With Retry-After, another change is being made at this moment.",
    "order_not_live": "The order has failed or was cancelled, so there is no label to be used.",
    "body_too_large": "The body has more bytes than are taken: 262144, or 4 MiB for a batch.",
    "unsupported_media_type": "Send the body as application/json.",
    "validation_failed": "Something in the request is wrong or missing. Each entry of errors has a JSON "
    "pointer to the place, a stable code and a sentence. Nothing was stored.",
    "not_supported_by_carrier": "The request asks for something that this carrier does not offer. Each "
    "entry of errors points to it. Nothing was stored.",
    "refused_by_carrier": "The carrier understood the request and said no; its own code and words are "
    "under carrier. Nothing was bought.",
    "price_above_max": "The carrier's price is above options.max_price, so nothing was bought.",
    "idempotency_key_reused": "The Idempotency-Key was used on this path with another body within the last "
    "24 hours. Use a new key for a new request.",
    "too_many_requests": "Slow down, and try again after the seconds of the Retry-After header.",
    "internal": "Something went wrong on our side. Name the request_id when you ask about it. Sending the "
    "same request with the same Idempotency-Key again is safe.",
    "carrier_unavailable": "The carrier cannot be reached, or not sensibly. Try again after the seconds of "
    "the Retry-After header.",
    "outcome_unknown": "The order was sent and its answer was lost, and the carrier cannot tell whether it "
    "has it. A person must find out.",
    "deadline_passed": "The carrier had not finished when the order's time was over. A person must find "
    "out how it stands there.",
    "answer_mismatch": "The carrier's answer does not fit the order, such as another number of boxes. A "
    "person must look at it.",
    "carrier_order_conflict": "The carrier answered with an order number that belongs to another order "
    "here. A person must look at it.",
    "refund_failed": "The carrier has not accepted the refund in time. Claim the money back from the "
    "carrier.",
    "change_unknown": "A change was sent to the carrier and its answer was lost. Send the change again: the "
    "carrier is told the whole order, so telling it twice does no harm.",
    "late_success": "The order has failed here, and the carrier reported later that it has it after all. "
    "Cancel it with the carrier, or ship it.",
    "workflow_ended": "The machinery that looks after the order ended before the order did. A person must "
    "find out how it stands with the carrier.",
}
"""What each code means, and what to do about it."""


@cache
def docs_page() -> Answer:
    """The documentation, which draws itself from `/v1/openapi.json`."""
    return _page(files("parcelgate.http").joinpath("docs.html").read_text("utf-8"))


def problem_page(code: str) -> Answer | None:
    """Explain one code; None for a code that there is not."""
    words = EXPLANATIONS.get(code)
    if words is None:
        return None
    problem = Problem(code=code, detail="")
    return _page(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(code)}</title>'
        "<style>body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;"
        "color-scheme:light dark}code{font-size:.95em}</style>"
        f"<h1>{escape(problem.title)}</h1><p><code>{escape(code)}</code>, HTTP status {problem.status}</p>"
        f'<p>{escape(words)}</p><p><a href="../docs">All calls</a></p>\n'
    )


def _page(html: str) -> Answer:
    """Answer with a page that may run and be styled by nothing but what stands in it."""
    policy = (
        f"default-src 'none'; connect-src 'self'; style-src {_hashes('style', html)}; "
        f"script-src {_hashes('script', html)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "cache-control": "public, max-age=300",
    }
    return Answer(body=html, headers=headers)


def _hashes(element: str, html: str) -> str:
    parts = re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
