"""Tokens of recipients' pages: the secret part of the address at which a recipient follows a parcel.

A token is its page's place in the table, sealed under a key of the stack. So no token is stored. Every order
and every parcel has one, also those that are older than the pages. And a page is one read. Sealing is a
synthetic IV (Rogaway and Shrimpton, 2006) over BLAKE2b: the tag of the place also hides the place. So a place
has one token, which says nothing and cannot be made without the key. The standard library does it, because
loading `cryptography` takes longer than the read. The key lies in the table, since whoever can read it there
can read all trackings anyway.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from hashlib import blake2b
from typing import NamedTuple

from parcelgate.domain import ids
from parcelgate.store.calls import ConditionFailedError, Item, Items

_KEY: Item = {"pk": "PAGES", "sk": "KEY"}
_NOTHING: tuple[Item, ...] = ({"pk": "PAGES", "sk": "NOTHING"}, {"pk": "PAGES", "sk": "NOTHING ELSE"})
_TAG = 16
_BLOCK = 16
"""A place is filled up to whole blocks, so that a token does not show how long its tenant's name is."""
_LONGEST = 400
"""No token is longer, in characters."""
_CROCKFORD = str.maketrans(ids.DIGITS, "0123456789abcdefghijklmnopqrstuv")


class Place(NamedTuple):
    """What a page shows: an order with all its parcels, or one parcel.

    If an order has one parcel, both are named, so that both are read at once.
    """

    tenant: str
    order_id: str | None = None
    tracking_id: str | None = None


class PageTokens:
    """The tokens of all recipients' pages."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._known: bytes | None = None

    def token(self, place: Place) -> str | None:
        """Return the token of a page. None until there is a key, and for ids that are none of ours."""
        key, plain = self._key(), _packed(place)
        return None if key is None or plain is None else _sealed(key, plain)

    def first_token(self, place: Place) -> str | None:
        """Return the token of a page, and make the key if there is none yet."""
        self.ready()
        return self.token(place)

    def ready(self) -> None:
        """Make the key if there is none yet."""
        if self._key() is None:
            import secrets

            made = secrets.token_bytes(32)
            with suppress(ConditionFailedError):  # Another one was faster; its key counts.
                self._items.put({**_KEY, "secret": made})
                self._known = made

    def open(self, token: str) -> Place | None:
        """Return the page that a token leads to; None for a token that was not made here."""
        key = self._key()
        if key is None or len(token) > _LONGEST:
            return None
        try:
            data = urlsafe_b64decode(token.encode("ascii") + b"==")
        except (UnicodeEncodeError, binascii.Error):
            return None
        plain = _opened(key, data)
        # Other spellings of the same bytes lead nowhere: a page has one address.
        return _unpacked(plain) if plain is not None and _sealed(key, plain) == token else None

    def read_nothing(self) -> None:
        """Read as much as a page does: so time does not tell a wrong token from one whose page is gone."""
        self._items.get_many(_NOTHING)

    def _key(self) -> bytes | None:
        if self._known is None:
            item = self._items.get(_KEY)
            self._known = None if item is None else item["secret"]
        return self._known


def _sealed(key: bytes, plain: bytes) -> str:
    tag = _tag(key, plain)
    return urlsafe_b64encode(tag + _hidden(key, tag, plain)).rstrip(b"=").decode()


def _opened(key: bytes, data: bytes) -> bytes | None:
    from hmac import compare_digest

    tag, hidden = data[:_TAG], data[_TAG:]
    plain = _hidden(key, tag, hidden)
    return plain if compare_digest(_tag(key, plain), tag) else None


def _tag(key: bytes, plain: bytes) -> bytes:
    return blake2b(plain, key=key, person=b"page tag", digest_size=_TAG).digest()


def _hidden(key: bytes, tag: bytes, text: bytes) -> bytes:
    """Hide `text`, or show what is hidden in it."""
    blocks = -(-len(text) // 64)
    stream = b"".join(
        blake2b(tag + bytes([block]), key=key, person=b"page stream").digest() for block in range(blocks)
    )
    return bytes(one ^ other for one, other in zip(text, stream, strict=False))


def _packed(place: Place) -> bytes | None:
    order = b"" if place.order_id is None else _bytes_of("ord_", place.order_id)
    tracking = b"" if place.tracking_id is None else _bytes_of("trk_", place.tracking_id)
    if order is None or tracking is None:
        return None
    plain = bytes([bool(order) + 2 * bool(tracking)]) + order + tracking + place.tenant.encode()
    return plain + bytes(-len(plain) % _BLOCK)


def _unpacked(plain: bytes) -> Place:
    kind, rest = plain[0], plain[1:]
    order_id = tracking_id = None
    if kind & 1:
        order_id, rest = _id_of("ord_", rest[:16]), rest[16:]
    if kind & 2:
        tracking_id, rest = _id_of("trk_", rest[:16]), rest[16:]
    return Place(rest.rstrip(b"\0").decode(), order_id, tracking_id)


def _bytes_of(prefix: str, name: str) -> bytes | None:
    """Return the sixteen bytes of an id of ours, which is a prefix and a ULID; None for any other text."""
    ulid = name.removeprefix(prefix)
    if len(ulid) != ids.LENGTH or not name.startswith(prefix) or set(ulid) - set(ids.DIGITS):
        return None
    number = int(ulid.translate(_CROCKFORD), 32)
    return number.to_bytes(16) if number < 1 << 128 else None


def _id_of(prefix: str, data: bytes) -> str:
    return prefix + ids.text_of(int.from_bytes(data))
