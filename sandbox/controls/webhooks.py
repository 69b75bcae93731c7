"""The addresses for webhooks about an account's parcels, which clients enter in the carrier's portal.

`POST /_sandbox/webhooks` takes, per carrier and account of the accounts file, an address::

    {"trackingmore": {"default": "https://..."}, "lme": {"default": "https://..."}}

Accounts that are not named keep their address. The answer has all addresses.
"""

from collections.abc import Collection, Mapping
from typing import Any


def read_webhooks(body: Any, accounts: Mapping[str, Collection[str]]) -> dict[str, dict[str, str]]:
    """Read the addresses in a request's body, checked against the accounts there are.

    Raises
    ------
    ValueError
        They are not addresses by carrier and account, or one of them names an account that does not exist.
    """
    if not isinstance(body, dict) or not all(isinstance(urls, dict) for urls in body.values()):
        raise ValueError('{"<carrier>": {"<account>": "<address>"}} is wanted')
    for carrier, urls in body.items():
        for account, url in urls.items():
            if account not in accounts.get(carrier, ()):
                raise ValueError(f"no account {account!r} of {carrier!r}")
            if not isinstance(url, str) or not url.startswith(("http://", "https://")):
                raise ValueError(f"{url!r} is no address")
    return body
