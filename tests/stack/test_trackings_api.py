"""On the running stack: any parcel can be followed, changed, asked about and forgotten."""

from uuid import uuid4

from tests.stack.shop import Body, Shop, until


def number() -> str:
    """A number that nobody has used: as China EMS has them."""
    return f"LK{uuid4().int % 10**9:09}CN"


def followed(shop: Shop, **more: object) -> Body:
    body = {"carrier_code": "china-ems", "tracking_number": number(), **more}
    answer = shop.http.post("/v1/trackings", json=body)
    assert answer.status_code == 201, answer.text
    tracking: Body = answer.json()
    return tracking


def read(shop: Shop, tracking: Body) -> Body:
    found: Body = shop.http.get(f"/v1/trackings/{tracking['id']}").raise_for_status().json()
    return found


def test_a_parcel_that_is_followed_is_asked_about(shop: Shop) -> None:
    tracking = followed(shop, title="Two dresses")
    again = shop.http.post(
        "/v1/trackings",
        json={"carrier_code": "china-ems", "tracking_number": tracking["tracking_number"]},
    )
    assert (again.status_code, again.json()["id"]) == (200, tracking["id"])

    refreshed = shop.http.post(f"/v1/trackings/{tracking['id']}/refresh")
    assert (refreshed.status_code, refreshed.json()["id"]) == (202, tracking["id"])
    # Once that one is asked about, the plan says when the next time is.
    until(lambda: read(shop, tracking), lambda one: bool(one["status"] != "pending"))
    listed = shop.http.get("/v1/trackings", params={"carrier": "trackingmore", "limit": 100}).json()["data"]
    assert tracking["id"] in [one["id"] for one in listed]


def test_a_parcel_is_changed_corrected_paused_and_forgotten(shop: Shop) -> None:
    tracking = followed(shop, auto_correct=False)
    url = f"/v1/trackings/{tracking['id']}"

    changed = shop.http.patch(url, json={"title": "Hats", "carrier_code": "china-post"})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["title"], changed.json()["carrier_code"]) == ("Hats", "china-post")
    realtime = [shop.http.post(f"{url}/refresh", json={"realtime": True}) for _ in range(2)]
    assert [answer.status_code for answer in realtime] == [202, 429]
    assert 0 < int(realtime[1].headers["retry-after"]) <= 7200
    paused = shop.http.post(f"{url}/pause")
    assert (paused.status_code, paused.json()["next_poll_at"]) == (200, None)
    assert [shop.http.delete(url).status_code for _ in range(2)] == [204, 404]


def test_several_parcels_are_followed_changed_and_forgotten_at_once(shop: Shop) -> None:
    entries = [{"carrier_code": "china-ems", "tracking_number": number()} for _ in range(3)]
    bad = {"carrier_code": "china-ems", "tracking_number": f"{number()}-SBX-REJECT"}

    answer = shop.http.post("/v1/trackings", json=[*entries, bad])

    assert answer.status_code == 207, answer.text
    assert [one["status"] for one in answer.json()["data"]] == [201, 201, 201, 422]
    ids = [one["tracking"]["id"] for one in answer.json()["data"][:3]]
    changed = shop.http.post("/v1/trackings/update", json=[{"id": one, "note": "n"} for one in ids])
    assert [one["status"] for one in changed.json()["data"]] == [200, 200, 200]
    gone = shop.http.post("/v1/trackings/delete", json=[*ids, ids[0], "trk_nobody"])
    assert (gone.status_code, [one["status"] for one in gone.json()["data"]]) == (
        207,
        [204, 204, 204, 422, 404],
    )


def test_questions_about_no_parcel_are_answered(shop: Shop) -> None:
    route = {"origin": "CN", "destination": "US", "carrier_code": "china-ems"}
    assert shop.http.post("/v1/trackings/transit-times", json=route).json()["data"]["total"] > 0
    areas = [{"country": "US", "postcode": "99501", "company": "DHL"}]
    assert shop.http.post("/v1/trackings/remote-areas", json=areas).status_code == 200
    assert shop.http.get("/v1/trackings/air-cargo/016-10354966").json()["data"]
    assert shop.http.get("/v1/trackings/usage").json()["data"]
    assert "pending" in shop.http.get("/v1/trackings/summary").json()["data"]
    found = shop.http.post("/v1/trackings/detect", json={"tracking_number": number()}).json()["data"]
    assert "china-ems" in [one["code"] for one in found]


def test_a_parcel_of_an_order_stays_with_its_order(shop: Shop) -> None:
    order = shop.settled(shop.post(f"followed-{uuid4().hex[:12]}")["id"])
    (tracking,) = shop.http.get(f"/v1/orders/{order['id']}/tracking").json()["data"]

    url = f"/v1/trackings/{tracking['id']}"

    assert read(shop, tracking)["order_id"] == order["id"]
    assert shop.http.patch(url, json={"title": "Mine"}).json()["title"] == "Mine"
    refused = shop.http.delete(url)
    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_change")
    assert shop.http.patch(url, json={"carrier_code": "usps"}).json()["code"] == "not_supported_by_carrier"
