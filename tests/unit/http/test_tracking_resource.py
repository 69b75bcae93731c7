"""What clients are shown of a followed parcel."""

from datetime import timedelta

import msgspec

from parcelgate.domain.trackings import (
    Customer,
    NextCarrier,
    OtherNumber,
    ProofOfDelivery,
    Saying,
    Source,
    Tracking,
    merge,
)
from parcelgate.http.answers import Site, encode
from parcelgate.http.resources.trackings import tracking_resource
from tests.support.orders import NOON
from tests.support.trackings import a_followed, seen

PROOF = ProofOfDelivery(
    image_url="https://pictures.test/1", address_image_url=None, expires_at=NOON + timedelta(days=30)
)


SITE = Site(base="https://api.test", token=lambda place: f"{place.tenant}-{place.tracking_id}")


def shown(tracking: Tracking, **more: object) -> dict[str, object]:
    return msgspec.json.decode(encode(tracking_resource(tracking, site=SITE, **more)), type=dict[str, object])  # type: ignore[arg-type]


def test_everything_that_is_known_of_a_parcel_is_shown() -> None:
    followed = a_followed(
        title="Gift",
        customer=Customer(name="Ada", email="ada@example.com"),
        order_reference="shop-17",
        order_created_at=NOON,
        note="ring twice",
        destination_country="US",
        metadata={"colour": "red"},
    )
    event = seen(
        "delivered",
        hours=1,
        code="D1",
        sub_status=None,
        utc_offset="-06:00",
        state="TX",
        postcode="78701",
        country="US",
        place="Austin, TX",
        visible_to_recipient=False,
    )
    tracking = merge(
        followed,
        [event],
        source=Source.WEBHOOK,
        at=NOON + timedelta(hours=2),
        other_numbers=[OtherNumber("92001", "usps"), OtherNumber("X1")],
        proof=PROOF,
        next_carrier=NextCarrier(NOON, "usps", "92001", followed=True),
        estimated_delivery=Saying(NOON, "by Tuesday"),
        signed_by=Saying(NOON, "A. BYRD"),
    )

    assert shown(tracking, next_poll_at=NOON) == {
        "id": tracking.id,
        "object": "tracking",
        "order_id": None,
        "parcel_reference": None,
        "carrier": "trackingmore",
        "carrier_code": "china-ems",
        "account": "default",
        "tracking_number": "RR1CN",
        "secondary_tracking_numbers": [
            {"carrier": "usps", "number": "92001"},
            {"carrier": None, "number": "X1"},
        ],
        "title": "Gift",
        "status": "delivered",
        "sub_status": None,
        "estimated_delivery": "by Tuesday",
        "delivered_at": "2026-11-21T13:00:00.000Z",
        "signed_by": "A. BYRD",
        "next_carrier": {"carrier_code": "usps", "tracking_number": "92001"},
        "tracking_page": f"https://api.test/track/acme-{tracking.id}",
        "last_event_at": "2026-11-21T13:00:00.000Z",
        "next_poll_at": "2026-11-21T12:00:00.000Z",
        "proof_of_delivery": {
            "image_url": "https://pictures.test/1",
            "address_image_url": None,
            "expires_at": "2026-12-21T12:00:00.000Z",
        },
        "events": [
            {
                "id": tracking.events[0].id,
                "at": "2026-11-21T13:00:00.000Z",
                "utc_offset": "-06:00",
                "at_is_local": False,
                "status": "delivered",
                "sub_status": None,
                "code": "D1",
                "description": "Something happened",
                "location": {
                    "city": "Austin",
                    "state": "TX",
                    "postcode": "78701",
                    "country": "US",
                    "text": "Austin, TX",
                },
                "visible_to_recipient": False,
                "source": "webhook",
                "carrier": "china-ems",
            }
        ],
        "customer": {"name": "Ada", "email": "ada@example.com", "phone": None},
        "order_reference": "shop-17",
        "order_created_at": "2026-11-21T12:00:00.000Z",
        "note": "ring twice",
        "destination_country": "US",
        "destination_state": None,
        "archived": False,
        "paused": False,
        "metadata": {"colour": "red"},
        "erased_at": None,
        "created_at": "2026-11-21T12:00:00.000Z",
        "updated_at": "2026-11-21T14:00:00.000Z",
    }


def test_events_come_oldest_first_and_an_unknown_code_has_no_status() -> None:
    events = [seen(None, hours=2, code="??"), seen("in_transit", hours=1), seen("delivered", hours=3)]
    tracking = merge(a_followed(), events, source=Source.POLL, at=NOON)
    assert [(event["at"][11:13], event["status"]) for event in shown(tracking)["events"]] == [  # type: ignore[attr-defined]
        ("13", "in_transit"),
        ("14", None),
        ("15", "delivered"),
    ]
