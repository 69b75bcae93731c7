"""Countries, states and postcodes by all the names that people and carriers have for them."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from parcelgate.domain import currencies
from parcelgate.domain.places import countries

CODES = list(json.loads(files("parcelgate.domain.places").joinpath("countries.json").read_text("utf-8")))


def test_every_country_is_found_by_its_name_and_three_letters() -> None:
    assert len(CODES) == 250
    for code in CODES:
        name = countries.country_name(code)
        assert name.isascii()
        assert "," not in name or code == "BQ" or code == "SH", name
        assert countries.country_code(name) == code
        assert countries.country_code(code.lower()) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("uk", "GB"),
        ("Great Britain", "GB"),
        ("CHN", "CN"),
        ("AUS-Australia", "AU"),
        (" nz ", "NZ"),
        ("Côte d’Ivoire", "CI"),  # noqa: RUF001
        ("Guinea-Bissau", "GW"),
        ("Kosovo", "XK"),
        ("Türkiye", "TR"),
        ("Atlantis", None),
        ("", None),
    ],
)
def test_a_country_has_many_spellings(text: str, code: str | None) -> None:
    assert countries.country_code(text) == code


@pytest.mark.parametrize(
    ("country", "text", "code"),
    [
        ("US", "tx", "TX"),
        ("US", "US-TX", "TX"),
        ("US", "D.C.", "DC"),
        ("US", "Washington D.C.", "DC"),
        ("US", "Virgin Islands", "VI"),
        ("US", "U.S. Virgin Islands", "VI"),
        ("US", "FM", "FM"),
        ("US", "Marshall Islands", "MH"),
        ("US", "Palau", "PW"),
        ("US", "Armed Forces Europe", "AE"),
        ("CA", "Québec", "QC"),
        ("CA", "Que\u0301bec", "QC"),
        ("CA", "CA-QC", "QC"),
        ("CA", "Newfoundland", "NL"),
        ("CA", "Terre-Neuve-et-Labrador", "NL"),
        ("AU", "AU-NSW", "NSW"),
        ("AU", "N.S.W.", "NSW"),
        ("AU", "new  south wales", "NSW"),
        ("AU", "New South Whales", None),
        ("DE", "Bavaria", None),
    ],
)
def test_a_state_has_many_names(country: str, text: str, code: str | None) -> None:
    assert countries.state_code(country, text) == code


def test_every_state_is_found_by_the_name_that_is_sent() -> None:
    for country in ("AU", "CA", "US"):
        for name, code in countries._states(country).items():
            sent = countries.state_name(country, name)
            assert sent is not None
            assert countries.state_code(country, sent) == code


@pytest.mark.parametrize(
    ("country", "text", "written"),
    [
        ("US", "78701", "78701"),
        ("US", "787011234", "78701-1234"),
        ("US", "7870", None),
        ("CA", "H3Z2Y7", "H3Z 2Y7"),
        ("CA", "D3Z 2Y7", None),
        ("GB", "SW1A1AA", "SW1A 1AA"),
        ("GB", "SW1A 1AA", "SW1A 1AA"),
        ("JP", "1500001", "150-0001"),
        ("AU", "800", None),
        ("NZ", "6011", "6011"),
        ("KZ", "Z05T3D0", "Z05T3D0"),
        ("HK", "anything", "anything"),
        ("QQ", "anything", "anything"),
        ("US", "٧٨٧٠١", None),
    ],
)
def test_a_postcode_is_written_as_its_country_has_it(country: str, text: str, written: str | None) -> None:
    assert countries.postcode(country, text) == written


def test_what_is_known_of_countries_stands_in_one_place() -> None:
    shared = Path(countries.__file__).parents[2]
    words = ("Queensland", "Texas", "Qu\u00e9bec", "Quebec", "Nunavut", "Tasmania", "Ohio")
    modules = [path for path in shared.rglob("*.py") if path.name != "countries.py"]
    assert len(modules) > 100
    assert [path.name for path in modules if any(word in path.read_text("utf-8") for word in words)] == []


def test_every_country_s_own_examples_are_postcodes() -> None:
    for code in CODES:
        for example in countries._countries()[code].examples:
            assert countries.postcode(code, example) == example, code


def test_currencies_in_use_have_their_decimals() -> None:
    assert [currencies.decimals(code) for code in ("USD", "JPY", "KWD", "CLF")] == [2, 0, 3, 4]
    assert [currencies.decimals(code) for code in ("XXX", "XAU", "XTS", "DEM", "RMB")] == [None] * 5
    assert all(currencies.decimals(code) is not None for code in currencies.LIKELY.values())
