"""Made-up orders for pictures and measurements: two weeks of a small shop, the same ones each time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from parcelgate.domain.measures import Money
from parcelgate.domain.merchants.tenant_settings import Brand, TenantSettings
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import Problem
from parcelgate.domain.trackings import TrackingEvent, TrackingStatus
from tests.support.api import TENANT
from tests.support.orders import an_event, an_order
from tests.support.world import World

DAYS = 14
_PEOPLE = ("Corrie McKee", "Ada Byrd", "Lin Wei", "Jonas Falk", "Marta Ruiz", "Sam Okafor", "Ines Dupont")
_STREETS = ("Market St", "Lakeside Drive", "Station Rd", "Elm Ave", "Harbour Lane")
_PLACES = {
    "lso": (
        ("Austin", "TX", "78701", "US"),
        ("Dallas", "TX", "75201", "US"),
        ("Houston", "TX", "77002", "US"),
    ),
    "ubi": (("Berwick", "VIC", "3806", "AU"), ("Perth", "WA", "6000", "AU")),
    "lme": (("Sydney", "NSW", "2000", "AU"), ("Brisbane", "QLD", "4000", "AU")),
}
_SERVICES = {"lso": "GroundBasic", "ubi": "UBI.AU2AU.AUPOST.1", "lme": "FHE-AU"}
_CURRENCIES = {"lso": "USD", "ubi": "AUD", "lme": "AUD"}
_WAY = (
    (3, TrackingStatus.INFO_RECEIVED, "Shipment information received", ""),
    (9, TrackingStatus.IN_TRANSIT, "Picked up", "Depot"),
    (26, TrackingStatus.IN_TRANSIT, "Arrived at hub", "Hub"),
    (50, TrackingStatus.OUT_FOR_DELIVERY, "Out for delivery", ""),
    (55, TrackingStatus.DELIVERED, "Delivered, left at the front door", ""),
)
_DAMAGED = (52, TrackingStatus.EXCEPTION, "Parcel damaged, to be inspected", "")


def requests(number: int, *, seed: int = 7) -> Iterator[tuple[str, dict[str, object]]]:
    """References of orders, and the facts of each."""
    random = Random(seed)
    for place in range(number):
        carrier = random.choice(("lso", "lso", "ubi", "lme"))
        city, state, postcode, country = random.choice(_PLACES[carrier])
        name, street = random.choice(_PEOPLE), random.choice(_STREETS)
        yield (
            f"web-{1001 + place}",
            {
                "carrier": carrier,
                "service": _SERVICES[carrier],
                "ship_to": Address(
                    name=name,
                    line1=f"{random.randint(1, 240)} {street}",
                    city=city,
                    state=state,
                    postcode=postcode,
                    country=country,
                ),
            },
        )


def fill(world: World) -> None:
    """Let the shop work for two weeks, until now."""
    world.clock.now = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(
        days=DAYS
    )
    random = Random(3)
    own = world.table.tenant(TENANT)
    made = requests(10 * DAYS)
    bought: list[Order] = []
    for day in range(DAYS + 1):
        if day:
            world.clock.now += timedelta(days=1)
        for _ in range(random.randint(3, 8)):
            reference, facts = next(made)
            carrier = str(facts["carrier"])
            cents = random.randint(690, 2190)
            world.carrier.price = Money(Decimal(cents).scaleb(-2), _CURRENCIES[carrier])
            world.carrier.behaviour.fails = random.random() < 0.05
            order = world.start_order(reference, **facts)
            world.clock.run(until=lambda order=order: world._settled(order), hours=1)
            world.stream()
            bought.append(world.order(order))
    for order in bought:
        for parcel in order.parcels:
            if parcel.tracking_id and parcel.tracking_number:
                way = _WAY if random.random() > 0.06 else (*_WAY[:3], _DAMAGED)
                events = _events(order, way, world.clock.now, slow=random.uniform(0.7, 2.5))
                world.tracker(carrier=order.carrier).reports(parcel.tracking_number, *events)
                own.trackings.plan(parcel.tracking_id, world.clock.now)
    while world.poll():
        pass
    _trouble(world)
    brand = Brand(name="Byrd Tools", colour="#1a7f5a", support_email="help@byrd.example")
    own.settings.put(TenantSettings(brand=brand))
    for carrier, login in (("lso", ("app_id", "app_secret")), ("ubi", ("token", "secret"))):
        world.put_account(carrier, dict.fromkeys(login, "made-up"))
        own.account_names.add(carrier, "default")
    world.stream()


def _events(
    order: Order, way: tuple[tuple[int, TrackingStatus, str, str], ...], now: datetime, *, slow: float
) -> list[TrackingEvent]:
    """What has happened to a parcel by now; `slow` stretches the plan."""
    return [
        TrackingEvent(
            at=at,
            code=f"C{hours}",
            description=words,
            status=status,
            city=f"{order.ship_to.city} {place}".strip(),
            utc_offset="+00:00",
        )
        for hours, status, words, place in way
        if (at := order.created_at + timedelta(hours=hours * slow)) < now
    ]


def _trouble(world: World) -> None:
    at = world.clock.now - timedelta(hours=3)
    reference, facts = next(requests(1, seed=11))
    problem = Problem(
        code="outcome_unknown",
        detail="The carrier's answer was lost. It may have the order: ask it before you create it again.",
    )
    stands = {"status": OrderStatus.NEEDS_ATTENTION, "problem": problem, "watch_at": None}
    order = an_order(reference=f"{reference}-b", at=at, **stands, **facts)
    own = world.table.tenant(TENANT)
    own.orders.add(order, an_event(at=at))
    own.inbox.put(carrier="lme", account="default", body=b"<html>", now=at, parked="not JSON")
