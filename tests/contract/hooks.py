"""What schemathesis is given besides what it makes up: requests that are accepted, so that sequences go on.

Two of three requests have the body that the document gives as an example, and ids of what there is. An order
has a reference of its own. The tool runs this in its own environment.
"""

import json
import os
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import schemathesis

ORDERS: list[dict[str, Any]] = json.loads(Path(os.environ["PARCELGATE_CONTRACT_ORDERS"]).read_text("utf-8"))
"""Bodies of orders that the carriers accept."""
KNOWN: dict[str, list[str]] = json.loads(Path(os.environ["PARCELGATE_CONTRACT_KNOWN"]).read_text("utf-8"))
"""Ids of what there is at the beginning, by the word of a path that they follow."""


def _drawn(value: Any) -> int:
    """A number that follows from what the tool made up, so that a seed repeats a run."""
    return int.from_bytes(sha256(repr(value).encode("utf-8", "surrogatepass")).digest()[:8])


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Put an accepted body in the place of one that was made up."""
    number = _drawn(body)
    content = context.operation.definition.raw.get("requestBody", {}).get("content", {})
    example = content.get("application/json", {}).get("example")
    if number % 3 == 0 or example is None:
        return body
    if (context.operation.method.upper(), context.operation.path) == ("POST", "/v1/orders"):
        return ORDERS[number % len(ORDERS)] | {"reference": f"made-{number:x}"}
    if context.operation.path == "/v1/orders/batch":
        return {"orders": [order | {"reference": f"made-{number:x}-{order['carrier']}"} for order in ORDERS]}
    return deepcopy(example)


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
