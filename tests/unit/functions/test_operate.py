"""The operator's calls: what needs a person, and what a person does about it."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from parcelgate import aws_clients
from parcelgate.domain.clock import now, rfc3339
from parcelgate.domain.ids import new_id
from parcelgate.domain.measures import Money
from parcelgate.domain.merchants.endpoints import DisabledReason, Endpoint
from parcelgate.domain.orders import Order, OrderStatus, Refund
from parcelgate.domain.problems import Problem
from parcelgate.runtime import runtime
from parcelgate.services.operator.dead_letters import DeadLetters
from parcelgate.services.orders import problems
from parcelgate.services.settings import Settings
from parcelgate.store import keys
from parcelgate.store.inbox import name_of
from parcelgate.store.tenants.stats import StatsRow
from tests.support.api import NOT_REDRIVEN, REDRIVEN, SHARED, Backend, Reply, call, messages
from tests.support.orders import an_event, an_order

LOST = Problem(code="outcome_unknown", detail="Nobody knows.")
HELD = Problem(code="refund_failed", detail="Claim it back.")
LATE = Problem(code="late_success", detail="The carrier has it after all.")
FOREIGN = "ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"
_HOUR = timedelta(hours=1)


def put(backend: Backend, hours: float = 1, **facts: Any) -> Order:
    """An order whose trouble began so many hours ago."""
    at = now() - hours * _HOUR
    facts = {"status": OrderStatus.NEEDS_ATTENTION, "problem": LOST, "watch_at": None} | facts
    return backend.put(an_order(reference=new_id("ref"), at=at, **facts), an_event(at=at))


def park(backend: Backend, body: bytes = b"secret", hours: float = 1, tenant: str = "acme") -> str:
    entry = backend.tenant(tenant).inbox.put(
        carrier="lme", account="default", body=body, now=now() - hours * _HOUR, parked="not JSON"
    )
    return entry.id


def die(queue: str, **body: Any) -> None:
    """A message lies in a dead-letter queue."""
    sqs = aws_clients.client("sqs")
    url = sqs.get_queue_url(QueueName=f"letters-{queue}")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))


def an_endpoint(reason: DisabledReason | None, hours: float = 1, tenant: str = "acme") -> Endpoint:
    """A merchant's endpoint, and since how many hours it is disabled."""
    at = now() - hours * _HOUR
    endpoint = Endpoint(
        id=new_id("whe"),
        tenant=tenant,
        url="https://shop.example/hooks?key=hidden",
        events=("*",),
        description=None,
        created_at=at,
        updated_at=at,
        disabled_reason=reason,
        disabled_at=None if reason is None else at,
    )
    runtime.events_table.tenant(tenant).endpoints.add(endpoint, b"sealed")
    return endpoint


def attention(**query: str) -> list[dict[str, Any]]:
    reply = call("GET /v1/attention", query=query)
    assert reply.status == 200, reply.text
    return list(reply.json()["data"])


def resolve(order_id: str, outcome: object, **more: Any) -> Reply:
    return call("POST /v1/orders/{id}/resolve", id=order_id, body={"outcome": outcome}, **more)


class TestAttention:
    def test_nothing_needs_anybody(self, backend: Backend) -> None:
        backend.put(an_order(), an_event())
        assert call("GET /v1/attention").json() == {"data": [], "next_cursor": None}

    def test_the_worst_comes_first_and_within_a_kind_the_longest_waiting(self, backend: Backend) -> None:
        webhook = park(backend)
        gone, failing = an_endpoint(DisabledReason.GONE), an_endpoint(DisabledReason.FAILING, hours=30)
        an_endpoint(None)
        an_endpoint(DisabledReason.BY_CLIENT)
        old_refund = put(
            backend,
            hours=24 * 8,
            status=OrderStatus.CANCELLED,
            problem=None,
            refund=Refund(status="requested"),
        )
        put(backend, status=OrderStatus.CANCELLED, problem=None, refund=Refund(status="requested"))
        put(backend, status=OrderStatus.CANCELLED, problem=None, refund=Refund(status="confirmed"))
        die("labels", tenant="acme", order_id="ord_1")
        late = put(backend, status=OrderStatus.FAILED, attention=LATE)
        unlabelled = put(backend, hours=2, status=OrderStatus.CONFIRMED, problem=None, attention=LATE)
        young, old = put(backend, hours=3), put(backend, hours=4)
        held = put(backend, problem=HELD)

        found = attention()

        assert [(entry["kind"], entry["id"], entry["actions"]) for entry in found] == [
            ("refund", held.id, ["reread", "close"]),
            ("order", old.id, ["reread", "close"]),
            ("order", young.id, ["reread", "close"]),
            ("order", unlabelled.id, ["reread"]),
            ("order", late.id, ["reread", "close"]),
            ("dead_letter", "labels", ["redrive"]),
            ("endpoint", failing.id, ["check"]),
            ("endpoint", gone.id, ["check"]),
            ("refund", old_refund.id, ["close"]),
            ("delivery", name_of(webhook), ["replay"]),
        ]
        assert found[0]["problem"] == {"code": "refund_failed", "detail": "Claim it back."}
        assert found[4]["problem"]["code"] == "late_success"
        assert found[1]["carrier"] == "lso"
        assert [(each["problem"]["code"], each["since"]) for each in found[6:8]] == [
            ("endpoint_disabled", rfc3339(each.updated_at)) for each in (failing, gone)
        ]
        assert ["five days" in each["problem"]["detail"] for each in found[6:8]] == [True, False]
        assert "hidden" not in str(found)
        assert [entry["since"] for entry in found[1:3]] == [
            rfc3339(order.updated_at) for order in (old, young)
        ]

    def test_an_operator_is_not_told_to_ask_the_operator(self, backend: Backend) -> None:
        put(backend, problem=problems.unknown())
        (entry,) = attention()
        assert entry["problem"]["code"] == "outcome_unknown"
        assert "Ask us" not in entry["problem"]["detail"]
        assert "if not, close it" in entry["problem"]["detail"]
        assert entry["actions"] == ["reread", "close"]

    def test_pages_are_full_and_have_everything_once(self, backend: Backend) -> None:
        for hours in range(5):
            put(backend, hours=hours)
            put(backend, hours=hours, problem=HELD)
            park(backend, body=b"%d" % hours, hours=hours)
        die("sweep")
        die("inbox")
        for hours in range(3):
            an_endpoint(DisabledReason.GONE, hours=hours)
        whole = [entry["id"] for entry in attention(limit="100")]

        pages, cursor = [], ""
        while cursor is not None:
            page = call("GET /v1/attention", query={"limit": "3", "cursor": cursor}).json()
            pages.append([entry["id"] for entry in page["data"]])
            cursor = page["next_cursor"]

        assert [len(page) for page in pages] == [3, 3, 3, 3, 3, 3, 2]
        assert [entry_id for page in pages for entry_id in page] == whole
        assert len(set(whole)) == 20

    def test_what_is_settled_leaves_the_list_and_other_trouble_takes_its_place(
        self, backend: Backend
    ) -> None:
        order = put(backend)
        orders = backend.tenant().orders
        worse = order.changed(at=now(), problem=HELD)
        orders.save(order, worse)
        assert [entry["kind"] for entry in attention()] == ["refund"]
        orders.save(worse, worse.move(OrderStatus.FAILED, at=now(), watch_at=None))
        assert attention() == []

    def test_another_tenants_troubles_are_not_shown(self, backend: Backend) -> None:
        put(backend)
        park(backend)
        an_endpoint(DisabledReason.GONE)
        cursor = call("GET /v1/attention", query={"limit": "1"}).json()["next_cursor"]

        assert call("GET /v1/attention", tenant="other").json()["data"] == []
        reply = call("GET /v1/attention", query={"cursor": cursor}, tenant="other")
        assert (reply.status, reply.errors) == (422, {"/cursor": "format"})

    @pytest.mark.parametrize(
        "query", [{"limit": "0"}, {"cursor": "x"}, {"cursor": "é"}, {"status": "failed"}]
    )
    def test_a_bad_query_is_refused(self, query: dict[str, str], backend: Backend) -> None:
        assert call("GET /v1/attention", query=query).status == 422


class TestResolve:
    def test_an_order_that_the_carrier_does_not_have_fails(self, backend: Backend) -> None:
        order = put(backend)

        reply = resolve(order.id, "not_at_carrier")

        assert (reply.status, reply.json()["status"]) == (200, "failed")
        last = backend.tenant().orders.events(order.id)[-1]
        assert (last.type, last.actor) == ("order.failed", "operator")
        assert attention() == []
        again = resolve(order.id, "not_at_carrier")
        assert (again.status, again.code, again.json()["order_id"]) == (409, "cannot_change", order.id)

    def test_the_carrier_is_asked_anew(self, backend: Backend) -> None:
        order = put(backend)

        reply = resolve(order.id, "reread")

        assert (reply.status, reply.json()["status"]) == (200, "needs_attention")
        (message,) = backend.retry_messages()
        assert (message["order_id"], message["action"]) == (order.id, "reread")

    def test_money_that_a_person_has_seen_ends_the_matter(self, backend: Backend) -> None:
        price = Money(Decimal("11.60"), "USD")
        held = put(backend, problem=HELD, price=price)
        cancelled = put(
            backend,
            hours=24 * 8,
            status=OrderStatus.CANCELLED,
            problem=None,
            refund=Refund(status="requested", amount=price),
        )

        for order, status in ((held, "failed"), (cancelled, "cancelled")):
            reply = resolve(order.id, "refunded")
            assert (reply.status, reply.json()["status"]) == (200, status)
            assert reply.json()["refund"]["status"] == "confirmed"
            assert reply.json()["refund"]["amount"] == {"amount": "11.60", "currency": "USD"}
            assert backend.tenant().orders.events(order.id)[-1].actor == "operator"
            assert resolve(order.id, "refunded").code == "cannot_change"
        assert attention() == []

    def test_a_failed_order_that_the_carrier_no_longer_has_is_settled(self, backend: Backend) -> None:
        order = put(backend, status=OrderStatus.FAILED, attention=LATE)
        reply = resolve(order.id, "not_at_carrier")
        assert (reply.json()["status"], reply.json()["attention"]) == ("failed", None)
        assert attention() == []

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            ("accepted", "reread"),
            ("cancelled", "reread"),
            ("confirmed", "not_at_carrier"),
            ("failed", "not_at_carrier"),
            ("confirmed", "refunded"),
            ("cancelled", "refunded"),
            ("failed", "refunded"),
        ],
    )
    def test_what_does_not_apply_is_refused(self, status: str, outcome: str, backend: Backend) -> None:
        order = put(backend, status=OrderStatus(status), problem=None)
        reply = resolve(order.id, outcome)
        assert (reply.status, reply.code) == (409, "cannot_change")
        assert status in reply.json()["detail"]
        assert backend.order(order.id) == order

    @pytest.mark.parametrize(
        ("body", "errors"),
        [
            ({}, {"/outcome": "missing"}),
            ({"outcome": "lost"}, {"/outcome": "unknown_value"}),
            ({"outcome": 1}, {"/outcome": "unknown_value"}),
            ({"outcome": "reread", "why": "x"}, {"/why": "unknown_field"}),
        ],
    )
    def test_a_bad_body_is_refused(self, body: object, errors: dict[str, str], backend: Backend) -> None:
        order = put(backend)
        reply = call("POST /v1/orders/{id}/resolve", id=order.id, body=body)
        assert (reply.status, reply.errors) == (422, errors)

    def test_the_first_answer_is_given_again(self, backend: Backend) -> None:
        order = put(backend)
        first, again = (
            resolve(order.id, "not_at_carrier", headers={"Idempotency-Key": "k"}) for _ in range(2)
        )
        assert first.status == 200
        assert (again.status, again.text) == (first.status, first.text)


class TestInbox:
    def test_parked_webhooks_are_listed_without_their_bodies(self, backend: Backend) -> None:
        ids = [park(backend, body=b"secret %d" % hours, hours=hours) for hours in range(5)]
        park(backend, tenant="other")

        first = call("GET /v1/inbox", query={"limit": "3"})
        second = call("GET /v1/inbox", query={"limit": "3", "cursor": first.json()["next_cursor"]})

        found = first.json()["data"] + second.json()["data"]
        assert [entry["id"] for entry in found] == [name_of(entry_id) for entry_id in ids]
        assert second.json()["next_cursor"] is None
        assert (found[0]["reason"], found[0]["carrier"], found[0]["size"]) == ("not JSON", "lme", 8)
        assert "secret" not in first.text

    def test_one_is_shown_by_its_safe_facts(self, backend: Backend) -> None:
        reply = call("GET /v1/inbox/{id}", id=name_of(park(backend)))
        shown = reply.json()
        assert (reply.status, shown["state"], shown["size"]) == (200, "parked", 6)
        assert shown["sha256"] == "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        assert "body" not in shown
        assert '"secret' not in reply.text

    @pytest.mark.parametrize(
        ("body", "size"),
        [
            (b"not kept: 300000 bytes, SHA-256 ab", 300000),
            (b"not kept: a lot", 15),
            (b"not kept: " + b"9" * 5000, 5010),
        ],
    )
    def test_a_long_one_is_shown_by_its_size(self, body: bytes, size: int, backend: Backend) -> None:
        shown = call("GET /v1/inbox/{id}", id=name_of(park(backend, body))).json()
        assert (shown["size"], shown["sha256"]) == (size, None)

    def test_one_is_processed_again(self, backend: Backend) -> None:
        entry_id = park(backend)

        reply = call("POST /v1/inbox/{id}/replay", id=name_of(entry_id))

        assert (reply.status, reply.json()["state"]) == (202, "received")
        entry = backend.tenant().inbox.get(entry_id)
        assert entry is not None
        assert entry.state == "received"
        assert call("GET /v1/inbox").json()["data"] == []

    @pytest.mark.parametrize("name", ["lme-0", "-", "x", "lme-" + "0" * 64, "a" * 3000])
    def test_there_is_no_such_webhook(self, name: str, backend: Backend) -> None:
        assert call("GET /v1/inbox/{id}", id=name).code == "not_found"
        assert call("POST /v1/inbox/{id}/replay", id=name).code == "not_found"


class TestDeadLetters:
    def test_every_queue_is_shown_with_what_is_the_tenants(self, backend: Backend) -> None:
        die("retries-lso", tenant="acme", order_id="ord_1", action="create")
        die("retries-lso", tenant="other", order_id="ord_2", action="create")
        die("retries-lso", what="no tenant")
        aws = aws_clients.client("sqs")
        url = aws.get_queue_url(QueueName="letters-changes")["QueueUrl"]
        aws.send_message(QueueUrl=url, MessageBody="not JSON")

        for _ in range(2):
            reply = call("GET /v1/dead-letters")
            queues = {entry["queue"]: entry for entry in reply.json()["data"]}
            assert list(queues) == sorted([*REDRIVEN, *NOT_REDRIVEN, *SHARED])
            (letter,) = queues["retries-lso"]["sample"]
            assert (queues["retries-lso"]["messages"], queues["changes"]["messages"]) == (3, 1)
            assert (letter["id"], letter["action"]) == ("ord_1", "create")
            assert queues["retries-lso"]["oldest"] is not None
            assert "ord_2" not in reply.text
            assert "not JSON" not in reply.text
        assert (queues["sweep"]["messages"], queues["sweep"]["oldest"]) == (0, None)
        assert {name for name, queue in queues.items() if not queue["redrivable"]} == set(NOT_REDRIVEN)

    def test_a_change_that_cannot_be_read_is_shown_to_the_tenant_of_its_item(self, backend: Backend) -> None:
        for tenant in ("acme", "other"):
            names = {"pk": keys.key(tenant, keys.ORDER, f"ord_{tenant}"), "sk": "A"}
            die("changes", keys=names, sequence="1", reason="DecodeError")
        die("changes", keys={"pk": None})
        die("changes", keys={"pk": "R#1"}, tenant="other")

        reply = call("GET /v1/dead-letters")

        (changes,) = [entry for entry in reply.json()["data"] if entry["queue"] == "changes"]
        assert [(letter["id"], letter["action"]) for letter in changes["sample"]] == [("ord_acme", None)]
        assert "ord_other" not in reply.text

    @pytest.mark.parametrize("queue", REDRIVEN)
    def test_messages_go_back_to_where_they_came_from(self, queue: str, backend: Backend) -> None:
        for number in range(12):
            die(queue, number=number)

        reply = call("POST /v1/dead-letters/{queue}/redrive", queue=queue)

        assert (reply.status, reply.json()) == (202, {"queue": queue, "moved": 12, "left": 0})
        moved = sorted(json.loads(message.body)["number"] for message in messages(REDRIVEN[queue]))
        assert moved == list(range(12))
        assert messages(f"letters-{queue}") == []

    @pytest.mark.parametrize(
        ("queue", "origin", "left"), [("labels", "prints", 0), ("tracking-polls", "nudges", 1)]
    )
    def test_a_message_goes_back_to_the_queue_that_gave_it_up(
        self, queue: str, origin: str, left: int, backend: Backend
    ) -> None:
        """SQS names that queue, and moto does not. What came from no queue stays, where there is such."""
        sqs = aws_clients.client("sqs")

        class Naming:
            def __getattr__(self, name: str) -> Any:
                return getattr(sqs, name)

            def receive_message(self, **given: Any) -> Any:
                answer = sqs.receive_message(**given)
                for message in answer.get("Messages", ()):
                    if json.loads(message["Body"])["named"]:
                        arn = f"arn:aws:sqs:eu-central-1:123456789012:{origin}"
                        message["Attributes"]["DeadLetterQueueSourceArn"] = arn
                return answer

        die(queue, named=True)
        die(queue, named=False)
        runtime.use(dead_letters=DeadLetters(Naming(), Settings()))  # type: ignore[arg-type]

        reply = call("POST /v1/dead-letters/{queue}/redrive", queue=queue)

        assert reply.json()["moved"] == 2 - left
        assert [json.loads(message.body)["named"] for message in messages(origin)] == [True]
        assert len(messages(f"letters-{queue}")) == left

    @pytest.mark.parametrize("queue", [*NOT_REDRIVEN, "inbox2", "..", FOREIGN])
    def test_what_came_from_no_queue_goes_nowhere(self, queue: str, backend: Backend) -> None:
        if queue in NOT_REDRIVEN:
            die(queue)
        reply = call("POST /v1/dead-letters/{queue}/redrive", queue=queue)
        assert (reply.status, reply.code) == (404, "not_found")
        assert queue not in NOT_REDRIVEN or len(messages(f"letters-{queue}")) == 1


class TestStats:
    def test_groups_have_what_they_are_told_apart_by(self, backend: Backend) -> None:
        stats = backend.tenant().stats
        for service in ("A", "B"):
            stats.add(
                StatsRow(now().date(), "lso", service, {"orders_confirmed": 2, "spend_carrier_JPY": 10**6})
            )
        answer = call("GET /v1/stats", query={"by": "carrier"}).json()
        (group,) = answer["data"]
        assert (group["day"], group["carrier"], group["service"]) == (None, "lso", None)
        spend = [{"source": "carrier", "amount": {"amount": "2", "currency": "JPY"}}]
        assert (group["orders"]["total"], group["spend"]) == (4, spend)
        assert answer["total"]["orders"]["confirmed"] == 4
        assert call("GET /v1/stats").json()["data"] == []

    def test_an_answer_that_would_be_too_large_says_what_to_ask_for(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backend.tenant().stats.add(StatsRow(now().date(), "lso", "A", {"webhooks": 1}))
        monkeypatch.setattr("functions.operate.handler.LARGEST_PAGE", 500)
        reply = call("GET /v1/stats", query={"by": "day"})
        assert (reply.status, reply.errors) == (422, {"/by": "too_large"})
