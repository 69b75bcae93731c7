"""What the sandbox pushes, as the adapter reads it: the same events that are told to who asks."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.lme.adapter import Adapter as Lme
from parcelgate.carriers.results import ParcelHistory, Trust
from parcelgate.domain.clock import now
from parcelgate.domain.trackings import Source, Tracking, TrackingStatus, merge
from sandbox import Settings, serve
from tests.sandbox.conftest import Receiver, eventually, receiver
from tests.sandbox.lme_client import LOGINS, Client
from tests.support.adapters import FakeVault, Impatient
from tests.unit.carriers.lme.orders import account

__all__ = ["receiver"]


class Platform:
    """A running sandbox that pushes to a receiver, and the adapter that reads it."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        login = LOGINS["default"]
        self.http = httpx.Client(base_url=url, trust_env=False)
        self.http.post("/_sandbox/reset").raise_for_status()
        self.http.post("/_sandbox/webhooks", json={"lme": {"default": receiver.url}}).raise_for_status()
        self.client = Client(self.http, login)
        self.receiver = receiver
        credentials = {name: login[name] for name in ("app_key", "client_private", "lme_public")}
        config: AccountConfig = account(base_url=f"{url}/lme", credentials=credentials)
        self.carrier = Lme(Connection(config, send=Impatient(None), tokens=FakeVault(), clock=now))

    def lives(self, reference: str) -> str:
        """A parcel of which all has happened and all was pushed, or nothing will be."""
        number = self.client.create(reference)
        self.http.post("/_sandbox/advance", json={"seconds": 100 * 3600}).raise_for_status()
        expected = len(self.client.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"])
        eventually(lambda: len(self.client.ledger()["callbacks"]) == expected)
        return number

    def readings(self) -> Iterator[Any]:
        for headers, body in zip(self.receiver.headers, self.receiver.got, strict=True):
            yield self.carrier.verify_webhook(headers, json.dumps(body).encode())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(Settings(accounts={"lme": LOGINS}, acceleration=1)) as url:
        yield url


@pytest.fixture
def platform(url: str, receiver: Receiver) -> Platform:
    return Platform(url, receiver)


def joined(number: str, *told: tuple[ParcelHistory, Source]) -> Tracking:
    at = now()
    tracking = Tracking(
        id="trk_1", tenant="t", carrier="lme", account="default", tracking_number=number,
        created_at=at, updated_at=at,
    )  # fmt: skip
    for history, source in told:
        tracking = merge(
            tracking,
            history.events,
            source=source,
            at=at,
            other_numbers=history.other_numbers,
            proof=history.proof,
        )
    return tracking


@pytest.mark.parametrize(
    ("word", "trust"),
    [
        ("", Trust.BELIEVED),
        ("SBX-UNSIGNED", Trust.NUDGE),
        ("SBX-PLAINPUSH", Trust.NUDGE),
        ("SBX-PUSHV1", Trust.BELIEVED),
        ("SBX-PUSHV1 SBX-PLAINPUSH SBX-RETURN", Trust.NUDGE),
    ],
)
def test_pushes_are_read_for_what_they_are_worth_and_tell_what_asking_tells(
    platform: Platform, word: str, trust: Trust
) -> None:
    number = platform.lives(f"shop {word}")
    readings = [*platform.readings()]
    assert {reading.trust for reading in readings} == {trust}
    (polled,) = platform.carrier.track([number])
    pushed = [(reading.history, Source.WEBHOOK) for reading in readings]
    assert len(pushed) == len(polled.events)
    both = joined(number, *pushed, (polled, Source.POLL))
    assert {event.id for event in both.events} == {
        event.id for event in joined(number, (polled, Source.POLL)).events
    }
    assert all(event.source is Source.WEBHOOK for event in both.events)


def test_pushes_in_disorder_make_the_timeline_that_has_truly_happened(
    platform: Platform,
) -> None:
    number = platform.client.create("SBX-DISORDER")
    platform.http.post("/_sandbox/advance", json={"seconds": 100 * 3600}).raise_for_status()
    eventually(lambda: len(platform.receiver.got) == 14)
    told = [(reading.history, Source.WEBHOOK) for reading in platform.readings()]
    timeline = joined(number, *told)
    (parcel,) = platform.http.get("/_sandbox/truth").json()["lme"]
    assert [(event.at.isoformat(timespec="milliseconds"), event.code) for event in timeline.events] == [
        (event["at"], event["code"]) for event in parcel["events"]
    ]
    assert timeline.status is TrackingStatus.DELIVERED
    assert timeline.proof is not None


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("SBX-ATTEMPT", TrackingStatus.DELIVERED),
        ("SBX-CUSTOMS", TrackingStatus.DELIVERED),
        ("SBX-PARCELLOST", TrackingStatus.LOST),
        ("SBX-DAMAGED", TrackingStatus.DAMAGED),
        ("SBX-RETURN", TrackingStatus.RETURNING),
        ("SBX-COLLECTPOINT", TrackingStatus.DELIVERED),
    ],
)
def test_every_journey_ends_as_it_should(platform: Platform, word: str, status: TrackingStatus) -> None:
    number = platform.lives(word)
    readings = [*platform.readings()]
    events = [event for reading in readings for event in reading.history.events]
    assert all(event.status is not None or event.is_housekeeping for event in events), "no code is unknown"
    assert joined(number, *((reading.history, Source.WEBHOOK) for reading in readings)).status is status
