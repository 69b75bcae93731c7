"""Creating an order: what is taken, what is refused, and that nothing is ever half made."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from parcelgate import aws_clients
from parcelgate.domain.orders import OrderStatus
from parcelgate.runtime import runtime
from tests.support.api import (
    EVERY_SCOPE,
    Backend,
    Body,
    Reply,
    a_box,
    call,
    order_body,
)
from tests.support.faults import Faults, Killed, aws_error, die

ROUTE = "POST /v1/orders"
LIMIT = 256 * 1024


def create(body: Any = None, **more: Any) -> Reply:
    return call(ROUTE, body=order_body() if body is None else body, **more)


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


class TestAGoodOrder:
    def test_is_taken_stored_and_handed_to_its_workflow(self, backend: Backend) -> None:
        reply = create()

        order = reply.json()
        assert reply.status == 202
        assert reply.headers["location"] == f"/v1/orders/{order['id']}"
        assert int(reply.headers["retry-after"]) > 0
        assert order["status"] == "accepted"
        assert backend.executions() == [order["id"]]
        stored = backend.order(order["id"])
        assert stored.status is OrderStatus.ACCEPTED
        assert stored.watch_at is not None
        assert stored.watch_at > stored.created_at

    def test_keeps_the_id_of_its_request_for_all_that_follows(self, backend: Backend) -> None:
        order = create().json()

        asked = backend.order(order["id"]).correlation_id
        assert asked == "JKJaXmPLvHcESHA="
        assert "correlation_id" not in order
        assert f'"correlation_id":"{asked}"' in backend.execution_input(order["id"])

    def test_is_shown_as_understood_with_defaults_filled_in(self, backend: Backend) -> None:
        body = order_body(
            parcels=[a_box(), a_box(reference="second", description="")], metadata={"a": "b", "c": None}
        )

        order = create(body).json()

        assert [parcel["reference"] for parcel in order["parcels"]] == ["shop-17-1", "second"]
        assert order["account"] == "default"
        assert order["label"] == {"status": "pending", "format": "pdf", "size": "4x6", "dpi": None}
        assert order["metadata"] == {"a": "b"}
        assert order["parcels"][0]["weight"] == {"value": 264, "unit": "g"}
        assert order["links"]["self"] == (
            f"https://abc123.execute-api.eu-central-1.amazonaws.com/v1/orders/{order['id']}"
        )

    def test_has_its_acceptance_in_the_audit_trail(self, backend: Backend) -> None:
        order = create().json()

        (event,) = call("GET /v1/orders/{id}/events", id=order["id"]).json()["data"]
        assert (event["type"], event["from"], event["to"], event["actor"]) == (
            "order.accepted",
            None,
            "accepted",
            "client",
        )

    def test_is_warned_of_what_is_not_sent_but_not_of_defaults_that_it_never_gave(
        self, backend: Backend
    ) -> None:
        item = {"description": "Hammer", "quantity": 2, "unit_value": {"amount": 9.5, "currency": "USD"}}
        order = create(order_body(parcels=[a_box(items=[item], description="Tools")])).json()

        assert order["customs"]["description"] == "Hammer"
        assert order["customs"]["value"] == {"amount": "19.0", "currency": "USD"}
        warned = {warning["pointer"] for warning in order["warnings"]}
        assert {"/parcels/0/items", "/parcels/0/description"} <= warned
        assert not any(pointer.startswith("/customs") for pointer in warned)

    def test_stands_although_its_workflow_could_not_be_started(self, backend: Backend) -> None:
        faults = Faults().on("start_execution", aws_error("ThrottlingException"))
        aws_clients.put("stepfunctions", faults.wrap(aws_clients.client("stepfunctions"), "states"))

        reply = create()

        assert reply.status == 202
        assert backend.order(reply.json()["id"]).watch_at is not None

    def test_may_come_as_base64_and_from_under_a_stage_s_prefix(self, backend: Backend) -> None:
        reply = create(encoded=True, path_prefix="/_aws/execute-api/abc123/$default")

        assert reply.status == 202


WRONG: dict[str, tuple[Callable[[Body], object], str, str]] = {
    "unknown field": (lambda body: body.update(colour="red"), "/colour", "unknown_field"),
    "unknown field, null": (lambda body: body.update(colour=None), "/colour", "unknown_field"),
    "unknown field deep down": (
        lambda body: body["ship_to"].update({"pla/ne~t": 1}),
        "/ship_to/pla~1ne~0t",
        "unknown_field",
    ),
    "text for a list": (lambda body: body.update(parcels="two"), "/parcels", "type"),
    "number for a text": (lambda body: body["ship_to"].update(name=7), "/ship_to/name", "type"),
    "text for a number": (
        lambda body: body["parcels"][0]["weight"].update(value="heavy"),
        "/parcels/0/weight/value",
        "format",
    ),
    "truth for a number": (
        lambda body: body["parcels"][0]["weight"].update(value=True),
        "/parcels/0/weight/value",
        "type",
    ),
    "no boxes": (lambda body: body.update(parcels=[]), "/parcels", "missing"),
    "51 boxes": (lambda body: body.update(parcels=[a_box()] * 51), "/parcels", "too_many"),
    "negative weight": (
        lambda body: body["parcels"][0]["weight"].update(value=-1),
        "/parcels/0/weight/value",
        "out_of_range",
    ),
    "no weight": (
        lambda body: body["parcels"][0]["weight"].update(value=0),
        "/parcels/0/weight/value",
        "out_of_range",
    ),
    "a ship's weight": (
        lambda body: body["parcels"][0].update(weight={"value": 1001, "unit": "kg"}),
        "/parcels/0/weight",
        "out_of_range",
    ),
    "unknown unit": (
        lambda body: body["parcels"][0]["weight"].update(unit="stone"),
        "/parcels/0/weight/unit",
        "unknown_value",
    ),
    "no dimensions": (lambda body: body["parcels"][0].pop("dimensions"), "/parcels/0/dimensions", "missing"),
    "an address abroad": (
        lambda body: body["ship_to"].update(country="MX"),
        "/ship_to/country",
        "unknown_value",
    ),
    "no country at all": (lambda body: body["ship_to"].update(country="XX"), "/ship_to/country", "format"),
    "no telephone": (lambda body: body["ship_to"].update(phone="  "), "/ship_to/phone", "missing"),
    "unknown carrier": (lambda body: body.update(carrier="pigeon"), "/carrier", "unknown_carrier"),
    "unknown service": (lambda body: body.update(service="Overnight"), "/service", "unknown_value"),
    "unknown account": (lambda body: body.update(account="nobody"), "/account", "unknown_account"),
    "an account that climbs": (lambda body: body.update(account="../other"), "/account", "format"),
    "long reference": (lambda body: body.update(reference="x" * 81), "/reference", "too_long"),
    "reference of two lines": (lambda body: body.update(reference="a\nb"), "/reference", "format"),
    "a parcel's reference twice": (
        lambda body: body.update(parcels=[a_box(reference="a"), a_box(reference="a")]),
        "/parcels/1/reference",
        "not_unique",
    ),
    "the order's reference for one of two parcels": (
        lambda body: body.update(parcels=[a_box(reference="shop-17"), a_box()]),
        "/parcels/0/reference",
        "not_unique",
    ),
    "no currency in use": (
        lambda body: body.update(options={"max_price": {"amount": "1", "currency": "XXX"}}),
        "/options/max_price/currency",
        "unknown_value",
    ),
    "negative money": (
        lambda body: body.update(options={"max_price": {"amount": "-1", "currency": "USD"}}),
        "/options/max_price/amount",
        "out_of_range",
    ),
    "a window that ends before it begins": (
        lambda body: body.update(
            options={"delivery_window": {"from": "2026-12-01T10:00:00Z", "to": "2026-12-01T09:00:00Z"}}
        ),
        "/options/delivery_window",
        "out_of_range",
    ),
    "a time without a zone": (
        lambda body: body.update(
            options={"delivery_window": {"from": "2026-12-01T10:00:00", "to": "2026-12-01T19:00:00Z"}}
        ),
        "/options/delivery_window/from",
        "format",
    ),
    "51 keys of metadata": (
        lambda body: body.update(metadata={str(number): "x" for number in range(51)}),
        "/metadata",
        "too_many",
    ),
    "metadata that is no text": (lambda body: body.update(metadata={"a": 1}), "/metadata/a", "type"),
    "label of unknown format": (
        lambda body: body.update(label={"format": "gif"}),
        "/label/format",
        "unknown_value",
    ),
    "label of unknown density": (lambda body: body.update(label={"dpi": 204}), "/label/dpi", "unknown_value"),
}


class TestAWrongOrder:
    @pytest.mark.parametrize("route", ["POST /v1/orders", "POST /v1/rates"])
    def test_with_who_only_follows_parcels_is_told_so(self, route: str, backend: Backend) -> None:
        reply = call(route, body=order_body(carrier="trackingmore"))

        assert (reply.status, reply.code) == (422, "not_supported_by_carrier")
        assert reply.errors == {"/carrier": "not_supported_by_carrier"}
        assert "/v1/trackings" in reply.json()["errors"][0]["message"]
        assert backend.stored() == []

    @pytest.mark.parametrize("case", WRONG)
    def test_is_refused_with_a_pointer_and_nothing_is_stored(self, case: str, backend: Backend) -> None:
        change, pointer, code = WRONG[case]
        body = order_body()
        change(body)

        reply = create(body, headers=keyed("k"))

        assert (reply.status, reply.code) == (422, "validation_failed")
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.errors.get(pointer) == code
        assert backend.stored() == []
        assert backend.stored("idempotency") == []

    def test_what_the_carrier_does_not_offer_has_a_code_of_its_own(self, backend: Backend) -> None:
        reply = create(order_body(options={"locker": True}, label={"format": "zpl"}))

        assert (reply.status, reply.code) == (422, "not_supported_by_carrier")
        assert set(reply.errors) == {"/options/locker", "/label/format"}

    def test_all_mistakes_are_told_at_once_ours_and_the_carrier_s(self, backend: Backend) -> None:
        body = order_body(colour="red", service="Overnight", metadata={"a": 1})
        del body["ship_to"]["phone"]

        assert create(body).errors == {
            "/colour": "unknown_field",
            "/metadata/a": "type",
            "/service": "unknown_value",
            "/ship_to/phone": "missing",
        }

    @pytest.mark.parametrize("body", ["", None])
    def test_no_body_counts_as_an_empty_object(self, body: str | None, backend: Backend) -> None:
        reply = call(ROUTE, body=body)

        assert reply.status == 422
        assert reply.errors == {
            "/carrier": "missing",
            "/parcels": "missing",
            "/reference": "missing",
            "/ship_to": "missing",
        }

    @pytest.mark.parametrize("body", ["[]", '"x"', "3", "true", "null"])
    def test_json_that_is_no_object_is_not_valid(self, body: str, backend: Backend) -> None:
        reply = call(ROUTE, body=body)

        assert (reply.status, reply.errors) == (422, {"": "type"})

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[1,",
            b"\xff\xfe",
            json.dumps(order_body(), ensure_ascii=False).replace("Ada", "José").encode("latin-1"),
            gzip.compress(json.dumps(order_body()).encode()),
            b'{"a": NaN}',
            b'{"a": 1, "a": 2}',
            b"[" * 100_000,
            b'{"a": "\\ud800"}',
            b"\0",
        ],
    )
    def test_what_is_not_json_is_refused_as_such(self, body: bytes, backend: Backend) -> None:
        reply = call(ROUTE, body=body)

        assert (reply.status, reply.code) == (400, "not_json")

    def test_one_byte_over_the_limit_is_too_large(self, backend: Backend) -> None:
        fits = json.dumps(order_body(colour="")).encode()
        fits = fits.replace(
            b'"colour": ""', b'"colour": "' + "é".encode() * ((LIMIT - len(fits)) // 2) + b'"'
        )
        fits += b" " * (LIMIT - len(fits))

        assert call(ROUTE, body=fits).code == "validation_failed"
        assert call(ROUTE, body=(fits + b" ").decode()).status == 413
        reply = call(ROUTE, body=fits + b" ")
        assert (reply.status, reply.code) == (413, "body_too_large")

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""]
    )
    def test_another_content_type_is_refused(self, kind: str, backend: Backend) -> None:
        reply = create(headers={"content-type": kind})

        assert (reply.status, reply.code) == (415, "unsupported_media_type")

    def test_is_not_taken_compressed(self, backend: Backend) -> None:
        reply = create(headers={"Content-Encoding": "gzip"})

        assert (reply.status, reply.code) == (415, "unsupported_media_type")

    def test_may_begin_with_a_byte_order_mark(self, backend: Backend) -> None:
        reply = create(b"\xef\xbb\xbf" + json.dumps(order_body()).encode())

        assert reply.status == 202

    def test_a_charset_does_not_make_it_another_content_type(self, backend: Backend) -> None:
        assert create(headers={"content-type": "Application/JSON; charset=UTF-8"}).status == 202

    def test_more_than_can_be_kept_is_refused(self, backend: Backend) -> None:
        item = {"description": "x", "quantity": 1, "unit_value": {"amount": 1, "currency": "USD"}}
        body = order_body(parcels=[a_box(items=[item] * 450) for _ in range(6)])

        assert create(body).errors == {"/parcels": "too_many"}

    def test_thousands_of_mistakes_are_counted_and_a_hundred_are_told(self, backend: Backend) -> None:
        reply = create({f"field-{number}": 1 for number in range(5000)})

        assert len(reply.json()["errors"]) == 100
        assert "5004" in reply.json()["detail"]


class TestTheKey:
    def test_an_unknown_or_revoked_one_is_refused(self, backend: Backend) -> None:
        reply = create(tenant=None)

        assert (reply.status, reply.code) == (401, "invalid_key")
        assert reply.json()["type"].endswith("/problems/invalid_key")
        assert backend.stored() == []

    def test_one_without_the_scope_is_refused_whatever_the_body(self, backend: Backend) -> None:
        reply = call(ROUTE, body="{", scopes="orders:read trackings:write")

        assert (reply.status, reply.code) == (403, "missing_scope")

    def test_nothing_is_let_in_without_an_authorizer_s_word(self, backend: Backend) -> None:
        from functions.create_order.handler import handler
        from tests.support.api import Context, api_event

        event = api_event(ROUTE, body=order_body())
        del event["requestContext"]["authorizer"]

        assert handler(event, Context())["statusCode"] == 401

    def test_tenants_may_have_the_same_reference(self, backend: Backend) -> None:
        assert create().status == 202
        assert create(tenant="other").status == 202


class TestTheReference:
    def test_belongs_to_one_living_order(self, backend: Backend) -> None:
        first = create().json()

        reply = create()

        assert (reply.status, reply.code) == (409, "reference_in_use")
        assert reply.json()["order_id"] == first["id"]
        assert reply.headers["location"] == f"/v1/orders/{first['id']}"
        assert backend.executions() == [first["id"]]

    def test_taken_at_the_same_instant_makes_exactly_one_order(self, backend: Backend) -> None:
        replies: list[Reply] = []
        faults = Faults().before("transact_write_items", lambda: replies.append(_meanwhile(backend)))
        aws_clients.put("dynamodb", faults.wrap(backend.dynamodb, "dynamodb"))
        runtime.reset()

        replies.append(create())

        assert [reply.status for reply in replies] == [202, 409]
        assert len(backend.stored()) == 1
        assert len(backend.executions()) == 1

    def test_is_free_again_when_the_order_is_over(self, backend: Backend) -> None:
        first = create().json()
        call("POST /v1/orders/{id}/cancel", id=first["id"])

        assert create().status == 202


def _meanwhile(backend: Backend) -> Reply:
    """Another request, answered in another environment while this one is about to write."""
    mine = aws_clients.client("dynamodb")
    aws_clients.put("dynamodb", backend.dynamodb)
    runtime.reset()
    try:
        return create()
    finally:
        aws_clients.put("dynamodb", mine)


class TestTheIdempotencyKey:
    def test_brings_the_first_answer_again(self, backend: Backend) -> None:
        first = create(headers=keyed("k"))

        again = create(headers=keyed("k"))

        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert (again.status, again.text, again.headers["location"]) == (
            first.status,
            first.text,
            first.headers["location"],
        )
        assert len(backend.stored()) == 1

    def test_does_not_mind_how_the_same_json_is_written(self, backend: Backend) -> None:
        body = order_body()
        first = create(json.dumps(body), headers=keyed("k"))

        again = create(
            json.dumps(dict(reversed(body.items())), indent=2).replace("264", "264.0"), headers=keyed("k")
        )

        assert again.text == first.text

    def test_is_not_for_another_body(self, backend: Backend) -> None:
        create(headers=keyed("k"))

        reply = create(order_body("shop-18"), headers=keyed("k"))

        assert (reply.status, reply.code) == (422, "idempotency_key_reused")
        assert len(backend.stored()) == 1

    def test_belongs_to_its_tenant_and_path(self, backend: Backend) -> None:
        create(headers=keyed("k"))

        assert create(order_body("x"), headers=keyed("k"), tenant="other").status == 202

    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "ümlaut"])
    def test_is_1_to_255_printable_characters(self, key: str, backend: Backend) -> None:
        reply = create(headers=keyed(key))

        assert (reply.status, reply.code) == (422, "validation_failed")
        assert backend.stored() == []

    def test_takes_255_characters(self, backend: Backend) -> None:
        assert create(headers=keyed("~" * 255)).status == 202

    def test_is_not_used_up_by_a_refused_order(self, backend: Backend) -> None:
        assert create(order_body(service="Overnight"), headers=keyed("k")).status == 422

        assert create(headers=keyed("k")).status == 202

    def test_is_not_used_up_by_a_reference_that_was_taken(self, backend: Backend) -> None:
        first = create().json()
        assert create(headers=keyed("k")).status == 409
        call("POST /v1/orders/{id}/cancel", id=first["id"])

        assert create(headers=keyed("k")).status == 202

    def test_used_while_its_first_request_runs_waits(self, backend: Backend) -> None:
        replies: list[Reply] = []
        again = lambda: replies.append(create(headers=keyed("k")))  # noqa: E731
        machines = aws_clients.client("stepfunctions")
        aws_clients.put("stepfunctions", Faults().before("start_execution", again).wrap(machines, "states"))

        replies.append(create(headers=keyed("k")))

        assert [reply.status for reply in replies] == [409, 202]
        assert replies[0].code == "idempotency_in_progress"
        assert int(replies[0].headers["retry-after"]) > 0
        assert len(backend.stored()) == 1

    @pytest.mark.parametrize("after", [False, True])
    def test_resumes_the_order_of_a_request_that_died(
        self, after: bool, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machines = aws_clients.client("stepfunctions")
        faults = Faults().on("start_execution", die(after=after))
        aws_clients.put("stepfunctions", faults.wrap(machines, "states"))
        with pytest.raises(Killed):
            create(headers=keyed("k"))
        (order,) = backend.stored()
        assert create(headers=keyed("k")).code == "idempotency_in_progress"
        _an_hour_later(backend)

        reply = create(headers=keyed("k"))

        assert reply.status == 202
        assert backend.executions() == [reply.json()["id"]]
        assert len(backend.stored()) == 1
        assert order["doc"]["S"].count(reply.json()["id"]) == 1
        assert create(headers=keyed("k")).headers["idempotent-replayed"] == "true"


def _an_hour_later(backend: Backend) -> None:
    """Let every lease lapse."""
    for item in backend.stored("idempotency"):
        backend.dynamodb.update_item(
            TableName="parcelgate-test",
            Key={"pk": item["pk"], "sk": item["sk"]},
            UpdateExpression="SET lease_until = :then",
            ExpressionAttributeValues={":then": {"N": "0"}},
        )


class TestWhateverHappens:
    @pytest.mark.parametrize("method", ["get_secret_value", "transact_write_items"])
    def test_trouble_of_ours_is_a_500_that_shows_nothing(
        self, method: str, backend: Backend, logged: Callable[[], str]
    ) -> None:
        service = "secretsmanager" if method == "get_secret_value" else "dynamodb"
        faults = Faults().on(method, aws_error("InternalServerError"), times=9)
        aws_clients.put(service, faults.wrap(aws_clients.client(service), service))
        runtime.reset()

        reply = create(headers=keyed("k"))

        assert (reply.status, reply.code) == (500, "internal")
        told = logged()
        assert '"message":"unexpected error"' in told
        assert "Ada Byrd" not in told + reply.text
        assert "made up by a test" not in told + reply.text

    def test_nothing_personal_is_logged(self, backend: Backend, logged: Callable[[], str]) -> None:
        create()

        told = logged()
        assert '"OrdersAccepted"' in told
        for secret in ("Ada", "Congress", "512-555", "made-up", "shop-17"):
            assert secret not in told

    def test_every_scope_exists(self) -> None:
        from parcelgate.services.accounts.api_keys import SCOPES

        assert set(EVERY_SCOPE.split()) == SCOPES
