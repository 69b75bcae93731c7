"""On the running stack: parcels travel, and their timelines fill because somebody asks."""

from datetime import datetime

import httpx

from tests.stack.journeys import Journeys
from tests.stack.shop import Body, Shop


def test_parcels_of_every_carrier_travel_to_their_ends(shop: Shop, journeys: Journeys) -> None:
    parcels = [parcel for parcel in journeys() if parcel["next_carrier"] is None]

    assert len(parcels) == 5
    assert {parcel["next_poll_at"] for parcel in parcels} == {None}
    truth = httpx.get(f"{shop.stack.sandbox_url}/_sandbox/truth", timeout=30).raise_for_status().json()
    for parcel in parcels:
        (story,) = [
            each for each in truth[parcel["carrier"]] if each["tracking_number"] == parcel["tracking_number"]
        ]
        assert timeline(parcel) == timeline(story)
    by_poll = {
        event["source"] for parcel in parcels if parcel["carrier"] != "lme" for event in parcel["events"]
    }
    assert by_poll == {"poll"}


def test_a_parcel_that_lme_hands_to_australia_post_is_followed_on_and_ends_delivered(
    journeys: Journeys,
) -> None:
    (parcel,) = [parcel for parcel in journeys() if parcel["next_carrier"] is not None]

    assert (parcel["carrier"], parcel["status"], parcel["next_poll_at"]) == ("lme", "delivered", None)
    courier = parcel["next_carrier"]
    assert courier["carrier_code"] == "australia-post"
    numbers = {other["number"] for other in parcel["secondary_tracking_numbers"]}
    assert courier["tracking_number"] in numbers
    assert courier["tracking_number"].startswith("33FHE")
    carried_by = [event["carrier"] for event in parcel["events"]]
    assert carried_by[0] == "lme"
    assert (parcel["events"][-1]["status"], carried_by[-1]) == ("delivered", "australia-post")
    assert {event["source"] for event in parcel["events"] if event["carrier"] == "australia-post"} == {"poll"}


def timeline(parcel: Body) -> set[tuple[datetime, str]]:
    """What happened, by the second and by code."""
    return {
        (datetime.fromisoformat(event["at"]).replace(microsecond=0), event["code"])
        for event in parcel["events"]
    }
