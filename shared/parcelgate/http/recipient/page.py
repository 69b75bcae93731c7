"""The recipient's page: HTML without a script, from one answer, with the merchant's brand.

The page loads the merchant's logo and nothing else. Every text in it is escaped, whoever wrote it.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from urllib.parse import quote, urlsplit

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.merchants.tenant_settings import Brand
from parcelgate.domain.trackings import secure_address
from parcelgate.http.answers import Answer
from parcelgate.http.recipient.colours import ink, readable
from parcelgate.http.recipient.words import LANGUAGES, Words, words
from parcelgate.http.resources.tracking_pages import PageEvent, PageParcel, PagePlace, RecipientPageResource

MOST_BYTES = 45_000
"""The largest page. The logo is the merchant's own."""
_EVENTS = (60, 30, 15, 8, 4, 2, 1, 0)
"""How many events of each parcel are shown: as many as fit, the newest ones."""
_COLOUR = "#23527c"
"""The colour of a merchant who has set none."""
_HEX = re.compile(r"#[0-9a-f]{6}")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")
_PAPER, _NIGHT = "#ffffff", "#15181c"


def page(shown: RecipientPageResource) -> Answer:
    """The page of what is shown, in its language."""
    spoken = words(shown.language)
    for most in _EVENTS:
        main = "".join(_main(shown, spoken, most))
        title = f"{shown.words} - {_title(shown.brand, spoken)}"
        answer = _answer(title, main, shown.brand, spoken)
        if len(answer.body.encode()) <= MOST_BYTES:
            break
    return answer


def not_found_page(code: str) -> Answer:
    """The page in the place of one that there is not."""
    return _message(words(code), words(code).not_found, words(code).not_found_more, status=404)


def trouble_page(code: str, answer: Answer) -> Answer:
    """The page that says that another cannot be shown now, as `answer` says to machines."""
    shown = _message(words(code), words(code).unavailable, words(code).unavailable_more, status=answer.status)
    kept = {name: answer.headers[name] for name in ("retry-after",) if name in answer.headers}
    return msgspec.structs.replace(shown, headers=shown.headers | kept | {"cache-control": "no-store"})


def headers(code: str) -> dict[str, str]:
    """What is said along with every page, and with its data: for the reader alone, and for no index."""
    return {
        "cache-control": "private, max-age=60",
        "content-language": code,
        "referrer-policy": "no-referrer",
        "vary": "Accept, Accept-Language",
        "x-robots-tag": "noindex, nofollow",
    }


def _message(spoken: Words, heading: str, more: str, *, status: int) -> Answer:
    main = f"<h1>{escape(heading)}</h1><p>{escape(more)}</p>"
    return _answer(heading, main, Brand(), spoken, status=status)


def _answer(title: str, main: str, brand: Brand, spoken: Words, *, status: int = 200) -> Answer:
    style = _style(brand.colour)
    preview = _title(brand, spoken)
    body = (
        f'<!doctype html><html lang="{spoken.code}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex,nofollow">'
        f"<title>{escape(title)}</title>"
        f'<meta name="description" content="{escape(spoken.preview)}">'
        f'<meta property="og:type" content="website"><meta property="og:title" content="{escape(preview)}">'
        f'<meta property="og:description" content="{escape(spoken.preview)}">'
        f'<meta property="og:locale" content="{spoken.code}"><meta name="twitter:card" content="summary">'
        f"<style>{style}</style></head><body>"
        f"<header><div>{_sign(brand, spoken)}</div></header>"
        f"{_languages(spoken)}<main>{main}</main>{_footer(brand, spoken)}</body></html>\n"
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src {_source(brand)}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    more = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    return Answer(status=status, body=body, headers=headers(spoken.code) | more)


def _title(brand: Brand, spoken: Words) -> str:
    return spoken.title_of.format(brand=brand.name) if brand.name else spoken.title


def _style(colour: str | None) -> str:
    """The page's style in the merchant's colour, as much darker or lighter as it takes to be read."""
    colour = colour if colour and _HEX.fullmatch(colour) else _COLOUR
    day = f"--brand:{colour};--ink:{ink(colour)};--paper:{_PAPER};--link:{readable(colour, _PAPER)}"
    night = f"--paper:{_NIGHT};--link:{readable(colour, _NIGHT)}"
    dark = f"@media(prefers-color-scheme:dark){{:root{{{night}}}}}"
    return f":root{{color-scheme:light dark;{day}}}{dark}{_sheet()}"


@cache
def _sheet() -> str:
    return files(__package__).joinpath("page.css").read_text("utf-8")


def _source(brand: Brand) -> str:
    """Where images may come from: the logo's host and no other."""
    return f"https://{urlsplit(brand.logo_url or '').netloc}" if _has_logo(brand) else "'none'"


def _has_logo(brand: Brand) -> bool:
    """Whether there is a logo at a host that can be named in a policy."""
    address = secure_address(brand.logo_url)
    return address is not None and _HOST.fullmatch(urlsplit(address).netloc) is not None


def _sign(brand: Brand, spoken: Words) -> str:
    name = brand.name or ""
    if _has_logo(brand):
        logo = escape(brand.logo_url or "")
        return f'<img src="{logo}" alt="{escape(name or spoken.title)}" referrerpolicy="no-referrer">'
    return f"<p>{escape(name or spoken.title)}</p>"


def _languages(spoken: Words) -> str:
    links = "".join(
        f'<li><a href="?lang={code}" lang="{code}" hreflang="{code}"'
        f"{' aria-current="true"' if code == spoken.code else ''}>{escape(name)}</a></li>"
        for code, name in LANGUAGES.items()
    )
    return f'<nav aria-label="{escape(spoken.languages)}"><ul>{links}</ul></nav>'


def _main(shown: RecipientPageResource, spoken: Words, most: int) -> Iterator[str]:
    count = len(shown.parcels)
    yield f"<h1>{escape(shown.words)}</h1>"
    if count > 1:
        yield f"<p>{escape(spoken.parcels.format(count=count))}</p>"
    if not shown.parcels:
        yield f"<p>{escape(spoken.nothing_yet)}</p>"
    for number, parcel in enumerate(shown.parcels, 1):
        yield "<section>"
        if count > 1:
            name = spoken.parcel.format(number=number, count=count)
            yield f"<h2>{escape(name)}: {escape(parcel.words)}</h2>"
        yield from _parcel(parcel, spoken, most, "h3" if count > 1 else "h2")
        yield "</section>"


def _parcel(parcel: PageParcel, spoken: Words, most: int, heading: str) -> Iterator[str]:
    newest = next((event for event in reversed(parcel.events) if event.at == parcel.last_event_at), None)
    yield "<dl>"
    if parcel.delivered_at is not None:
        yield _fact(spoken.delivered, _time(_event_of(parcel.events, parcel.delivered_at), spoken))
    elif parcel.estimated_delivery is not None:
        yield _fact(spoken.expected, escape(parcel.estimated_delivery))
    if newest is not None:
        yield _fact(spoken.last_news, _time(newest, spoken))
    yield _fact(spoken.carrier, escape(parcel.carrier))
    yield _fact(spoken.number, escape(parcel.tracking_number))
    if parcel.next_carrier is not None:
        following = parcel.next_carrier
        yield _fact(spoken.handed_over, escape(f"{following.carrier}, {following.tracking_number}"))
    yield f"</dl><{heading}>{escape(spoken.history)}</{heading}>"
    if not parcel.events:
        yield f"<p>{escape(spoken.nothing_yet)}</p>"
        return
    kept = parcel.events[max(0, len(parcel.events) - most) :]
    if kept:
        yield f"<ol>{''.join(_event(event, spoken) for event in reversed(kept))}</ol>"
    if len(kept) < len(parcel.events):
        yield f"<p>{escape(spoken.older_left_out)}</p>"


def _fact(name: str, value: str) -> str:
    return f"<dt>{escape(name)}</dt><dd>{value}</dd>"


def _event_of(events: Iterable[PageEvent], at: datetime) -> PageEvent:
    return next(event for event in events if event.at == at)


def _event(event: PageEvent, spoken: Words) -> str:
    place = _place(event.location)
    where = f" <span>{escape(place)}</span>" if place else ""
    return f"<li><strong>{escape(event.words)}</strong>{_time(event, spoken)}{where}</li>"


def _place(location: PagePlace) -> str:
    """A place in one line: the carrier's own text where it may be shown, else the town, and the country."""
    parts = [location.text] if location.text else [location.city, location.state]
    return ", ".join(part for part in (*parts, location.country) if part)


def _time(event: PageEvent, spoken: Words) -> str:
    written = spoken.time(event.at, event.utc_offset, is_uncertain=event.at_is_local)
    return f'<time datetime="{escape(rfc3339(event.at))}">{escape(written)}</time>'


def _footer(brand: Brand, spoken: Words) -> str:
    links = []
    if secure_address(brand.support_url):
        links.append(
            f'<a href="{escape(brand.support_url or "")}" rel="noreferrer">{escape(spoken.help_page)}</a>'
        )
    if brand.support_email:
        address = quote(brand.support_email, safe="@")
        links.append(f'<a href="mailto:{escape(address)}">{escape(brand.support_email)}</a>')
    return f"<footer><p>{escape(spoken.help)} {' '.join(links)}</p></footer>" if links else ""
