"""The authorizer: says whose API key it is, and decides nothing.

Every key is let through with what is known of it, because the gateway would answer a denied one with a
body of its own, and keeps one answer for all routes. The functions behind it check the scope of each
call. Without `tenant` in the context there is nothing that can be read.
"""

from typing import Any

from parcelgate.runtime import runtime
from parcelgate.services.accounts.api_keys import verify


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's own form
    """Identify the caller from the Authorization header."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    scheme, _, key = str(headers.get("authorization", "")).strip().partition(" ")
    caller = verify(runtime.table, key.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        return {"isAuthorized": True, "context": {"auth": "invalid"}}
    return {
        "isAuthorized": True,
        "context": {
            "auth": "ok",
            "tenant": caller.tenant,
            "key_id": caller.key_id,
            "scopes": " ".join(caller.scopes),
        },
    }
