"""Where `make up` tells the stack that a carrier is."""

import pytest

from local.stack.stack import CARRIERS, carrier_url, made_up_accounts
from parcelgate.carriers import registry


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_carrier_is_in_the_sandbox_unless_the_environment_names_another_server(carrier: str) -> None:
    named = {f"PARCELGATE_{carrier.upper()}_URL": "https://elsewhere.example/with/a/path"}

    assert carrier_url(carrier, "http://sandbox", {}) == f"http://sandbox/{carrier}"
    assert carrier_url(carrier, "http://sandbox", named) == "https://elsewhere.example/with/a/path"


def test_everybody_who_can_be_asked_where_parcels_are_has_a_login_of_this_stacks_own() -> None:
    one, other = made_up_accounts(), made_up_accounts()

    assert set(one) == set(CARRIERS) == set(registry.trackers())
    assert set(one["trackingmore"]["default"]) == {"api_key", "email"}
    assert all(one[carrier] != other[carrier] for carrier in CARRIERS)
