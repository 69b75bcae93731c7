"""What a release leaves behind: its items, messages, files and the inputs of its executions.

`leave` lives the life of a small tenant in a `World`, with the real functions and the carriers in memory.
Some of it is over, some is under way: a flow that waits for its carrier's callback, an order in a retry
queue, a batch that nobody has begun, a webhook that nobody has processed, an event that nobody has delivered.

`left` gives all of it as JSON. A later release must be able to go on from there.
"""

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.world import World

TENANT = "acme"
REPEATED = "a-repeated-request"
"""The idempotency key of the request that a later release must answer as this one did."""

_LEASE = re.compile(r"(?<=^place)_\d+$|(?<=^slot)_\d+$")
"""Which of several leases was taken is chance."""
_ULID = re.compile(r"_[0-9A-HJKMNP-TV-Z]{26}")

type Left = dict[str, Any]
type Step = Callable[[World, Left], None]


class OpenSafe:
    """In the place of KMS: what is sealed here can be opened by the test of a later release."""

    def encrypt(self, *, Plaintext: bytes, **more: Any) -> dict[str, bytes]:  # noqa: N803
        return {"CiphertextBlob": b"sealed:" + Plaintext}

    def decrypt(self, *, CiphertextBlob: bytes, **more: Any) -> dict[str, bytes]:  # noqa: N803
        return {"Plaintext": CiphertextBlob.removeprefix(b"sealed:")}

    @staticmethod
    def opened(text: str) -> bytes:
        """A file's bytes, of the text that stands for them."""
        return base64.b64decode(text)


def leave(world: World, steps: "tuple[Step, ...] | None" = None) -> Left:
    """Let a tenant live in this world, and return what is left of it."""
    notes: Left = {}
    for step in steps or STEPS:
        step(world, notes)
    return left(world, notes)


def left(world: World, notes: Left) -> Left:
    """Everything that a world holds, as JSON."""
    from tests.support.table import all_items

    tables = {"table": world._table_name, "events": f"events-{world._table_name}"}
    return {
        "at": world.clock.now.isoformat(),
        "notes": notes,
        **{
            name: sorted(map(_portable, all_items(world._dynamodb, table)), key=_place)
            for name, table in tables.items()
        },
        "messages": {
            queue.rpartition("/")[2]: [json.loads(each["body"]) for each in messages]
            for queue, messages in sorted(world.sqs.messages.items())
            if messages
        },
        "executions": {
            one.name: json.loads(one.input)
            for one in world.machine.executions.values()
            if one.status == "RUNNING"
        },
        "files": {key: base64.b64encode(body).decode() for key, body in sorted(world.s3.objects.items())},
    }


# The life of a tenant


def an_order_that_was_delivered(world: World, notes: Left) -> None:
    order = world.settle(world.start_order("delivered-1"))
    notes["delivered"] = order.id
    happens(order, "in_transit", "delivered")
    world.stream()


def an_order_on_its_way(world: World, notes: Left) -> None:
    order = world.settle(world.start_order("on-its-way-1", metadata={"colour": "red"}))
    notes["on_its_way"] = order.id
    happens(order, "in_transit")
    world.stream()


def an_order_to_be_cancelled(world: World, notes: Left) -> None:
    notes["bought"] = world.settle(world.start_order("bought-1")).id


def an_order_that_was_cancelled(world: World, notes: Left) -> None:
    order = world.settle(world.start_order("cancelled-1"))
    world.cancel_order(order)
    notes["cancelled"] = world.settle(order).id


def an_order_that_failed(world: World, notes: Left) -> None:
    from tests.support.fake_carriers import Behaviour

    world.carrier.behaviour = Behaviour(fails=True)
    notes["failed"] = world.settle(world.start_order("failed-1")).id
    world.carrier.behaviour = Behaviour()


def an_order_that_needs_a_person(world: World, notes: Left) -> None:
    from tests.support.fake_carriers import Behaviour

    world.carrier.behaviour = Behaviour(lost="request")
    notes["needs_attention"] = world.settle(world.start_order("lost-1")).id
    world.carrier.behaviour = Behaviour()


def a_key(world: World, notes: Left) -> None:
    from parcelgate.services.accounts import api_keys

    notes["key"] = api_keys.create(world.table, TENANT, ["orders:read"], "a shop", now=world.clock.now)


def accounts(world: World, notes: Left) -> None:
    world.put_account("ubi", {"token": "made-up", "secret": "made-up"})
    world.put_account("lso", {"app_id": "made-up", "app_secret": "made-up"})


def settings_and_a_rate_card(world: World, notes: Left) -> None:
    from tests.support.api import call

    call("PUT /v1/settings", body={"brand": {"name": "Byrd Tools"}})
    notes["brand"] = "Byrd Tools"
    card = "service,country,weight_up_to,price,currency\nUBI.AU2AU.AUPOST.1,AU,5 kg,7.70,AUD\n"
    call(
        "PUT /v1/carrier-accounts/{carrier}/{account}/rate-card",
        body=card.encode(),
        headers={"content-type": "text/csv"},
        carrier="ubi",
        account="default",
    )


def a_followed_parcel(world: World, notes: Left) -> None:
    from tests.support.trackings import a_followed

    tracking = a_followed("LK1CN")
    world.table.tenant(TENANT).trackings.add(tracking)
    notes["followed"] = tracking.id


def an_endpoint(world: World, notes: Left) -> None:
    from tests.support.api import call

    body = {"url": "https://shop.example/", "events": ["*"]}
    notes["endpoint"] = call("POST /v1/webhook-endpoints", body=body).json()["id"]


def an_event_on_its_way(world: World, notes: Left) -> None:
    from parcelgate.runtime import runtime
    from tests.support.api import call
    from tests.support.events import an_event_of

    reply = call("POST /v1/webhook-endpoints/{id}/test", id=notes["endpoint"])
    notes["delivery"] = reply.json()["id"]
    event = an_event_of("ord_1", at=world.clock.now)
    world._events_table.tenant(TENANT).log.add(event)
    runtime.fan_out.fan_out(TENANT, [event])


def an_answer_that_is_kept(world: World, notes: Left) -> None:
    from tests.support.api import order_body

    body = order_body("repeated-1")
    reply = world.create_order(body, **{"Idempotency-Key": REPEATED})
    notes["repeated"] = {"body": body, "status": reply.status, "id": reply.json()["id"]}


def a_flow_that_waits_for_its_carrier(world: World, notes: Left) -> None:
    from tests.support.fake_carriers import Behaviour

    world.carrier.behaviour = Behaviour(callback_after=None)
    order = world.start_order("in-a-flow-1")
    world.clock.run(until=lambda: bool(world.carrier.urls) and _is(world, order, "processing"), hours=0.01)
    notes["in_a_flow"] = order.id
    world.carrier.behaviour = Behaviour()


def an_order_in_a_retry_queue(world: World, notes: Left) -> None:
    from parcelgate.runtime import runtime
    from parcelgate.services.orders.retry_queues import Action
    from tests.support.orders import an_event, an_order

    order = an_order(reference="retried-1", at=world.clock.now)
    world.table.tenant(TENANT).orders.add(order, an_event(at=world.clock.now))
    runtime.retry_queues.enqueue(order, Action.CREATE, at=world.clock.now)
    notes["retried"] = order.id


def a_batch_that_nobody_has_begun(world: World, notes: Left) -> None:
    from tests.support.bodies import BODIES

    notes["batch"] = world.create_batch([BODIES["ubi"](f"batch-{number}") for number in range(2)]).id


def a_webhook_that_nobody_has_processed(world: World, notes: Left) -> None:
    body, at = b'{"code": 200, "data": {}}', world.clock.now
    entry = world.table.tenant(TENANT).inbox.put(
        carrier="lso", account="default", body=body, order_id=notes["in_a_flow"], now=at
    )
    notes["webhook"] = entry.id
    world.stream()


def parcels_that_wait_for_their_polls(world: World, notes: Left) -> None:
    world.poll()
    notes["planned"] = sorted(
        tracking.id
        for tracking in world.table.tenant(TENANT).trackings.page(limit=100).data
        if world.next_poll(tracking) is not None
    )


def a_parcel_to_be_asked_about(world: World, notes: Left) -> None:
    from parcelgate.runtime import runtime

    for tracking in world.table.tenant(TENANT).trackings.page(limit=1).data:
        runtime.timelines.nudge(tracking.tenant, tracking.id)


def labels_to_be_printed(world: World, notes: Left) -> None:
    from tests.support.api import call

    answer = call("POST /v1/label-documents", body={"order_ids": [notes["delivered"]]}).json()
    notes["printed"] = answer["id"]


STEPS: tuple[Step, ...] = (
    a_key,
    accounts,
    settings_and_a_rate_card,
    an_endpoint,
    an_order_that_was_delivered,
    an_order_on_its_way,
    an_order_to_be_cancelled,
    an_order_that_was_cancelled,
    an_order_that_failed,
    an_order_that_needs_a_person,
    a_followed_parcel,
    an_answer_that_is_kept,
    a_flow_that_waits_for_its_carrier,
    an_order_in_a_retry_queue,
    a_batch_that_nobody_has_begun,
    a_webhook_that_nobody_has_processed,
    parcels_that_wait_for_their_polls,
    a_parcel_to_be_asked_about,
    labels_to_be_printed,
    an_event_on_its_way,
)


def happens(order: Any, *statuses: str) -> None:
    from datetime import timedelta

    from parcelgate.carriers.results import ParcelHistory
    from parcelgate.domain.trackings import Source, TrackingEvent, TrackingStatus
    from parcelgate.runtime import runtime

    events = tuple(
        TrackingEvent(
            at=order.updated_at + timedelta(hours=number),
            code=status.upper(),
            description=f"Now {status}",
            status=TrackingStatus(status),
            city="Austin",
            country="US",
        )
        for number, status in enumerate(statuses, 1)
    )
    for parcel in order.parcels:
        history = ParcelHistory(tracking_number=parcel.tracking_number, events=events)
        runtime.timelines.take(order.tenant, parcel.tracking_id, history, Source.POLL)


def _is(world: World, order: Any, status: str) -> bool:
    found = world.order(order)
    return found.status == status and found.carrier_order_number is not None


# As JSON


def _portable(item: dict[str, Any]) -> dict[str, Any]:
    """An item without bytes, which JSON does not know; a compressed document becomes text."""
    return {name: _text(value) for name, value in sorted(item.items())}


def _text(value: dict[str, Any]) -> dict[str, Any]:
    if "B" not in value:
        return value
    content = bytes(value["B"])
    try:
        return {"compressed": zlib.decompress(content).decode()}
    except zlib.error:
        return {"base64": base64.b64encode(content).decode()}


def item_of(portable: dict[str, Any]) -> dict[str, Any]:
    """The item that DynamoDB stores."""
    return {name: _bytes(value) for name, value in portable.items()}


def _bytes(value: dict[str, Any]) -> dict[str, Any]:
    match value:
        case {"compressed": text}:
            return {"B": zlib.compress(text.encode())}
        case {"base64": text}:
            return {"B": base64.b64decode(text)}
    return value


def _place(item: dict[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


# Its shape


def shape(content: Left) -> set[str]:
    """The attributes of all items and the fields of all documents and messages, with their types."""
    found: set[str] = set()
    for name in ("table", "events"):
        for item in content[name]:
            is_bucket = item["pk"]["S"].startswith("WHEEL#")
            kind = _ULID.sub("", f"{name}:{'WHEEL' if is_bucket else item['sk']['S'].partition('#')[0]}")
            for attribute, value in item.items():
                ((form, inner),) = value.items()
                found.add(f"{kind}.{_LEASE.sub('', attribute)}={form}")
                if attribute == "doc":
                    found |= {f"{kind}.{path}" for path in _paths("doc", _document(inner))}
    for queue, bodies in content["messages"].items():
        found |= {f"{queue}.{path}" for body in bodies for path in _paths("body", body)}
    for given in content["executions"].values():
        found |= set(_paths("execution", given))
    return found


def _document(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _paths(where: str, value: Any) -> Iterator[str]:
    """A line for each field. Null says nothing of a field's type, and names in free objects are data."""
    match value:
        case dict():
            free = where.endswith((".metadata", ".carrier_details", ".headers"))
            for name, each in value.items():
                yield from () if free else _paths(f"{where}.{name}", each)
            yield f"{where}=object"
        case list():
            for each in value:
                yield from _paths(f"{where}[]", each)
            yield f"{where}=list"
        case None:
            yield f"{where}=null"
        case bool():
            yield f"{where}=flag"
        case _:
            yield f"{where}={'text' if isinstance(value, str) else 'number'}"
