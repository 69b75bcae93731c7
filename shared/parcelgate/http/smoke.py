"""Events that show whether a function can be loaded, and change nothing."""

from typing import Any

from parcelgate.http.routes import FUNCTIONS, ROUTES, function_of
from parcelgate.observability.logs import SMOKE_TEST

AUTHORIZER = "authorize"
"""The function that every call with an API key passes. It has no logger, so it knows no smoke test."""


def event_for(function: str) -> dict[str, Any]:
    """Return an event that `function` answers without doing anything.

    A request without a key is refused, and so is a webhook with a token that does not exist.

    Parameters
    ----------
    function
        The name of a folder under `functions/`.
    """
    if function == AUTHORIZER:
        return {"headers": {}}
    if function not in FUNCTIONS:
        return dict(SMOKE_TEST)
    key = next(route.key for route in ROUTES.values() if function_of(route.key) == function)
    method = key.partition(" ")[0]
    return {
        "version": "2.0",
        "routeKey": key,
        "headers": {},
        "pathParameters": dict.fromkeys(("carrier", "account", "token", "id", "code", "awb"), "none"),
        "requestContext": {"requestId": "smoke-test", "http": {"method": method}},
        "body": "{}",
        "isBase64Encoded": False,
    }
