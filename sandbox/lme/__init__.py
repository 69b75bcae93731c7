"""LME (Fast Horse Express), under `/lme`.

**Public** (the vendor's SDK and pages, several clients): the envelope both ways, the paths of create, query,
cancel, return, queryRoute and queryRouteV2, their fields, `code` 0 as text or number, metres and kilograms,
sides of at most 2 m, an outOrderNo that is unique per channel, the fields of a push of the older version,
that pushes are sealed with the client's public key. **Documented** (lme-tracing-push-v2): the codes of events
and their words, the fields of a push, that it is repeated 20 times at a fixed interval until its answer says
code 200.

**Assumed**, as nobody we can reach has written it down: update, address/validate and queryLabel, every code
but 0 (`wire.Code`), that a wrong signature and a time more than five minutes off are HTTP 401 and everything
else HTTP 200, that a cancelled order's outOrderNo is free again, that a parcel can be cancelled or changed
until it is out for delivery, that it can be sent back, once, until it is delivered or with Australia Post,
which codes a journey has (parcels to far parts of Australia go on with Australia Post), that a push is signed
like a request by LME's key, keeps its first time and signature when it is repeated, and that the HTTP status
of its answer is not looked at.

What is pushed goes to the address that `POST /_sandbox/webhooks` has given the account.

A login is `{"app_key", "client_public", "lme_private", ...}`, keys in Base64 DER; `new_login` makes one.
"""

from sandbox.lme.carrier import Lme
from sandbox.lme.envelope import new_login

CARRIER = Lme
DEFAULT_LOGIN = None

__all__ = ["CARRIER", "DEFAULT_LOGIN", "Lme", "new_login"]
