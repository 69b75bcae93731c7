"""What a recipient is shown: made of what is known of the parcels, and less than that.

An event is shown in our own words. The carrier's own text may name who signed or where the door is, and so
may the place of an event; so a place with numbers, or with a name that stands in the tracking, is left out.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date

import msgspec

from parcelgate.carriers import registry
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.trackings import (
    SILENCE_CODE,
    Tracking,
    TrackingEvent,
    TrackingStatus,
    furthest_behind,
    seen_by_recipient,
)
from parcelgate.http.answers import copied
from parcelgate.http.recipient.words import Words
from parcelgate.http.resources.tracking_pages import (
    PageEvent,
    PageNextCarrier,
    PageParcel,
    PagePlace,
    RecipientPageResource,
)
from parcelgate.store.tenants.recipient_pages import PageContent

_NOT_IN_PLACES = re.compile(r"[\d@:/\\<>]")
_LONGEST_PLACE = 80
_NOT_IN_ESTIMATES = re.compile(r"@|//|(?:\d[ ().-]?){9}")
"""An address, or as many figures in a row as a telephone number has."""
_LONGEST_ESTIMATE = 60
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")
"""A letter of a script without spaces, such as Chinese: a name is short, and stands amid other words."""
_SHORT = 3
"""A part of a courier's code that is no longer is an abbreviation, and so is one without a, e, i and o."""


def page_of(content: PageContent, words: Words) -> RecipientPageResource:
    """Make what is shown of a page's content."""
    parcels = tuple(_parcel(seen_by_recipient(tracking), words) for tracking in content.trackings)
    status, sub_status = TrackingStatus.PENDING, None
    if content.order is not None and content.order.status is OrderStatus.CANCELLED:
        status = TrackingStatus.CANCELLED
    if parcels:
        status = furthest_behind(parcel.status for parcel in parcels)
        sub_status = next(parcel.sub_status for parcel in parcels if parcel.status is status)
    return RecipientPageResource(
        language=words.code,
        brand=content.settings.brand,
        status=status,
        words=words.of(status, sub_status),
        parcels=parcels,
    )


def _parcel(tracking: Tracking, words: Words) -> PageParcel:
    if tracking.erased_at is not None:
        # Of an erased recipient's parcel only the status is shown.
        tracking = msgspec.structs.replace(tracking, events=(), next_carrier=None)
    private = _private(tracking)
    following = tracking.next_carrier
    known = [(event, event.status) for event in tracking.events if event.status is not None]
    return PageParcel(
        tracking_number=tracking.tracking_number,
        carrier=carrier_name(tracking.carrier_code or tracking.carrier),
        next_carrier=None
        if following is None
        else PageNextCarrier(
            carrier=carrier_name(following.carrier_code), tracking_number=following.tracking_number
        ),
        status=tracking.status,
        sub_status=tracking.sub_status,
        words=words.of(tracking.status, tracking.sub_status),
        estimated_delivery=_estimate(tracking, words, private),
        delivered_at=tracking.delivered_at,
        last_event_at=max((event.at for event, _ in known if event.code != SILENCE_CODE), default=None),
        events=tuple(_event(event, status, tracking, words, private) for event, status in known),
    )


def _event(
    event: TrackingEvent,
    status: TrackingStatus,
    tracking: Tracking,
    words: Words,
    private: frozenset[str],
) -> PageEvent:
    return copied(
        PageEvent,
        event,
        status=status,
        words=words.of(status, event.sub_status),
        carrier=carrier_name(event.carrier or tracking.carrier_code or tracking.carrier),
        location=PagePlace(
            city=_place(event.city, private),
            state=_place(event.state, private),
            country=_place(event.country, private),
            text=_place(event.place, private),
        ),
    )


def carrier_name(code: str) -> str:
    """The name of a carrier, or of a courier by an aggregator's code.

    >>> carrier_name("ubi"), carrier_name("china-ems"), carrier_name("usps"), carrier_name("australia-post")
    ('UBI', 'China EMS', 'USPS', 'Australia Post')
    """
    if code in registry.CARRIERS:
        return registry.profile(code).name.partition(" through ")[0]
    return " ".join(map(_spelt, code.replace("_", "-").split("-")))


def _spelt(part: str) -> str:
    is_short = len(part) <= _SHORT or not set("aeio") & set(part.casefold())
    return part.upper() if is_short else part.capitalize()


def _private(tracking: Tracking) -> frozenset[str]:
    """Return the words of a tracking that are the recipient's own or the merchant's, in small letters."""
    customer = tracking.customer
    texts = (
        *((customer.name, customer.email, customer.phone) if customer else ()),
        tracking.signed_by.text if tracking.signed_by else None,
        tracking.note,
        tracking.title,
    )
    return frozenset(
        word for word in _words(texts) if len(word) >= (_SHORT - 1 if _UNSPACED.search(word) else _SHORT)
    )


def _words(texts: Iterable[str | None]) -> set[str]:
    return {word for text in texts for word in re.findall(r"\w+", _plain(text or ""))}


def _plain(text: str) -> str:
    """Return a text in small letters of the usual width, whatever form of them it was written in."""
    return unicodedata.normalize("NFKC", text).casefold()


def _names(text: str, private: frozenset[str]) -> bool:
    """Tell whether a text has one of these words."""
    plain = _plain(text)
    return bool(private & _words([text])) or any(word in plain for word in private if _UNSPACED.search(word))


def _place(text: str | None, private: frozenset[str]) -> str | None:
    """Return a place that may be shown; None for one that may be a door, a telephone or a name."""
    if not text or len(text) > _LONGEST_PLACE or _NOT_IN_PLACES.search(_plain(text)):
        return None
    return None if _names(text, private) else text


def _estimate(tracking: Tracking, words: Words, private: frozenset[str]) -> str | None:
    """Return the expected delivery: a date as the language writes it, else the carrier's own words."""
    if tracking.estimated_delivery is None:
        return None
    text = tracking.estimated_delivery.text.strip()
    try:
        return words.day(date.fromisoformat(text[:10]))
    except ValueError:
        pass
    if len(text) > _LONGEST_ESTIMATE or _NOT_IN_ESTIMATES.search(_plain(text)) or _names(text, private):
        return None
    return text or None
