"""What becomes of each parcel: an answer that says yes as a whole may say no of every parcel in it."""

from typing import Any

import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    Refusal,
    RefusedError,
    TransientError,
)
from parcelgate.carriers.results import Amendment, Followed, Waybill
from parcelgate.domain.trackings import Customer
from tests.support.adapters import FakeTransport
from tests.unit.carriers.trackingmore.parcels import (
    LK,
    RP,
    Body,
    adapter,
    answer,
    error,
    fixture,
    following,
    item,
    printed,
    refusal,
    step,
)

UPPER = Waybill("dhl", "JD0001")
BOTH = [following(), following(LK)]


def batch(*told: Any, errors: Any = (), code: int = 201, **more: Any) -> Body:
    data = {"submitted": 2, "added": len(told), "trackings": [*told], "errors": [*errors]}
    return answer(data | more, code)


def followed(*told: Any, parcels: Any = None) -> Any:
    parcels = BOTH if parcels is None else parcels
    call = "trackingmore.post" if len({one.waybill for one in parcels}) == 1 else "trackingmore.batch"
    return adapter(FakeTransport({call: [*told]})).follow(parcels)


# Following.


def test_the_documents_sample_of_parcels_that_are_followed_already_is_no_error() -> None:
    assert followed(fixture("batch_answer_201.json")) == [
        Followed(waybill=RP, already=True),
        Followed(waybill=LK, already=True),
    ]


def test_the_documents_sample_of_parcels_that_were_added_is_read_once_its_commas_are_there() -> None:
    mended = printed("batch_answer_200_as_printed.txt").replace(
        b'"title": "title 1"\n', b'"title": "title 1",\n'
    )
    first, second = followed(mended)
    assert (first.waybill, second.waybill) == (RP, LK)
    assert not first.already
    (event,) = first.history.events
    assert (event.code, event.status, event.at.isoformat()) == (
        "pending",
        "pending",
        "2018-04-18T07:26:14+00:00",
    )


def test_a_201_that_added_nothing_is_a_failure_of_each() -> None:
    told = batch(errors=[error(RP, 4014, "bad number"), error(LK, 4015, "bad courier")])
    first, second = followed(told)
    assert isinstance(first, RefusedError)
    assert isinstance(second, RefusedError)
    assert (first.errors[0].pointer, second.errors[0].pointer) == ("/tracking_number", "/carrier_code")
    assert first.words is not None
    assert (first.words.name, first.words.code, first.words.message) == ("trackingmore", "4014", "bad number")


def test_results_are_matched_by_number_and_courier_and_never_by_place() -> None:
    told = batch(item(LK), errors=[error(RP, 4016)])
    first, second = followed(told)
    assert (first.waybill, first.already) == (RP, True)
    assert (second.waybill, second.already) == (LK, False)


def test_the_same_number_with_two_couriers_is_two_parcels() -> None:
    one, other = Waybill("dhl", "7000"), Waybill("ups", "7000")
    first, second = followed(
        batch(item(other), errors=[error(one, 4015)]), parcels=[following(one), following(other)]
    )
    assert isinstance(first, RefusedError)
    assert second.waybill == other


def test_a_parcel_that_is_in_neither_list_is_an_error_of_its_own() -> None:
    first, second = followed(batch(item(RP)))
    assert isinstance(first, Followed)
    assert isinstance(second, TransientError), "it may be asked for again"


def test_a_parcel_of_somebody_else_says_nothing_of_ours() -> None:
    stranger = Waybill("china-ems", "ANOTHER")
    assert [type(one) for one in followed(batch(item(stranger), item(RP)))] == [Followed, TransientError]


@pytest.mark.parametrize("given", ["jd0001", "JD 00 01", "\uff2a\uff24\uff10\uff10\uff10\uff11"])
def test_how_a_number_is_spelt_does_not_matter(given: str) -> None:
    ours = following(Waybill("Dhl", given))
    first, _ = followed(batch(item(UPPER)), parcels=[ours, following(LK)])
    assert first.waybill == ours.waybill
    (history,) = adapter(FakeTransport({"trackingmore.get": [page(item(UPPER))]})).track([given])
    assert history.tracking_number == given


def test_a_courier_that_was_corrected_is_told() -> None:
    first, _ = followed(batch(item(Waybill("dhl", RP.tracking_number)), item(LK)))
    assert first.waybill == Waybill("dhl", RP.tracking_number)
    assert first.history.carrier_code == "dhl"


def test_a_courier_that_may_not_be_corrected_is_not_taken_for_ours() -> None:
    parcels = [following(auto_correct=False), following(LK)]
    first, _ = followed(batch(item(Waybill("dhl", RP.tracking_number)), item(LK)), parcels=parcels)
    assert isinstance(first, TransientError)


def test_an_error_without_a_courier_is_matched_by_the_number_alone() -> None:
    told = error(RP, 4014) | {"carrier_code": None}
    first, second = followed(batch(item(LK), errors=[told]))
    assert isinstance(first, RefusedError)
    assert isinstance(second, Followed)


def test_a_list_may_come_as_php_writes_one_with_gaps() -> None:
    told = answer({"trackings": {"1": item(LK)}, "errors": {"0": error(RP, 4016)}}, 201)
    assert [(one.waybill, one.already) for one in followed(told)] == [(RP, True), (LK, False)]


def test_the_same_parcel_twice_is_asked_for_once() -> None:
    transport = FakeTransport({"trackingmore.post": [answer(item())]})
    results = adapter(transport).follow([following(), following()])
    assert len(results) == 2
    assert len(transport.requests) == 1


@pytest.mark.parametrize("told", [answer(item()), answer(item(), 201), batch(item())])
def test_one_parcel_is_followed_however_it_is_answered(told: Body) -> None:
    (result,) = followed(told, parcels=[following()])
    assert (result.waybill, result.already) == (RP, False)
    assert result.history.events


@pytest.mark.parametrize("told", [refusal(4016), batch(errors=[error(RP, 4016)])])
def test_one_parcel_that_is_followed_already_is_no_error(told: Body) -> None:
    assert followed(told, parcels=[following()]) == [Followed(waybill=RP, already=True)]


@pytest.mark.parametrize(
    ("code", "pointer"),
    [(4013, "/tracking_number"), (4014, "/tracking_number"), (4015, "/carrier_code"), (4018, "/carrier_code"),
     (4032, "/carrier_code"), (4012, None), (4019, None), (4021, None), (202, None), (402, None)],
)  # fmt: skip
def test_one_parcel_that_is_refused_comes_back_as_its_error(code: int, pointer: str | None) -> None:
    (result,) = followed(refusal(code, ""), parcels=[following()])
    assert isinstance(result, RefusedError)
    assert [one.pointer for one in result.errors] == ([pointer] if pointer else [])
    assert all(one.message for one in result.errors), "also when TrackingMore says nothing"


@pytest.mark.parametrize("data", [None, [], {}, "", {"trackings": []}])
def test_a_success_that_names_nothing_is_asked_for_again(data: Any) -> None:
    (result,) = followed(answer(data), parcels=[following()])
    assert isinstance(result, TransientError)


@pytest.mark.parametrize("code", [4021, 4019, 4020, 4012, 202])
def test_a_refusal_of_all_is_raised(code: int) -> None:
    with pytest.raises(RefusedError):
        followed(refusal(code))


def test_an_answer_beyond_a_limit_counts_for_those_that_it_names() -> None:
    first, second = followed(batch(item(RP), errors=[error(LK, 4021)], code=202))
    assert isinstance(first, Followed)
    assert isinstance(second, RefusedError)


@pytest.mark.parametrize(
    ("code", "kind"), [(429, TransientError), (503, TransientError), (4001, AuthenticationError)]
)
def test_trouble_of_one_parcel_is_its_own(code: int, kind: type[CarrierError]) -> None:
    first, second = followed(batch(item(LK), errors=[error(RP, code)]))
    assert isinstance(first, kind)
    assert isinstance(second, Followed)


def test_a_parcel_that_no_call_can_name_spoils_nobody_elses() -> None:
    transport = FakeTransport({"trackingmore.post": [answer(item())]})
    bad, good = adapter(transport).follow([following(LK, destination_country="CHN"), following()])
    assert isinstance(bad, RefusedError)
    assert [one.pointer for one in bad.errors] == ["/destination_country"]
    assert isinstance(good, Followed)


# Polling.


def page(*items: Body, **more: Any) -> Body:
    return answer({"page": 1, "limit": 2000, "total": len(items), "items": [*items], **more})


def test_forty_numbers_are_asked_for_at_once() -> None:
    transport = FakeTransport({"trackingmore.get": [page()]})
    numbers = [f"N{number:03}" for number in range(85)]
    assert adapter(transport).track([*numbers, "N000"]) == []
    asked = [request.url.split("numbers=")[1].split("&")[0] for request in transport.requests]
    assert [len(one.split("%2C")) for one in asked] == [40, 40, 5]
    assert [number for one in asked for number in one.split("%2C")] == numbers


def test_every_page_is_fetched() -> None:
    parcels = [Waybill("dhl", f"N{number}") for number in range(5)]
    pages = [
        page(*(item(one) for one in some), total=5, limit=2)
        for some in (parcels[:2], parcels[2:4], parcels[4:])
    ]
    transport = FakeTransport({"trackingmore.get": [*pages]})
    found = adapter(transport, page_size=2).track([one.tracking_number for one in parcels])
    assert [one.tracking_number for one in found] == [one.tracking_number for one in parcels]
    assert [request.url.rpartition("numbers=")[2].partition("&")[2] for request in transport.requests] == [
        f"page={number}&limit=2" for number in (1, 2, 3)
    ]


def test_pages_without_a_total_are_fetched_until_one_is_not_full() -> None:
    pages = [page(item(RP), total=None, limit=1), page(item(LK), total=None, limit=1), page(total=None)]
    transport = FakeTransport({"trackingmore.get": [*pages]})
    assert len(adapter(transport).track([RP.tracking_number, LK.tracking_number])) == 2
    assert len(transport.requests) == 3


def test_a_list_that_never_ends_is_left() -> None:
    transport = FakeTransport({"trackingmore.get": [page(item(RP), total=99)]})
    assert len(adapter(transport).track([RP.tracking_number])) == 1
    assert len(transport.requests) == 2, "the second page brought nothing new"


@pytest.mark.parametrize("told", [refusal(4031), refusal(4017), page(), answer([]), answer(None)])
def test_what_is_not_followed_does_not_come_back(told: Body) -> None:
    assert adapter(FakeTransport({"trackingmore.get": [told]})).track(["X"]) == []


@pytest.mark.parametrize("code", [404, 405, 4012, 4020])
def test_a_list_that_is_refused_is_not_an_empty_one(code: int) -> None:
    with pytest.raises(RefusedError):
        adapter(FakeTransport({"trackingmore.get": [refusal(code)]})).track(["X"])


def test_histories_are_matched_by_number_and_keep_their_couriers() -> None:
    dhl, ups = Waybill("dhl", "7000"), Waybill("ups", "7000")
    told = page(item(ups), item(Waybill("dhl", "STRANGER")), item(dhl), item(UPPER))
    found = adapter(FakeTransport({"trackingmore.get": [told]})).track(["jd0001", "7000"])
    assert [(one.carrier_code, one.tracking_number) for one in found] == [
        ("ups", "7000"),
        ("dhl", "STRANGER"),
        ("dhl", "7000"),
        ("dhl", "jd0001"),
    ]


# One parcel.


@pytest.mark.parametrize("told", [answer(item()), answer([item()]), answer({"items": [item()]})])
@pytest.mark.parametrize("ask", ["history", "realtime"])
def test_one_parcel_is_read_however_it_is_wrapped(ask: str, told: Body) -> None:
    call = {"history": "get_one", "realtime": "realtime"}[ask]
    found = getattr(adapter(FakeTransport({f"trackingmore.{call}": [told]})), ask)(RP)
    assert (found.tracking_number, found.carrier_code) == (RP.tracking_number, RP.carrier_code)
    assert [event.status for event in found.events] == ["in_transit"]


@pytest.mark.parametrize(
    "told", [refusal(4031), refusal(4017), refusal(404), answer([]), answer({}), answer({"items": []})]
)
@pytest.mark.parametrize("ask", ["history", "realtime"])
def test_nothing_is_known_of_a_parcel_that_is_not_followed(ask: str, told: Body) -> None:
    call = {"history": "get_one", "realtime": "realtime"}[ask]
    assert getattr(adapter(FakeTransport({f"trackingmore.{call}": [told]})), ask)(RP) is None


def test_another_parcels_history_is_not_taken_for_ours() -> None:
    with pytest.raises(TransientError):
        adapter(FakeTransport({"trackingmore.get_one": [answer(item(LK))]})).history(RP)


def test_a_parcel_that_has_another_courier_by_now_is_ours_still() -> None:
    told = answer(item(Waybill("dhl", RP.tracking_number)))
    found = adapter(FakeTransport({"trackingmore.get_one": [told]})).history(RP)
    assert found is not None
    assert found.carrier_code == "dhl"


# Changing, forgetting, pausing.

CHANGES = [Amendment(waybill=RP, title="a"), Amendment(waybill=LK, customer=Customer(name="Ada"))]


@pytest.mark.parametrize(
    "data",
    [
        [],
        None,
        {"submitted": 2, "change": 2, "trackings": []},
        {"submitted": 2, "change": 2, "trackings": [error(LK, 0), error(RP, 0)]},
        {"submitted": 2, "deleted": 2},
        {"trackings": [{"tracking_number": "lk894734223cn", "carrier_code": "CHINA-EMS"}, item(RP)]},
    ],
)
def test_every_way_of_saying_that_all_were_changed_is_understood(data: Any) -> None:
    script: Any = {f"trackingmore.{call}": [answer(data)] for call in ("updatemore", "delete", "notupdate")}
    tm = adapter(FakeTransport(script))
    assert tm.amend(CHANGES) == [None, None]
    assert tm.forget([RP, LK]) == [None, None]
    assert tm.pause([RP, LK]) == [None, None]


def test_what_was_not_changed_is_an_error_of_its_own() -> None:
    data = {"submitted": 2, "change": 1, "trackings": [error(LK, 0)], "errors": [error(RP, 4017, "gone")]}
    script: Any = {f"trackingmore.{call}": [answer(data)] for call in ("updatemore", "delete", "notupdate")}
    tm = adapter(FakeTransport(script))
    for first, second in (tm.amend(CHANGES), tm.pause([RP, LK])):
        assert isinstance(first, RefusedError)
        assert first.reason is Refusal.UNKNOWN_ORDER
        assert second is None
    assert tm.forget([RP, LK]) == [None, None], "one that is not followed is forgotten already"


def test_a_parcel_that_no_list_names_may_not_have_been_changed() -> None:
    data = {"submitted": 2, "change": 1, "trackings": [error(LK, 0)]}
    first, second = adapter(FakeTransport({"trackingmore.updatemore": [answer(data)]})).amend(CHANGES)
    assert isinstance(first, TransientError)
    assert second is None
    nothing = {"submitted": 2, "change": 0, "trackings": []}
    found = adapter(FakeTransport({"trackingmore.notupdate": [answer(nothing)]})).pause([RP, LK])
    assert [type(one) for one in found] == [TransientError, TransientError]


@pytest.mark.parametrize("code", [4017, 4031, 404])
def test_forgetting_one_that_is_not_followed_is_no_error(code: int) -> None:
    assert adapter(FakeTransport({"trackingmore.delete_one": [refusal(code)]})).forget([RP]) == [None]
    (error,) = adapter(FakeTransport({"trackingmore.put_one": [refusal(code)]})).amend(CHANGES[:1])
    assert isinstance(error, RefusedError)


def test_a_refusal_of_all_changes_is_raised_and_that_of_one_is_its_own() -> None:
    script: Any = {f"trackingmore.{call}": [refusal(4012)] for call in ("updatemore", "put_one")}
    tm = adapter(FakeTransport(script))
    with pytest.raises(RefusedError):
        tm.amend(CHANGES)
    (one,) = tm.amend(CHANGES[:1])
    assert isinstance(one, RefusedError)


def test_amendments_keep_their_places() -> None:
    data = {"trackings": [], "errors": [error(LK, 4017)]}
    changes = [Amendment(waybill=RP), CHANGES[1], CHANGES[0]]
    nothing, second, third = adapter(
        FakeTransport({"trackingmore.updatemore": [answer(data | {"updated": 1})]})
    ).amend(changes)
    assert (nothing, third) == (None, None)
    assert isinstance(second, RefusedError)


# Another courier.


@pytest.mark.parametrize("told", [answer([]), answer(item(), 201), refusal(4016)])
def test_another_courier_is_taken(told: Body) -> None:
    transport = FakeTransport({"trackingmore.update": [told]})
    adapter(transport).correct(RP, "dhl")
    assert transport.calls == ["trackingmore.update"]
    assert "dhl" in (transport.requests[0].body or b"").decode()


def test_asked_again_after_a_lost_answer_it_is_corrected_already() -> None:
    script: Any = {
        "trackingmore.update": [refusal(4017)],
        "trackingmore.get_one": [answer(item(Waybill("dhl", RP.tracking_number)))],
    }
    transport = FakeTransport(script)
    adapter(transport).correct(RP, "dhl")
    assert transport.requests[-1].url.endswith(f"/trackings/dhl/{RP.tracking_number}")


@pytest.mark.parametrize("found", [refusal(4031), answer([]), answer(item())])
def test_a_parcel_that_is_not_followed_cannot_be_corrected(found: Body) -> None:
    script: Any = {"trackingmore.update": [refusal(4017)], "trackingmore.get_one": [found]}
    with pytest.raises(RefusedError) as caught:
        adapter(FakeTransport(script)).correct(RP, "dhl")
    assert caught.value.reason is Refusal.UNKNOWN_ORDER


def test_a_courier_that_does_not_exist_is_refused_at_its_field() -> None:
    with pytest.raises(RefusedError) as caught:
        adapter(FakeTransport({"trackingmore.update": [refusal(4015)]})).correct(RP, "dhll")
    assert caught.value.errors[0].pointer == "/carrier_code"


def test_an_unreadable_checkpoint_is_set_aside_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    told = item(origin_info={"trackinfo": [step(), step(date="soon"), "nonsense", step(date=None)]})
    (history,) = adapter(FakeTransport({"trackingmore.get": [page(told)]})).track([RP.tracking_number])
    assert len(history.events) == 1
    assert "3 checkpoints" in caplog.text
