"""Where `make up` tells the stack that a carrier is."""

import pytest

from local.stack import CARRIERS, carrier_url


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_carrier_is_in_the_sandbox_unless_the_environment_names_another_server(carrier: str) -> None:
    named = {f"PARCELGATE_{carrier.upper()}_URL": "https://elsewhere.example/with/a/path"}

    assert carrier_url(carrier, "http://sandbox", {}) == f"http://sandbox/{carrier}"
    assert carrier_url(carrier, "http://sandbox", named) == "https://elsewhere.example/with/a/path"
