"""LME (Fast Horse Express), under `/lme`.

**Public** (the vendor's SDK and pages, several clients): the envelope both ways, the paths of create, query,
cancel, queryRoute and queryRouteV2, their fields, `code` 0 as text or number, metres and kilograms, sides of
at most 2 m, an outOrderNo that is unique per channel. **Documented** (lme-tracing-push-v2): the codes of
events.

**Assumed**, as nobody we can reach has written it down: update, address/validate and queryLabel, every code
but 0 (`wire.Code`), that a wrong signature and a time more than five minutes off are HTTP 401 and everything
else HTTP 200, that a cancelled order's outOrderNo is free again, that a parcel can be cancelled or changed
until it is out for delivery, and what the events of a journey say.

A login is `{"app_key", "client_public", "lme_private", ...}`, keys in Base64 DER; `new_login` makes one.
"""

from sandbox.lme.carrier import Lme
from sandbox.lme.envelope import new_login

__all__ = ["Lme", "new_login"]
