"""The addresses for webhooks about an account's parcels, which clients enter in the carrier's portal.

`POST /_sandbox/webhooks` takes, per carrier and account of the accounts file, an address::

    {"trackingmore": {"default": "https://..."}, "lme": {"default": "https://..."}}

``null`` takes an account's address away, and nothing more is pushed about its parcels. Accounts that are not
named keep their address. The answer has all addresses.
"""

from collections.abc import Collection, Mapping
from typing import Any


def read_webhooks(body: Any, accounts: Mapping[str, Collection[str]]) -> dict[str, dict[str, str | None]]:
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
            is_address = isinstance(url, str) and url.startswith(("http://", "https://"))
            if url is not None and not is_address:
                raise ValueError(f"{url!r} is no address")
    return body
