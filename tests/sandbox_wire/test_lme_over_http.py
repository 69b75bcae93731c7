"""The adapter and the real transport against the carrier sandbox, over HTTP."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest

from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.errors import (
    AuthenticationError,
    LabelPendingError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.lme.adapter import Adapter as Lme
from parcelgate.carriers.results import Confirmed, NotFound, Pending
from parcelgate.domain.clock import now
from parcelgate.domain.orders import Options, Order
from parcelgate.domain.trackings import TrackingStatus
from sandbox import Settings, serve
from sandbox.lme import new_login
from tests.support.adapters import FakeVault, Impatient
from tests.unit.carriers.lme.orders import account, order_of, parcel, receiver

pytestmark = pytest.mark.usefixtures("no_kept_connections")


def order(reference: str, **changes: Any) -> Order:
    own = (parcel(reference=f"{reference}-1"),)
    return order_of(**{"reference": reference, "parcels": own, "options": Options(), **changes})


def known(asked: Order, found: Any) -> Order:
    """The order with the number that the carrier gave it."""
    assert isinstance(found, Confirmed)
    number = found.parcels[0].tracking_number
    own = msgspec.structs.replace(asked.parcels[0], tracking_number=number)
    return msgspec.structs.replace(asked, carrier_order_number=found.carrier_order_number, parcels=(own,))


class Platform:
    """A running sandbox, seen from outside, and the adapter that talks to it."""

    def __init__(self, url: str, login: dict[str, str]) -> None:
        self.url = url
        self.login = login
        self.control = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False)
        self.carrier = self.adapter()

    def adapter(
        self,
        *,
        patience: float | None = None,
        reread: Callable[[], AccountConfig] | None = None,
        login: dict[str, str] | None = None,
        **overrides: Any,
    ) -> Lme:
        config = self.account(login, **overrides)
        return Lme(Connection(config, send=Impatient(patience), tokens=FakeVault(), clock=now, reread=reread))

    def account(self, login: dict[str, str] | None = None, **overrides: Any) -> AccountConfig:
        login = login or self.login
        credentials = {name: login[name] for name in ("app_key", "client_private", "lme_public")}
        return account(base_url=f"{self.url}/lme", credentials=credentials, overrides=overrides)

    def fault(self, call: str, kind: str, **more: Any) -> None:
        fault = {"carrier": "lme", "call": call, "kind": kind} | more
        self.control.post("/faults", json=[fault]).raise_for_status()

    def ledger(self) -> Any:
        return self.control.get("/ledger").json()["lme"]

    def advance(self, hours: float) -> None:
        self.control.post("/advance", json={"seconds": hours * 3600}).raise_for_status()

    def created(self, reference: str, **changes: Any) -> Order:
        asked = order(reference, **changes)
        assert not self.carrier.examine(asked).errors
        return known(asked, self.carrier.create(asked))


@pytest.fixture(scope="module", params=[1024, 2048], ids="{} bits".format)
def running(request: pytest.FixtureRequest) -> Iterator[Platform]:
    login = new_login("APP-1", request.param)
    with serve(Settings(accounts={"lme": {"default": login}}, acceleration=1)) as url:
        yield Platform(url, login)


@pytest.fixture
def platform(running: Platform) -> Platform:
    running.control.post("/reset").raise_for_status()
    return running


def test_an_order_from_its_creation_to_its_delivery(platform: Platform) -> None:
    made = platform.created("shop-1")
    number = made.carrier_order_number or ""
    assert number.startswith("FHE")
    assert isinstance(platform.carrier.find_by_reference(order("shop-1")), Confirmed)
    (label,) = platform.carrier.label(made)
    assert label.content.startswith(b"%PDF-")
    platform.advance(60)
    (journey,) = platform.carrier.track([number])
    assert [event.status for event in journey.events if not event.is_housekeeping] == [
        TrackingStatus.INFO_RECEIVED,
        *[TrackingStatus.IN_TRANSIT] * 4,
        TrackingStatus.OUT_FOR_DELIVERY,
        TrackingStatus.DELIVERED,
    ]
    assert {(event.utc_offset, event.country) for event in journey.events} == {("+10:00", "AU")}
    assert journey.proof is not None
    assert journey.proof.image_url


def test_both_versions_of_the_route_tell_the_same_story(platform: Platform) -> None:
    number = platform.created("shop-1").carrier_order_number or ""
    platform.advance(60)
    (newer,) = platform.carrier.track([number])
    (older,) = platform.adapter(route="v1").track([number])
    assert [(e.at, e.code, e.status) for e in older.events] == [
        (e.at, e.code, e.status) for e in newer.events
    ]


def test_an_order_is_changed_and_cancelled_and_its_reference_is_free_again(platform: Platform) -> None:
    made = platform.created("shop-1")
    changed = msgspec.structs.replace(made, ship_to=receiver(city="Officer", postcode="3809"))
    assert platform.carrier.update(changed).carrier_order_number == made.carrier_order_number
    assert isinstance(platform.carrier.find_by_reference(changed), Confirmed)
    for _ in range(2):
        assert platform.carrier.cancel(made, at=now()).refund_status == "none"
    assert platform.created("shop-1").carrier_order_number != made.carrier_order_number
    with pytest.raises(RefusedError, match="cancelled"):
        platform.carrier.label(made)


def test_a_parcel_that_was_collected_can_be_neither_cancelled_nor_changed(platform: Platform) -> None:
    made = platform.created("SBX-COLLECTED")
    with pytest.raises(RefusedError, match="collected"):
        platform.carrier.cancel(made, at=now())
    with pytest.raises(RefusedError, match="collected"):
        platform.carrier.update(made)


def test_a_refusal_points_at_the_field(platform: Platform) -> None:
    with pytest.raises(RefusedError) as raised:
        platform.carrier.create(order("SBX-REJECT"))
    assert [error.pointer for error in raised.value.errors] == ["/ship_to/postcode"]
    assert platform.ledger()["orders"] == []


def test_a_second_create_of_ours_is_adopted_and_of_another_is_refused(platform: Platform) -> None:
    made = platform.created("shop-1")
    assert platform.carrier.create(order("shop-1")).carrier_order_number == made.carrier_order_number
    with pytest.raises(RefusedError) as raised:
        platform.carrier.create(order("shop-1", ship_to=receiver(name="Somebody Else")))
    assert [error.code for error in raised.value.errors] == ["reference_in_use"]
    assert platform.ledger()["duplicates"] == {}


def test_an_address_is_checked(platform: Platform) -> None:
    assert platform.carrier.validate_address(receiver()).valid
    found = platform.carrier.validate_address(receiver(postcode="38", city="BERWICK"))
    assert not found.valid
    assert [message.pointer for message in found.messages] == ["/address/postcode"]


def test_a_label_may_be_late_bad_or_elsewhere(platform: Platform) -> None:
    late = platform.created("SBX-NOLABEL-1 SBX-SPOILT-1")
    for _ in range(2):
        with pytest.raises(LabelPendingError):
            platform.carrier.label(late)
    assert platform.carrier.label(late)[0].format == "pdf"
    assert platform.carrier.label(platform.created("SBX-LABELURL"))[0].format == "pdf"
    with pytest.raises(LabelPendingError):
        platform.carrier.label(platform.created("SBX-BADLABEL"))


def test_wrong_keys_are_refused_until_the_account_is_read_again(platform: Platform) -> None:
    stale = new_login("APP-1")
    stale["lme_public"] = platform.login["lme_public"]
    with pytest.raises(AuthenticationError):
        platform.adapter(login=stale).create(order("shop-1"))
    mended = platform.adapter(login=stale, reread=platform.account)
    assert mended.create(order("shop-1")).carrier_order_number


SPOILT: dict[str, dict[str, Any]] = {
    "reset_before": {},
    "reset_after": {},
    "timeout": {"seconds": 5},
    "half_body": {},
    "wrong_type": {},
    "status_500": {},
    "html_502": {},
    "code": {"code": 503},
}


@pytest.mark.parametrize("word", ["", *SPOILT, "SBX-LOST", "SBX-GARBAGE", "SBX-5XX-1"])
def test_whatever_goes_wrong_with_a_create_there_is_one_order_at_most(platform: Platform, word: str) -> None:
    """Promise 2: what may have been taken is looked up, and what is found is adopted, never bought twice."""
    asked = order(f"shop {word}")
    if word in SPOILT:
        platform.fault("create", word, **SPOILT[word])
    if not word:
        assert platform.carrier.create(asked).carrier_order_number
        return
    hurried = platform.adapter(patience=0.5)
    carrier = hurried if word == "timeout" else platform.carrier
    with pytest.raises(UnknownOutcomeError):
        carrier.create(asked)
    found = platform.carrier.find_by_reference(asked)
    if isinstance(found, NotFound):
        found = platform.carrier.create(asked)
    assert isinstance(found, Confirmed)
    (entry,) = platform.ledger()["orders"]
    assert entry["order_number"] == found.carrier_order_number


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize("call", ["query", "cancel", "queryRouteV2", "queryLabel", "addressValidate"])
def test_whatever_goes_wrong_with_a_question_it_can_be_asked_again(
    platform: Platform, call: str, kind: str
) -> None:
    made = platform.created("shop-1")
    ask: dict[str, Callable[[], Any]] = {
        "query": lambda: platform.carrier.find_by_reference(made),
        "cancel": lambda: platform.carrier.cancel(made, at=now()),
        "queryRouteV2": lambda: platform.carrier.track([made.carrier_order_number or ""]),
        "queryLabel": lambda: platform.carrier.label(made),
        "addressValidate": lambda: platform.carrier.validate_address(receiver()),
    }
    platform.fault(call, kind, **SPOILT[kind] | ({"seconds": 0} if kind == "timeout" else {}))
    try:
        first = ask[call]()
    except (TransientError, LabelPendingError):
        pass
    else:
        # The wrong types of some answers mean nothing, and of some the same.
        assert isinstance(first, Pending) or kind == "wrong_type"
    again = ask[call]()
    assert not isinstance(again, Pending)


def test_too_many_requests_says_when_to_come_back(platform: Platform) -> None:
    platform.fault("create", "429", retry_after=7)
    with pytest.raises(TransientError) as raised:
        platform.carrier.create(order("shop-1"))
    assert raised.value.retry_after == 7


def test_orders_by_the_hundred(platform: Platform) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda n: platform.created(f"shop-{n}").carrier_order_number, range(200)))
    assert len(set(numbers)) == 200
    assert len(platform.ledger()["orders"]) == 200
