"""Postal addresses."""

import msgspec


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A postal address. `country` is two capital letters; `state` is as the client gave it."""

    name: str
    line1: str
    city: str
    country: str
    company: str | None = None
    phone: str | None = None
    email: str | None = None
    line2: str | None = None
    line3: str | None = None
    state: str | None = None
    postcode: str | None = None
    tax_id: str | None = None
