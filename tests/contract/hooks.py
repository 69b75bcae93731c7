"""What schemathesis is given besides what it makes up: requests that are accepted, so that sequences go on.

Two of three requests have the body that the document gives as an example, and ids of what there is. An order
has a reference of its own, and an endpoint an address where nobody is disturbed. Each answer is written down.
The tool runs this in its own environment.
"""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import schemathesis

ORDERS: list[dict[str, Any]] = json.loads(Path(os.environ["PARCELGATE_CONTRACT_ORDERS"]).read_text("utf-8"))
"""Bodies of orders that the carriers accept."""
KNOWN: dict[str, list[str]] = json.loads(Path(os.environ["PARCELGATE_CONTRACT_KNOWN"]).read_text("utf-8"))
"""Ids of what there is at the beginning, by the word of a path that they follow."""

ENDPOINT = os.environ["PARCELGATE_CONTRACT_ENDPOINT"]
"""The address of every endpoint that is made."""
CALLS = Path(os.environ["PARCELGATE_CONTRACT_CALLS"])
"""Where answers are written, one line for each."""
_IDS = {"ord_": "orders", "trk_": "trackings"}
"""The ids in the document's examples, by their beginnings."""
_PROBLEM = 1000
"""Bytes that are kept of what an error of the server says."""


def _drawn(value: Any) -> int:
    """A number that follows from what the tool made up, so that a seed repeats a run."""
    return int.from_bytes(sha256(repr(value).encode("utf-8", "surrogatepass")).digest()[:8])


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Put an accepted body in the place of one that was made up, and our address in that of an endpoint's."""
    body = _accepted(context, body)
    if context.operation.path.startswith("/v1/webhook-endpoints") and _is_address(body):
        return body | {"url": ENDPOINT}
    return body


def _is_address(body: Any) -> bool:
    url = body.get("url") if isinstance(body, dict) else None
    try:
        return isinstance(url, str) and urlsplit(url).scheme.lower() in ("http", "https")
    except ValueError:
        return False


def _accepted(context: Any, body: Any) -> Any:
    number = _drawn(body)
    content = context.operation.definition.raw.get("requestBody", {}).get("content", {})
    example = content.get("application/json", {}).get("example")
    if number % 3 == 0 or example is None:
        return body
    if (context.operation.method.upper(), context.operation.path) == ("POST", "/v1/orders"):
        return ORDERS[number % len(ORDERS)] | {"reference": f"made-{number:x}"}
    if context.operation.path == "/v1/orders/batch":
        return {"orders": [order | {"reference": f"made-{number:x}-{order['carrier']}"} for order in ORDERS]}
    return _of_ours(example, number)


def _of_ours(example: Any, number: int) -> Any:
    """An example with ids of what there is in the places of its own."""
    if isinstance(example, dict):
        return {name: _of_ours(value, number) for name, value in example.items()}
    if isinstance(example, list):
        return [_of_ours(value, number + place) for place, value in enumerate(example)]
    ids = next((KNOWN[word] for start, word in _IDS.items() if str(example).startswith(start)), [])
    return ids[number % len(ids)] if ids else example


@schemathesis.hook
def map_path_parameters(context: Any, parameters: Any) -> Any:
    """Put an id of what there is in the place of one that was made up."""
    words = context.operation.path.split("/")
    number = _drawn(parameters)
    if number % 3 == 0 or not parameters:
        return parameters
    known = {
        name: KNOWN.get(words[words.index(f"{{{name}}}") - 1])
        for name in parameters
        if f"{{{name}}}" in words
    }
    return parameters | {name: ids[number % len(ids)] for name, ids in known.items() if ids}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Write the answer down, and of an error of the server what it says."""
    operation = f"{case.operation.method.upper()} {case.operation.path}"
    problem = response.content[:_PROBLEM].decode(errors="replace") if response.status_code >= 500 else ""
    with CALLS.open("a", encoding="utf-8") as file:
        file.write(json.dumps([operation, response.status_code, response.elapsed, problem]) + "\n")
