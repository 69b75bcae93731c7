"""Receives Parcelgate's webhooks: checks the signature, and takes each event once.

Needs nothing but Python. With `pip install standardwebhooks` its `Webhook(secret).verify(body, headers)` does
the same as `verify` here.
"""

import base64
import hashlib
import hmac
import json
import time

TOLERANCE = 300
"""Seconds that the sender's clock and this one may be apart."""


def verify(secret, headers, body):
    """The event in a webhook. Raises ValueError if it is not from Parcelgate, or too old.

    `body` is the raw bytes: JSON that was read and written again has another signature. The names of
    `headers` are in lower case.
    """
    sent_at = headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > TOLERANCE:
        raise ValueError("the webhook is too old")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{sent_at}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # While a secret is being rotated there are two signatures: one that fits is enough.
    if not any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split(" ")):
        raise ValueError("the signature is wrong")
    return json.loads(body)


def is_news(event, seen_ids, last_sequence):
    """Whether an event is to be dealt with: not one that came before, and not one that is history.

    `seen_ids` is a set, and `last_sequence` has the highest `sequence` of each subject. Keep both.
    """
    subject = event["data"]["id"]
    if event["id"] in seen_ids:
        return False
    seen_ids.add(event["id"])
    if event["sequence"] < last_sequence.get(subject, 0):
        return False
    last_sequence[subject] = event["sequence"]
    return True
