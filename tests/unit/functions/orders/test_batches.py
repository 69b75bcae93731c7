"""Giving a batch in and asking how far it is: what is taken, what is refused, and nothing is half made."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from parcelgate import aws_clients
from parcelgate.domain.batches import BatchRow
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import FieldError, Problem
from parcelgate.runtime import runtime
from tests.support.api import Backend, Body, Reply, call, order_body
from tests.support.faults import Faults, Killed, at_every_call, aws_error, die
from tests.support.table import TABLE_NAME as TABLE

CREATE, READ = "POST /v1/orders/batch", "GET /v1/batches/{id}"
LIMIT = 4 * 1024 * 1024


def create(*entries: Any, **more: Any) -> Reply:
    return call(CREATE, body={"orders": list(entries)}, **more)


def read(batch_id: str, **more: Any) -> Reply:
    return call(READ, id=batch_id, **more)


def keyed(key: str = "k-1") -> dict[str, str]:
    return {"Idempotency-Key": key}


class TestABatch:
    def test_is_kept_whole_before_it_is_answered_and_then_worked_off(self, backend: Backend) -> None:
        entries = [order_body(f"shop-{n}") for n in range(3)]

        reply = create(*entries)

        batch_id = reply.json()["id"]
        assert (reply.status, reply.json()["total"]) == (202, 3)
        assert reply.headers["location"] == f"/v1/batches/{batch_id}"
        assert {key: json.loads(body) for key, body in backend.bodies().items()} == {
            f"acme/{batch_id}.json": {"orders": entries}
        }
        assert backend.batch_messages() == [
            {
                "tenant": "acme",
                "batch_id": batch_id,
                "carrier": "lso",
                "account": "default",
                "entries": [0, 1, 2],
                "correlation_id": "JKJaXmPLvHcESHA=",
                "held": 0,
            }
        ]
        assert backend.stored("order") == []

    def test_is_split_by_carrier_account_as_its_carrier_takes_it(self, backend: Backend) -> None:
        singly = [order_body(f"lso-{n}") for n in range(12)]
        together = [order_body(f"ubi-{n}", carrier="ubi") for n in range(40)]
        elsewhere = [order_body(f"west-{n}", carrier="ubi", account="west") for n in range(2)]

        create(*singly, *together, {"carrier": "nobody"}, *elsewhere, "rubbish")

        found = [(message["carrier"], message["entries"]) for message in backend.batch_messages()]
        assert sorted(found) == [
            ("lso", [*range(10)]),
            ("lso", [10, 11, 52, 55]),
            ("ubi", [*range(12, 52)]),
            ("ubi", [53, 54]),
        ]

    def test_shows_every_entry_from_the_beginning(self, backend: Backend) -> None:
        batch_id = create(order_body("shop-1"), {"reference": 7}, "rubbish").json()["id"]

        reply = read(batch_id)

        assert reply.status == 200
        assert reply.json() == {
            "id": batch_id,
            "status": "processing",
            "total": 3,
            "confirmed": 0,
            "processing": 3,
            "failed": 0,
            "needs_attention": 0,
            "orders": [
                {"index": n, "reference": name, "id": None, "status": "accepted", "problem": None}
                for n, name in enumerate(["shop-1", None, None])
            ],
        }

    def test_says_what_is_wrong_with_an_entry_in_the_form_of_an_error(self, backend: Backend) -> None:
        batch_id = create(order_body("shop-1")).json()["id"]
        batch, _ = backend.tenant().batches.read(batch_id)
        error = FieldError("/parcels", "missing", "Is required.")
        problem = Problem(code="validation_failed", detail="1 field is not valid.", errors=(error,))
        row = BatchRow(index=0, reference="shop-1", status=OrderStatus.FAILED, problem=problem)
        backend.tenant().batches.settle(batch, row)

        seen = read(batch_id).json()

        assert (seen["status"], seen["failed"], seen["processing"]) == ("finished", 1, 0)
        (entry,) = seen["orders"]
        assert entry["problem"]["code"] == "validation_failed"
        assert entry["problem"]["type"].endswith("/problems/validation_failed")
        assert [one["pointer"] for one in entry["problem"]["errors"]] == ["/parcels"]

    def test_may_be_as_large_as_the_contract_says_and_no_larger(self, backend: Backend) -> None:
        body = json.dumps({"orders": [order_body("shop-1", metadata={"a": ""})]})
        fits = body.replace('"a": ""', f'"a": "{"x" * (LIMIT - len(body))}"')
        assert len(fits) == LIMIT
        assert call(CREATE, body=fits).status == 202
        assert call(CREATE, body=fits.replace("xx", "xxx", 1)).code == "body_too_large"

    def test_is_found_by_its_own_tenant_alone(self, backend: Backend) -> None:
        batch_id = create(order_body()).json()["id"]
        for reply in (read(batch_id, tenant="other"), read("bat_unknown"), read("no id at all")):
            assert (reply.status, reply.code) == (404, "not_found")


class TestRefused:
    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ({}, "/orders", "missing"),
            ({"orders": []}, "/orders", "missing"),
            ({"orders": None}, "/orders", "missing"),
            ({"orders": {}}, "/orders", "type"),
            ({"orders": [{}] * 301}, "/orders", "too_many"),
            ({"orders": [{}], "order": 1}, "/order", "unknown_field"),
            ([], "", "type"),
            ("text", "", "type"),
        ],
    )
    def test_what_is_no_batch(self, body: Any, pointer: str, code: str, backend: Backend) -> None:
        reply = call(CREATE, body=json.dumps(body), headers=keyed())
        assert (reply.status, reply.errors) == (422, {pointer: code})
        assert backend.bodies() == {}
        assert backend.stored("batch") == []
        assert call(CREATE, body={"orders": [order_body()]}, headers=keyed()).status == 202, "the key is free"

    def test_three_hundred_entries_are_not_too_many(self, backend: Backend) -> None:
        assert create(*[{}] * 300).json()["total"] == 300

    def test_what_is_no_json(self, backend: Backend) -> None:
        assert call(CREATE, body='{"orders": [').code == "not_json"
        reply = call(CREATE, body="{}", headers={"content-type": "text/csv"})
        assert reply.code == "unsupported_media_type"

    def test_without_the_scope(self, backend: Backend) -> None:
        assert create(order_body(), scopes="orders:read").code == "missing_scope"
        assert read("bat_1", scopes="orders:write").code == "missing_scope"
        assert create(order_body(), tenant=None).code == "invalid_key"


class TestOnce:
    def test_the_same_request_is_one_batch(self, backend: Backend) -> None:
        first = create(order_body(), headers=keyed())
        second = create(order_body(), headers=keyed())
        assert second.headers["idempotent-replayed"] == "true"
        assert (second.status, second.json()) == (first.status, first.json())
        assert len(backend.stored("batch")) == len(backend.batch_messages()) == 1

    def test_another_body_under_the_same_key_is_refused(self, backend: Backend) -> None:
        create(order_body(), headers=keyed())
        assert create(order_body("other"), headers=keyed()).code == "idempotency_key_reused"

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_a_request_whose_function_died_is_resumed_and_makes_one_batch(
        self, after: bool, backend: Backend
    ) -> None:
        def story(n: int) -> Faults:
            backend.tidy()
            faults = Faults().at(n, die(after=after))
            for service in ("dynamodb", "s3", "sqs"):
                aws_clients.put(service, faults.wrap(aws_clients.client(service), service))  # type: ignore[call-overload]
            runtime.reset()
            try:
                create(order_body(), headers=keyed())
            except Killed:
                lapse(backend)
                reply = create(order_body(), headers=keyed())
                assert reply.status == 202
            assert len(backend.stored("batch")) == 1
            (batch_id,) = {message["batch_id"] for message in backend.batch_messages()}
            assert f"acme/{batch_id}.json" in backend.bodies()
            return faults

        at_every_call(story, least=5)

    def test_a_batch_that_cannot_be_sent_on_now_is_taken_nevertheless(self, backend: Backend) -> None:
        """The sweep will: the batch is in the due index."""
        faults = Faults().on("send_message_batch", aws_error("AccessDenied"), times=9)
        aws_clients.put("sqs", faults.wrap(aws_clients.client("sqs"), "sqs"))
        runtime.reset()
        assert create(order_body()).status == 202
        assert backend.batch_messages() == []
        assert len(backend.table.due.due("BATCH", datetime(2999, 1, 1, tzinfo=UTC))) == 1

    def test_a_body_that_cannot_be_kept_is_not_taken(self, backend: Backend) -> None:
        faults = Faults().on("put_object", aws_error("AccessDenied"), times=9)
        aws_clients.put("s3", faults.wrap(aws_clients.client("s3"), "s3"))
        runtime.reset()
        assert create(order_body()).status == 500
        assert backend.stored("batch") == []


def lapse(backend: Backend) -> None:
    """End the lease of the dead function's claim."""
    for item in backend.dynamodb.scan(TableName=TABLE)["Items"]:
        if "lease_until" in item:
            backend.dynamodb.put_item(TableName=TABLE, Item=item | {"lease_until": {"N": "1"}})


def test_no_answer_and_no_log_says_who_the_parcel_is_for(backend: Backend, logged: Any) -> None:
    body: Body = order_body("shop-1")
    batch_id = create(body).json()["id"]
    said = logged() + read(batch_id).text
    for secret in (body["ship_to"][name] for name in ("name", "phone", "line1")):
        assert secret not in said


class TestACheck:
    def test_buys_nothing_and_says_what_is_wrong_with_each_entry(self, backend: Backend) -> None:
        again = order_body("shop-1")
        wrong = order_body("shop-2", colour="red", parcels=[])
        unnamed = order_body("shop-3")
        del unnamed["ship_to"]["company"]

        reply = create_checked(again, wrong, unnamed, "rubbish", again)

        assert reply.status == 200
        seen = reply.json()
        assert (seen["total"], seen["valid"], seen["invalid"]) == (5, 2, 3)
        assert [entry["reference"] for entry in seen["orders"]] == [
            "shop-1",
            "shop-2",
            "shop-3",
            None,
            "shop-1",
        ]
        assert [entry["valid"] for entry in seen["orders"]] == [True, False, True, False, False]
        codes = [{error["pointer"]: error["code"] for error in entry["errors"]} for entry in seen["orders"]]
        assert codes[1] == {"/colour": "unknown_field", "/parcels": "missing"}
        assert codes[3] == {"": "type"}
        assert codes[4] == {"/reference": "reference_in_use"}
        (warning,) = seen["orders"][2]["warnings"]
        assert (warning["pointer"], warning["code"]) == ("/ship_to/company", "defaulted")
        assert backend.stored("order") == backend.stored("batch") == backend.batch_messages() == []
        assert backend.bodies() == {}

    def test_names_an_account_that_there_is_not(self, backend: Backend) -> None:
        (entry,) = create_checked(order_body("shop-1", account="west")).json()["orders"]
        assert [error["pointer"] for error in entry["errors"]] == ["/account"]

    def test_says_which_references_living_orders_hold(self, backend: Backend) -> None:
        made = call("POST /v1/orders", body=order_body("shop-2")).json()
        elsewhere = order_body("shop-2", carrier="ubi")

        held, free, other = create_checked(order_body("shop-2"), order_body("shop-1"), elsewhere).json()[
            "orders"
        ]

        assert [(error["pointer"], error["code"]) for error in held["errors"]] == [
            ("/reference", "reference_in_use")
        ]
        assert made["id"] in held["errors"][0]["message"]
        assert (held["valid"], free["valid"], free["errors"]) == (False, True, [])
        assert "reference_in_use" not in {error["code"] for error in other["errors"]}

    def test_tells_nothing_of_another_tenant_s_references(self, backend: Backend) -> None:
        call("POST /v1/orders", body=order_body("shop-1"), tenant="other")
        (entry,) = create_checked(order_body("shop-1")).json()["orders"]
        assert entry["errors"] == []

    def test_looks_an_account_that_there_is_not_up_once(self, backend: Backend) -> None:
        secrets = Faults()
        aws_clients.put(
            "secretsmanager", secrets.wrap(aws_clients.client("secretsmanager"), "secretsmanager")
        )
        runtime.reset()

        rows = create_checked(*(order_body(f"shop-{n}", account="west") for n in range(300))).json()["orders"]

        assert all([error["code"] for error in row["errors"]] == ["unknown_account"] for row in rows)
        assert secrets.names.count("secretsmanager.get_secret_value") == 1

    def test_leaves_its_idempotency_key_free(self, backend: Backend) -> None:
        body = {"orders": [order_body("shop-1")], "validate_only": True}
        for _ in range(2):
            reply = call(CREATE, body=body, headers=keyed())
            assert (reply.status, reply.headers.get("idempotent-replayed")) == (200, None)
        assert create(order_body("shop-1"), headers=keyed()).status == 202

    @pytest.mark.parametrize("word", ["yes", 1, []])
    def test_is_asked_for_by_true_alone(self, backend: Backend, word: object) -> None:
        reply = call(CREATE, body={"orders": [order_body("shop-1")], "validate_only": word})
        if word == []:
            assert reply.status == 202
        else:
            assert [error["pointer"] for error in reply.json()["errors"]] == ["/validate_only"]

    def test_is_no_check_when_it_is_refused_or_absent(self, backend: Backend) -> None:
        for word in (False, None):
            assert call(CREATE, body={"orders": [order_body()], "validate_only": word}).status == 202


def create_checked(*entries: Any) -> Reply:
    return call(CREATE, body={"orders": list(entries), "validate_only": True})
