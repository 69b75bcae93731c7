"""TrackingMore v2, under `/trackingmore/v2`, and `/trackingmore` too: it follows parcels of any courier.

**Documented** (trackingmore-v2-trackings): the sixteen calls, their header, the fields of a parcel to be
followed, the array that `batch` reads, its two answers, and that `auto_correct` 1 means that the courier is
**not** corrected.

**Public** (the vendor's pages, several clients, answers captured by them): the codes, that the HTTP status
says nothing, 40 parcels in a call, one `get` and three `realtime` in a second and one `realtime` of a parcel
in two hours, the parameters of `get` and its `total` that is text, the fields of an item with `singed_by`,
`trackinfo` that is null where there is none and times without a zone, to the minute or to the second, the
answers of `remote`, `realtime`, `notupdate` and of a single delete, the array of numbers that `aircargo`
reads, statuses and sub-statuses, the couriers, and the webhook's signature, which covers the time alone.

By the public Python client `trackingmore` 0.2 and its own tests: every answer has HTTP status 200, errors
too; `post` answers what it was given and no more; a PUT may come without a body; a pair that is not followed
is 4017, whatever its courier; and an account whose quota is used up is answered 4021 by the single `GET`, the
list, `realtime` and PUT, while `delete` and `detect` go on. A list without a parcel is `items: []`, with code
4031 where the account never followed any.

**Assumed**, as nobody we can reach has written it down: that a PUT takes a whole item as `get` gave it,
the answers of `delete` and `updatemore` to several, of `update`, `costtime` and `aircargo` in detail,
that a courier is corrected at the first look and only when the number is unmistakably another's, that times
are in UTC, that `realtime` answers for parcels that are not followed too, and that a webhook that was not
answered with HTTP 200 is sent again 14 times, after 1, 2, 4... minutes in life.

A login is `{"api_key", "email"}`, and `"quota"` where it is to have an end. Steering words are found in a
parcel's `order_id`, its `title` and its number. A parcel begins its way when it is first followed, or asked
for by `realtime`; it is `pending` for the time of `Settings.processing_seconds`. One that is deleted and
followed again has gone on meanwhile.
"""

import secrets

from sandbox.trackingmore.carrier import TrackingMore
from sandbox.trackingmore.pushes import signature

CARRIER = TrackingMore
DEFAULT_LOGIN = {"api_key": "sandbox-key", "email": "shop@example.com"}

__all__ = ["CARRIER", "DEFAULT_LOGIN", "TrackingMore", "new_login", "signature"]


def new_login() -> dict[str, str]:
    """Invent an account: its key, and the e-mail address with which webhooks are signed."""
    return {"api_key": secrets.token_hex(18), "email": f"{secrets.token_hex(4)}@shop.example"}
