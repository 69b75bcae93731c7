"""The body of `PUT /v1/settings`."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from parcelgate.domain.merchants.tenant_settings import Brand, TenantSettings, TrackingPage
from parcelgate.http.requests.formats.reading import WrongValueError, line
from parcelgate.http.requests.orders import Input, read

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII | re.IGNORECASE)
_NOT_IN_ADDRESSES = re.compile(r"[\s\"'<>\\^`{|}]|[^\x21-\x7e]")


def _https(value: object) -> object:
    """Read the address of something that a browser of a stranger will load: https, and no secrets in it."""
    text = line(value)
    if not isinstance(text, str):
        return text
    wrong = WrongValueError("format", "Must be an https address, such as https://shop.example/help.")
    if _NOT_IN_ADDRESSES.search(text):
        raise wrong
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong from None
    if (
        parts.scheme != "https"
        or not _HOST.fullmatch(parts.hostname or "")
        or "@" in parts.netloc
        or port == 0
    ):
        raise wrong
    return text


def _colour(value: object) -> object:
    text = line(value)
    return text.lower() if isinstance(text, str) else text


_Url = Annotated[str, Field(max_length=2048), BeforeValidator(_https)]
_Name = Annotated[str, Field(max_length=100), BeforeValidator(line)]
_Colour = Annotated[
    str,
    Field(pattern=r"^#[0-9a-f]{6}$", description="Six hexadecimal digits behind #, such as #1a7f5a."),
    BeforeValidator(_colour),
]
_Email = Annotated[
    str,
    Field(max_length=254, pattern=r"^[^@\s\"'<>(),:;\\\[\]?&]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"),
    BeforeValidator(line),
]


class BrandInput(Input):
    """How the tenant is shown to recipients. What is left out is not shown."""

    name: _Name | None = None
    logo_url: _Url | None = None
    colour: _Colour | None = None
    support_url: _Url | None = None
    support_email: _Email | None = None


class TrackingPageInput(Input):
    """The page on which a recipient follows a parcel."""

    enabled: bool = True


class SettingsInput(Input):
    """All settings. What is left out gets its default."""

    brand: BrandInput = BrandInput()
    tracking_page: TrackingPageInput = TrackingPageInput()


def read_settings(body: object) -> TenantSettings:
    """Read a tenant's settings. Raises ProblemError with every mistake in the body."""
    given = read(SettingsInput, body)
    return TenantSettings(
        brand=Brand(**given.brand.model_dump()),
        tracking_page=TrackingPage(**given.tracking_page.model_dump()),
    )
