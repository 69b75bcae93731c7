"""The authorizer: says whose API key it is, and denies nobody.

The gateway answers a denied call with a body of its own, and it caches one answer for all routes. So every
call is let through, with what is known of its key in the context. The functions behind the authorizer check
the scope of each call. Without `tenant` in the context they read nothing.
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
