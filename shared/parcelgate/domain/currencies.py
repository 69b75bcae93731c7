"""The currencies of ISO 4217 that are in use, and how many decimals their amounts have."""

from functools import cache
from pathlib import Path

import msgspec

LIKELY = {
    "RMB": "CNY", "CNH": "CNY", "NTD": "TWD", "UKP": "GBP", "STG": "GBP", "€": "EUR", "£": "GBP",
    "US$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "NZ$": "NZD",
}  # fmt: skip
"""Codes that people write by mistake, and the currency that they probably mean."""


@cache
def _currencies() -> dict[str, int]:
    """Made by `local/generators/country_data.py`."""
    return msgspec.json.decode(Path(__file__).with_suffix(".json").read_bytes(), type=dict[str, int])


def decimals(code: str) -> int | None:
    """Return how many decimals the amounts of a currency have; None if it is no currency in use.

    >>> decimals("USD"), decimals("JPY"), decimals("KWD"), decimals("XXX")
    (2, 0, 3, None)
    """
    return _currencies().get(code)
