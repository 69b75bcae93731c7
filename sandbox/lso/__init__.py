"""LSO through the Shipping Solution platform, under `/lso`.

**Documented** (lso-order-commit): the path, fields and answer of orderCommit, that it is
asynchronous, the mandatory fee preview, the callback with its bodies and its five attempts, the
codes 200, 1001, 1024 and 1115, that a failed order's money stays held until the refund, the 4x5
label padded to 4x6, several boxes per order split under several master numbers.

**Assumed**, as nobody we can reach has written it down: every other path and body, that answers
come with HTTP status 200, the codes 401 and 404 and those of a refused create (`wire.Code`), the
order of boxes and how many share a master number, prices, the words in `status`, the form of all
numbers, the words of tracking events, and their times, which are in UTC.
"""

import secrets

from sandbox.lso.carrier import Lso

CARRIER = Lso
DEFAULT_LOGIN = {"app_id": "sandbox-app", "app_secret": "sandbox-secret"}

__all__ = ["CARRIER", "DEFAULT_LOGIN", "Lso", "new_login"]


def new_login() -> dict[str, str]:
    """Invent an account of the platform."""
    return {"app_id": f"app_{secrets.token_hex(6)}", "app_secret": secrets.token_hex(24)}
