"""Addresses as LME writes them, and its check of one. Pure."""

from typing import Any

import msgspec

from parcelgate.carriers.lme import codes, wire
from parcelgate.carriers.results import (
    AddressCheck,
)
from parcelgate.carriers.toolkit.comparison import bare
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.places.countries import country_code, country_name, state_code, state_name
from parcelgate.domain.problems import FieldError


def lines(address: Address) -> str:
    """All lines of an address in one."""
    return ", ".join(line for line in (address.line1, address.line2, address.line3) if line)


def province(address: Address) -> str | None:
    """The state by its full name, where we know the country's states; otherwise as it was given."""
    if not address.state:
        return None
    return state_name(address.country, address.state) or address.state


def address_query(address: Address) -> wire.AddressQuery:
    """The address as the check wants it (assumed)."""
    return wire.AddressQuery(
        country=country_name(address.country),
        province=province(address),
        city=address.city,
        post_code=address.postcode or None,
        address=lines(address),
    )


def address_check(address: Address, answer: wire.Answer) -> AddressCheck | None:
    """The result of the check (assumed); None if the reply does not have one."""
    data = wire.AddressData.model_validate(answer.data if isinstance(answer.data, dict) else {})
    if data.is_valid is None:
        return None
    suggestion = _suggested(address, wire.Suggestion.model_validate(data.suggest))
    if data.is_valid:
        return AddressCheck(valid=True, suggestion=suggestion)
    message = data.message or "LME does not know this address. Check it."
    pointer = (codes.pointer_in(message) or "/ship_to").replace("/ship_to", "/address")
    return AddressCheck(
        valid=False, messages=(FieldError(pointer, "invalid", message),), suggestion=suggestion
    )


def _suggested(address: Address, suggestion: wire.Suggestion) -> Address | None:
    """The address as LME writes it; None if it does not differ."""
    country = country_code(suggestion.country) if suggestion.country else None
    country = country or address.country
    state = suggestion.province and (state_code(country, suggestion.province) or suggestion.province)
    theirs = {"country": country, "city": suggestion.city, "postcode": suggestion.post_code, "state": state}
    changes: dict[str, Any] = {
        name: value
        for name, value in theirs.items()
        if value is not None and bare(value) != bare(getattr(address, name) or "")
    }
    if "state" in changes and address.state and state_code(country, address.state) == state:
        del changes["state"]
    if suggestion.address and bare(suggestion.address) != bare(lines(address)):
        changes |= {"line1": suggestion.address, "line2": None, "line3": None}
    return msgspec.structs.replace(address, **changes) if changes else None
