"""The public Python client `trackingmore` 0.2: its own thirteen tests, as the calls that they make.

Four of them call nothing (they build a dictionary). The other nine follow one another here on one account
with room for four parcels, as in the client's own file: what it reads of each answer is held.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox import Settings, serve

JsonObject = dict[str, Any]

KEY = "trial-key"
PARCELS: list[JsonObject] = [
    {
        "carrier_code": carrier,
        "tracking_number": number,
        "title": f"parcel {number}",
        "customer_name": "Ada Byrd",
        "customer_email": "ada@example.com",
        "order_id": f"order-{number}",
        "lang": "en",
    }
    for carrier, number in (
        ("poste-italiane", "RR123456785IT"),
        ("china-ems", "EA152563254CN"),
        ("dhl", "1234567890"),
        ("no-such-courier", "000000000"),
    )
]


class CalledError(Exception):
    """`TrackingMoreAPIException`: the code of an answer that is neither 200 nor 201."""


class PublicClient:
    """The client's own way: a body is text, an HTTP error is an exception, `meta.code` decides."""

    def __init__(self, url: str) -> None:
        headers = {
            "Content-Type": "application/json",
            "Trackingmore-Api-Key": KEY,
            "X-Requested-With": "XMLHttpRequest",
        }
        self._http = httpx.Client(base_url=f"{url}/trackingmore/v2", headers=headers, trust_env=False)

    def call(self, method: str, path: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        answer = self._http.request(method, path, content=content).raise_for_status().json()
        if answer["meta"]["code"] not in (200, 201):
            raise CalledError(answer["meta"]["code"])
        return answer

    def data(self, method: str, path: str, body: object = None) -> Any:
        return self.call(method, path, body)["data"]


def path_of(parcel: JsonObject) -> str:
    return f"/trackings/{parcel['carrier_code']}/{parcel['tracking_number']}"


@pytest.fixture
def client() -> Iterator[PublicClient]:
    login = {"api_key": KEY, "email": "shop@example.com", "quota": 4}
    with serve(Settings(accounts={"trackingmore": {"default": login}})) as url:
        yield PublicClient(url)


def test_the_clients_own_tests_pass_one_after_the_other(client: PublicClient) -> None:
    first = PARCELS[0]

    created = client.data("POST", "/trackings/post", first)
    assert created.keys() >= {"id", "created_at", "status"}
    said = {name: created[name] for name in created if name not in ("id", "created_at", "status")}
    assert said == {name: first[name] for name in first if name != "lang"}

    client.data("GET", path_of(first))
    client.data("POST", "/trackings/realtime", first)
    client.data("PUT", path_of(first))
    assert client.data("DELETE", path_of(first)) == []

    batch = client.data("POST", "/trackings/batch", PARCELS)
    assert (batch["submitted"], batch["added"], len(batch["trackings"]), len(batch["errors"])) == (4, 3, 3, 1)

    # Its reading of the list cannot succeed (it looks for `items` beside `meta`): it holds 4021 for right.
    with pytest.raises(CalledError, match="4021"):
        client.call("GET", "/trackings/get")

    for parcel in PARCELS[:-1]:
        found = client.data("POST", "/carriers/detect", {"tracking_number": parcel["tracking_number"]})
        assert parcel["carrier_code"] in [courier["code"] for courier in found]

    for parcel in PARCELS[:-1]:
        client.data("DELETE", path_of(parcel))
    with pytest.raises(CalledError, match="4017"):
        client.data("DELETE", path_of(PARCELS[-1]))


def test_an_account_without_quota_lets_parcels_go_and_asks_about_none(client: PublicClient) -> None:
    for parcel in PARCELS[:3]:
        client.data("POST", "/trackings/post", parcel)
    client.data("POST", "/trackings/post", {**PARCELS[0], "tracking_number": "RR123456799IT"})
    for method, path in (
        ("GET", path_of(PARCELS[0])),
        ("PUT", path_of(PARCELS[0])),
        ("GET", "/trackings/get"),
    ):
        with pytest.raises(CalledError, match="4021"):
            client.data(method, path)
    with pytest.raises(CalledError, match="4021"):
        client.data("POST", "/trackings/realtime", PARCELS[0])
    assert client.data("DELETE", path_of(PARCELS[0])) == []
