"""`GET /v1/events` and one of them: in the words of what was told, and by what the key may read."""

import io
import runpy
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from infra.bundle import ROOT
from parcelgate.domain.clock import now
from parcelgate.domain.merchants.events import KEPT, Event
from parcelgate.domain.orders import OrderStatus
from tests.support.api import Backend, Reply, call
from tests.support.events import an_event_showing
from tests.support.orders import an_order
from tests.support.trackings import a_tracking

READS = "orders:read trackings:read"
ORDER = an_order(status=OrderStatus.CONFIRMED)
PARCEL = a_tracking(id="trk_1", order_id=ORDER.id)


@pytest.fixture
def told(backend: Backend) -> list[Event]:
    """An order and its parcel were told of, newest first."""
    at = now()
    backend.table.tenant("acme").trackings.add(PARCEL)
    events = [
        an_event_showing(ORDER, "order.confirmed", at=at - timedelta(minutes=3)),
        an_event_showing(ORDER, "label.ready", at=at - timedelta(minutes=2)),
        an_event_showing(PARCEL, "tracking.updated", at=at - timedelta(minutes=1)),
        an_event_showing(PARCEL, "tracking.delivered", at=at),
    ]
    for event in events:
        backend.events.tenant("acme").log.add(event)
    return events[::-1]


def listed(scopes: str = READS, **query: str) -> Reply:
    return call("GET /v1/events", query=query, scopes=scopes)


def types(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.text
    return [event["type"] for event in reply.json()["data"]]


def test_an_event_is_read_in_the_bytes_in_which_it_is_sent(told: list[Event]) -> None:
    for event in told:
        reply = call("GET /v1/events/{id}", id=event.id)
        assert (reply.status, reply.text.encode()) == (200, event.body)
        assert reply.json()["id"] == event.id


def test_events_are_listed_newest_first_page_by_page(told: list[Event]) -> None:
    reply = listed(limit="3")
    assert [event["id"] for event in reply.json()["data"]] == [event.id for event in told[:3]]
    rest = listed(limit="3", cursor=reply.json()["next_cursor"]).json()
    assert ([event["id"] for event in rest["data"]], rest["next_cursor"]) == ([told[3].id], None)


def test_the_events_of_a_followed_parcel_stand_in_a_list_of_its_own(
    backend: Backend, told: list[Event]
) -> None:
    followed = a_tracking(id="trk_2", carrier="trackingmore", tracking_number="LK2CN")
    backend.table.tenant("acme").trackings.add(followed)
    event = an_event_showing(followed, "tracking.updated", at=now())
    backend.events.tenant("acme").log.add(event)
    assert [each["id"] for each in listed(tracking_id="trk_2").json()["data"]] == [event.id]
    backend.table.tenant("acme").trackings.remove(followed)
    assert [each["id"] for each in listed(tracking_id="trk_2").json()["data"]] == [event.id], (
        "forgotten since"
    )


def test_a_list_is_narrowed_by_type_order_tracking_and_time(told: list[Event]) -> None:
    assert types(listed(type="label.ready")) == ["label.ready"]
    assert len(types(listed(order_id=ORDER.id))) == 4
    assert types(listed(order_id=ORDER.id, type="tracking.updated")) == ["tracking.updated"]
    assert types(listed(tracking_id="trk_1")) == ["tracking.delivered", "tracking.updated"]
    assert types(listed(tracking_id="trk_1", order_id="ord_9")) == []
    assert types(listed(after=told[1].at.isoformat())) == ["tracking.delivered"]
    assert types(listed(before=told[2].at.isoformat())) == ["order.confirmed"]


def test_a_key_is_shown_what_it_may_read(told: list[Event]) -> None:
    assert types(listed("orders:read")) == ["label.ready", "order.confirmed"]
    assert types(listed("orders:read", order_id=ORDER.id)) == ["label.ready", "order.confirmed"]
    assert types(listed("trackings:read")) == ["tracking.delivered", "tracking.updated"]
    delivered, _, _, confirmed = told
    for scope, event in (("orders:read", confirmed), ("trackings:read", delivered)):
        assert call("GET /v1/events/{id}", id=event.id, scopes=scope).status == 200


@pytest.mark.parametrize(
    ("scope", "query"),
    [
        ("orders:read", {"type": "tracking.delivered"}),
        ("orders:read", {"tracking_id": "trk_1"}),
        ("orders:read", {"tracking_id": "trk_1", "order_id": "ord_1"}),
        ("trackings:read", {"type": "order.confirmed"}),
        ("trackings:read", {"type": "batch.finished"}),
        ("trackings:read", {"type": "label.ready"}),
        ("trackings:read", {"order_id": "ord_1"}),
        ("orders:write operator", {}),
        ("orders:read trackings:read", {"type": "ping"}),
    ],
)
def test_a_filter_for_what_the_key_may_not_read_is_refused(
    scope: str, query: dict[str, str], told: list[Event]
) -> None:
    reply = listed(scope, **query)
    assert (reply.status, reply.code) == (403, "missing_scope")


def test_an_event_of_another_kind_is_refused_and_anothers_event_is_not_there(told: list[Event]) -> None:
    delivered, _, _, confirmed = told
    for scope, event in (("trackings:read", confirmed), ("orders:read", delivered)):
        reply = call("GET /v1/events/{id}", id=event.id, scopes=scope)
        assert (reply.status, reply.code) == (403, "missing_scope")
        assert call("GET /v1/events/{id}", id=event.id, scopes=READS, tenant="other").status == 404


def test_an_event_is_gone_after_thirty_days(backend: Backend) -> None:
    event = an_event_showing(ORDER, "order.confirmed", at=now() - KEPT)
    backend.events.tenant("acme").log.add(event)
    assert listed().json()["data"] == []
    assert call("GET /v1/events/{id}", id=event.id).status == 404


@pytest.mark.parametrize(
    "query",
    [{"type": "order.lost"}, {"after": "soon"}, {"limit": "0"}, {"cursor": "x"}, {"status": "confirmed"}],
)
def test_a_filter_that_cannot_be_is_named(query: dict[str, str], backend: Backend) -> None:
    reply = listed(**query)
    assert (reply.status, list(reply.errors)) == (422, [f"/{next(iter(query))}"])


def test_a_page_of_very_large_events_is_cut_and_goes_on(backend: Backend) -> None:
    at = now()
    for n in range(3):
        order = an_order(id=f"ord_{n}", status=OrderStatus.CONFIRMED, metadata={"note": "x" * 1_500_000})
        event = an_event_showing(order, "order.confirmed", at=at - timedelta(minutes=n))
        backend.events.tenant("acme").log.add(event)
    reply = listed().json()
    assert [event["data"]["id"] for event in reply["data"]] == ["ord_0", "ord_1"]
    rest = listed(cursor=reply["next_cursor"]).json()
    assert [event["data"]["id"] for event in rest["data"]] == ["ord_2"]


def test_the_example_of_the_docs_hears_of_everything_once(
    told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    def urlopen(request: Any) -> io.StringIO:
        assert request.headers == {"Authorization": "Bearer pg_1"}
        query = dict(parse_qsl(urlsplit(request.full_url).query))
        return io.StringIO(listed(**query | {"limit": "3"}).text)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setenv("API", "https://api.test")
    monkeypatch.setenv("KEY", "pg_1")
    events_since = runpy.run_path(str(ROOT / "docs" / "examples" / "catch_up.py"))["events_since"]
    oldest_first = [event.id for event in told[::-1]]
    assert [event["id"] for event in events_since(told[-1].at, set())] == oldest_first
    assert [event["id"] for event in events_since(told[1].at, {*oldest_first[:3]})] == oldest_first[3:]
