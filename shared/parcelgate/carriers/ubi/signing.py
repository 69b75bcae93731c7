"""How a request to eTower proves who sent it. Pure.

Public (vendor wiki, "Authentication and Security Features", and eight independent clients): HMAC-SHA1
over method, date and full URL, one below the other, with no line feed at the end; the body is not
signed. A date more than 15 minutes off is answered with HTTP 401.
"""

import base64
import hmac
from datetime import UTC, datetime
from email.utils import format_datetime


def http_date(moment: datetime) -> str:
    """`moment` as RFC 1123 wants it, always in GMT.

    >>> http_date(datetime(2021, 11, 4, 3, 39, 28, tzinfo=UTC))
    'Thu, 04 Nov 2021 03:39:28 GMT'
    """
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def signature(secret: str, method: str, date: str, url: str) -> str:
    """The signature of one request in standard Base64; `url` exactly as it is called."""
    text = f"{method}\n{date}\n{url}"
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


def headers(token: str, secret: str, method: str, url: str, at: datetime) -> dict[str, str]:
    """The headers that sign a request made at `at`."""
    date = http_date(at)
    return {
        "Authorization": f"WallTech {token}:{signature(secret, method, date, url)}",
        "X-WallTech-Date": date,
    }
