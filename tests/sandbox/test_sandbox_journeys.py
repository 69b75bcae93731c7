"""What parcels live through, in each carrier's words, held against what has truly happened to them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox import Settings, serve
from sandbox.parcels.places import ahead_of_utc
from sandbox.parcels.routes import Kind, Place, journey
from tests.sandbox import lme_client, ubi_client
from tests.sandbox.conftest import LOGIN, LsoClient, shipment
from tests.sandbox.lme_client import Client
from tests.sandbox.ubi_client import Etower

Told = list[tuple[datetime, str]]

ACCELERATION = 1440
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUSTON, AUSTIN = Place("Houston", "TX"), Place("Austin", "TX")

SENT = {
    "lso": ["Label Created", "Picked Up", "In Transit", "In Transit", "In Transit"],
    "ubi": ["INF", "RCV", "SCN", "DVR"],
    "lme": ["create_order", "collect_order", "order_sorting_finish", "allocate_out", "allocate_in"],
}
PASSED = {"lso": ["In Transit"], "ubi": ["CCD"], "lme": ["allocate_order"]}
ARRIVED = {
    "lso": ["In Transit", "Out for Delivery"],
    "ubi": ["RCV"],
    "lme": ["deliver_in_warehose", "out_warehorse_2"],
}
ENDS = {
    "": {"lso": ["Delivered"], "ubi": ["DLD"], "lme": ["sign_image"]},
    "SBX-ATTEMPT": {
        "lso": ["Attempted", "In Transit", "Out for Delivery", "Delivered"],
        "ubi": ["DLV", "DLD"],
        "lme": ["exception_change_data_1", "reassign", "out_warehorse_2", "sign_in"],
    },
    "SBX-DAMAGED": {
        "lso": ["Exception", "Exception"],
        "ubi": ["DMG"],
        "lme": ["exception_breakage", "damage_warehouse_out"],
    },
    "SBX-RETURN": {
        "lso": ["Attempted", "In Transit", "Out for Delivery", "Attempted", "Exception", "Returned"],
        "ubi": ["DLV", "DLV", "RTN"],
        "lme": [
            "exception_change_data_1",
            "reassign",
            "out_warehorse_2",
            "exception_reject",
            "exception_withdrawing_re_in_warehouse",
            "refund_warehouse_out",
        ],
    },
    "SBX-COLLECTPOINT": {
        "lso": ["Attempted", "Available for Pickup", "Delivered"],
        "ubi": ["DLV", "CRD", "DLD"],
        "lme": ["no_safe_no_way_contact", "transport_order_v2", "sign_in"],
    },
}
OTHER_WAYS = {
    "SBX-CUSTOMS": {
        "lso": [*SENT["lso"], "Exception", "In Transit", "In Transit", *ARRIVED["lso"], "Delivered"],
        "ubi": [*SENT["ubi"], "HLD", "CCD", *ARRIVED["ubi"], "DLD"],
        "lme": [
            *SENT["lme"],
            "block_remove_package_abnormal_remark",
            "order_sorting_finish",
            "allocate_order",
            *ARRIVED["lme"],
            "sign_image",
        ],
    },
    "SBX-PARCELLOST": {
        "lso": [*SENT["lso"], *PASSED["lso"], "Exception"],
        "ubi": [*SENT["ubi"], *PASSED["ubi"], "LST"],
        "lme": [*SENT["lme"], *PASSED["lme"], "lost"],
    },
}
WAYS = OTHER_WAYS | {
    word: {name: [*SENT[name], *PASSED[name], *ARRIVED[name], *end[name]] for name in SENT}
    for word, end in ENDS.items()
}


class World:
    """A sandbox and a client of each of its carriers."""

    def __init__(self, http: httpx.Client) -> None:
        http.post("/_sandbox/reset").raise_for_status()
        self.http = http
        self.lso = LsoClient(http)
        self.ubi = Etower(http)
        self.lme = Client(http, lme_client.LOGINS["default"])

    def advance(self, hours: float) -> None:
        seconds = hours * 3600 / ACCELERATION
        self.http.post("/_sandbox/advance", json={"seconds": seconds}).raise_for_status()

    def ships(self, carrier: str, reference: str) -> str:
        """A parcel's tracking number."""
        if carrier == "ubi":
            return str(self.ubi.create(ubi_client.order(reference))[0]["trackingNo"])
        if carrier == "lme":
            return self.lme.create(reference)
        number = self.lso.order(reference, shipment())
        return str(self.lso.finished(number)["data"]["serviceNumber"])

    def told(self, carrier: str, number: str) -> Told:
        """What the carrier answers: instants and codes, in the order of the answer."""
        if carrier == "ubi":
            (entry,) = self.ubi.ask("trackingEvents", [number])["data"]
            return [
                (datetime.fromisoformat(one["eventTime"] + one["timeZone"][3:]), one["eventCode"])
                for one in entry["events"] or []
            ]
        if carrier == "lme":
            return [
                (instant(one["eventTime"], one["timeZone"]), one["eventCode"])
                for one in self.lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]
            ]
        (track,) = self.lso.track(number)["data"]["tracks"]
        return [(instant(one["time"], "UTC+0"), one["status"]) for one in track["events"]]

    def truth(self, carrier: str, number: str) -> Told:
        """What has truly happened, oldest first."""
        (parcel,) = [
            one
            for one in self.http.get("/_sandbox/truth").json()[carrier]
            if one["tracking_number"] == number
        ]
        assert parcel["reference"]
        assert all(event["stage"] for event in parcel["events"])
        return [(datetime.fromisoformat(one["at"]), one["code"]) for one in parcel["events"]]


def instant(local: str, zone: str) -> datetime:
    """The instant that LME's local time in a zone such as `UTC+9:30` means."""
    found = re.fullmatch(r"UTC([+-])(\d+)(?::(\d\d))?", zone)
    assert found
    sign, hours, minutes = found.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    return (datetime.fromisoformat(local) - ahead).replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[httpx.Client]:
    accounts = {
        "lso": {"default": LOGIN},
        "ubi": {"default": ubi_client.LOGIN},
        "lme": {"default": lme_client.LOGINS["default"]},
    }
    settings = Settings(accounts=accounts, acceleration=ACCELERATION, processing_seconds=0)
    with serve(settings) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        yield http


@pytest.fixture
def world(running: httpx.Client) -> World:
    return World(running)


@pytest.mark.parametrize("carrier", ["lso", "ubi", "lme"])
@pytest.mark.parametrize("word", WAYS)
def test_a_word_in_the_reference_chooses_the_journey_and_its_carrier_tells_it_truly(
    world: World, carrier: str, word: str
) -> None:
    number = world.ships(carrier, f"shop {word}")
    world.advance(24 * 7)
    told = world.told(carrier, number)
    assert sorted(told, key=lambda event: event[0]) == world.truth(carrier, number)
    assert [code for _, code in world.truth(carrier, number)] == WAYS[word][carrier]
    assert told == sorted(told, key=lambda event: event[0], reverse=carrier == "ubi")


@pytest.mark.parametrize("carrier", ["lso", "ubi", "lme"])
def test_in_disorder_the_truth_is_told_late_but_wholly_in_the_end(world: World, carrier: str) -> None:
    number = world.ships(carrier, "SBX-DISORDER SBX-RETURN")
    lagged = 0
    for _ in range(36):
        world.advance(2)
        told = set(world.told(carrier, number))
        # Asked afterwards: the carrier's clock goes on between the two answers.
        truth = set(world.truth(carrier, number))
        assert told <= truth
        lagged += told < truth
    assert lagged
    world.advance(24)
    assert set(world.told(carrier, number)) == set(world.truth(carrier, number))
    assert [code for _, code in world.truth(carrier, number)] == WAYS["SBX-RETURN"][carrier]


def test_nothing_more_happens_to_what_was_taken_back(world: World) -> None:
    numbers = {carrier: world.ships(carrier, "shop-1") for carrier in ("lso", "ubi", "lme")}
    world.lso.refund(world.lso.entry("shop-1")["order_number"])
    world.ubi.ask("order/shop-1", method="DELETE")
    world.lme.ask("order/cancel", {"orderNo": numbers["lme"]})
    world.advance(100)
    truths = {carrier: world.truth(carrier, number) for carrier, number in numbers.items()}
    assert {name: [code for _, code in truth] for name, truth in truths.items()} == {
        "lso": ["Label Created"],
        "ubi": ["INF"],
        "lme": ["create_order"],
    }


def test_what_is_not_bought_has_not_happened(world: World) -> None:
    number = world.lso.order("SBX-FAIL", shipment())
    world.lso.finished(number)
    world.advance(100)
    assert [parcel["events"] for parcel in world.http.get("/_sandbox/truth").json()["lso"]] == [[]]


def far_away(province: str, **changes: Any) -> dict[str, Any]:
    return {"receiver": lme_client.order()["receiver"] | {"province": province, "city": "There"} | changes}


@pytest.mark.parametrize(
    ("province", "zone"),
    [("Western Australia", "UTC+8"), ("South Australia", "UTC+9:30"), ("Queensland", "UTC+10")],
)
def test_lme_hands_far_parcels_to_australia_post_and_tells_their_number_there(
    world: World, province: str, zone: str
) -> None:
    number = world.lme.create("shop-1", **far_away(province))
    world.advance(100)
    routes = world.lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]
    codes = [route["eventCode"] for route in routes]
    posted = ["transport_order", "transport_order_v2", "to_be_delivered", "sign_in"]
    assert codes == [*SENT["lme"], *PASSED["lme"], *posted]
    (post_number,) = {route["trackNo"] for route in routes[-4:]}
    assert routes[-4]["event"].endswith(f"Australia Post, Tracking Number: {post_number}")
    assert {route["trackNo"] for route in routes[:-4]} == {None}
    assert (routes[0]["timeZone"], routes[-1]["timeZone"]) == ("UTC+10", zone)
    assert sorted(world.told("lme", number)) == sorted(world.truth("lme", number))


def test_lme_tells_no_more_of_a_parcel_that_it_has_handed_on_where_that_is_wanted(world: World) -> None:
    number = world.lme.create("SBX-HANDEDON", **far_away("Western Australia"))
    world.advance(100)
    codes = [code for _, code in world.told("lme", number)]
    assert codes == [*SENT["lme"], *PASSED["lme"], "transport_order"]
    near = world.lme.create("SBX-HANDEDON near")
    world.advance(100)
    assert [code for _, code in world.told("lme", near)][-1] == "sign_image"


def test_lme_tells_of_post_offices_in_australia_alone(world: World) -> None:
    abroad = far_away("Texas", zoneCode="US", country="United States", postCode="75201")
    number = world.lme.create("SBX-COLLECTPOINT", **abroad)
    world.advance(100)
    codes = [code for _, code in world.told("lme", number)]
    assert codes[-2:] == ["no_safe_no_way_contact", "sign_in"]
    assert codes == [code for _, code in world.truth("lme", number)]


def test_ubi_tells_times_of_the_place_without_an_offset_and_its_zone_beside_them(world: World) -> None:
    (made,) = world.ubi.create(ubi_client.order("shop-1", state="WA", city="Perth"))
    world.advance(100)
    (entry,) = world.ubi.ask("trackingEvents", [made["trackingNo"]])["data"]
    zones = [(one["eventCode"], one["location"], one["timeZone"]) for one in entry["events"]]
    assert zones == [
        ("DLD", "Perth", "GMT+08:00"),
        ("RCV", "Perth", "GMT+08:00"),
        ("CCD", "Sydney", "GMT+10:00"),
        ("DVR", "Sydney", "GMT+10:00"),
        ("SCN", "Shenzhen", "GMT+08:00"),
        ("RCV", "Shenzhen", "GMT+08:00"),
        ("INF", "Shenzhen", "GMT+08:00"),
    ]


def hours(kind: Kind, number: str) -> float:
    *_, last = journey(number, START, HOUSTON, AUSTIN, 1, kind=kind, hub=Place("Waco", "TX"), abroad=True)
    return (last.at - START) / timedelta(hours=1)


def test_an_ordinary_journey_takes_a_day_and_a_half_at_most_and_no_other_twice_as_long() -> None:
    numbers = [f"N{number}" for number in range(300)]
    assert max(hours(Kind.ORDINARY, number) for number in numbers) <= 36
    assert {kind for kind in Kind for number in numbers if hours(kind, number) > 72} == set()


def test_the_same_number_always_travels_alike_and_another_one_otherwise() -> None:
    assert hours(Kind.RETURN, "N1") == hours(Kind.RETURN, "N1") != hours(Kind.RETURN, "N2")


def test_steps_are_at_whole_seconds_and_a_second_apart_however_fast_time_runs() -> None:
    events = journey("N1", START + timedelta(microseconds=7), HOUSTON, AUSTIN, 1e9, kind=Kind.RETURN)
    times = [event.at for event in events]
    assert times == [START + timedelta(seconds=number) for number in range(len(times))]


@pytest.mark.parametrize("kind", Kind)
def test_without_a_hub_a_parcel_goes_straight_to_where_it_goes(kind: Kind) -> None:
    events = journey("N1", START, HOUSTON, AUSTIN, 1, kind=kind)
    assert {event.place for event in events} <= {HOUSTON, AUSTIN}
    passed = [(event.stage, event.place) for event in events]
    assert len(passed) == len(set(passed)) or kind in {Kind.ATTEMPT, Kind.RETURN}


def test_a_parcel_that_is_lost_on_a_straight_way_never_arrived() -> None:
    events = journey("N1", START, HOUSTON, AUSTIN, 1, kind=Kind.LOST)
    assert {event.place for event in events} == {HOUSTON}


@pytest.mark.parametrize(
    ("country", "state", "hours"),
    [
        ("AU", "VIC", 10),
        ("AU", "western australia", 8),
        ("US", "WA", -8),
        ("CA", "NS", -4),
        ("NZ", "", 12),
        ("XX", "", 0),
    ],
)
def test_places_have_clocks_of_their_own(country: str, state: str, hours: float) -> None:
    assert ahead_of_utc(country, state) == timedelta(hours=hours)
