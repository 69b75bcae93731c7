"""The forms of documents, messages and inputs, and whether what one release writes can be read by another.

`python -m tests.support.formats` writes today's forms into the fixture, under the number of today's format.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from local import arguments
from parcelgate.domain.batches import Batch, BatchRow
from parcelgate.domain.manifests import Manifest
from parcelgate.domain.merchants.endpoints import Delivery, Endpoint
from parcelgate.domain.merchants.rate_cards import RateCard
from parcelgate.domain.merchants.tenant_settings import TenantSettings
from parcelgate.domain.orders import Order, OrderEvent
from parcelgate.domain.printouts import Printout
from parcelgate.domain.trackings import Tracking
from parcelgate.services.batches.batches import BatchMessage
from parcelgate.services.endpoints.fan_out import DeliveryJob, FirstDeliveryJob
from parcelgate.services.labels.fetch import LabelJob
from parcelgate.services.orders.order_flow.executions import ExecutionInput
from parcelgate.services.orders.retry_queues import RetryMessage
from parcelgate.store import formats

FIXTURE = Path(__file__).parents[1] / "fixtures" / "written_formats.json"
DOCUMENTS = (
    Order,
    OrderEvent,
    Tracking,
    Batch,
    BatchRow,
    Manifest,
    Printout,
    TenantSettings,
    RateCard,
    Endpoint,
    Delivery,
)
MESSAGES = (RetryMessage, BatchMessage, LabelJob, DeliveryJob, FirstDeliveryJob, ExecutionInput)
_NOT_FORM = ("default", "description", "title")

type Form = dict[str, Any]


def forms() -> dict[str, Form]:
    """Return the form of each type that is stored or sent, by its name, without defaults and texts."""
    _, found = msgspec.json.schema_components([*DOCUMENTS, *MESSAGES])
    return {name: _bare(form) for name, form in sorted(found.items())}


def defaults() -> dict[str, Form]:
    """Return the defaults of each type that is stored or sent: documents are stored without them."""
    _, found = msgspec.json.schema_components([*DOCUMENTS, *MESSAGES])
    each = {
        name: {field: inner["default"] for field, inner in form["properties"].items() if "default" in inner}
        for name, form in sorted(found.items())
        if "properties" in form
    }
    return json.loads(json.dumps(each, default=str))


def tagged(types: Iterable[type]) -> set[str]:
    """The names of the structs among these types, and in their fields, that are stored with a tag."""
    found: set[str] = set()
    seen: set[type] = set()
    left: list[Any] = [*inspect.multi_type_info([*types])]
    while left:
        kind = left.pop()
        if isinstance(kind, inspect.StructType):
            if kind.cls in seen:
                continue
            seen.add(kind.cls)
            if kind.tag is not None:
                found.add(kind.cls.__name__)
            left += (field.type for field in kind.fields)
        for name in ("item_type", "key_type", "value_type"):
            left += (getattr(kind, name),) if hasattr(kind, name) else ()
        for name in ("item_types", "types"):
            left += getattr(kind, name, ())
    return found


def _bare(form: Any) -> Any:
    if not isinstance(form, dict):
        return form
    bare = {name: value for name, value in form.items() if name not in _NOT_FORM}
    if "properties" in form:
        bare["properties"] = {name: _bare(each) for name, each in form["properties"].items()}
    for name in ("items", "additionalProperties"):
        if name in form:
            bare[name] = _bare(form[name])
    if "anyOf" in form:
        bare["anyOf"] = [_bare(each) for each in form["anyOf"]]
    return bare


def unreadable(written: Mapping[str, Form], reader: Mapping[str, Form]) -> Iterator[str]:
    """Yield what a release with the forms of `reader` cannot read of what one with `written` writes."""
    for name, form in written.items():
        if name in reader:
            yield from _unreadable(name, form, reader[name])


def _unreadable(where: str, written: Form, reader: Form) -> Iterator[str]:
    if "properties" in reader:
        there = written.get("properties", {})
        for name in reader.get("required", []):
            if name not in there:
                yield f"{where}.{name} is required and not written"
        for name, form in there.items():
            if name in reader["properties"]:
                yield from _unreadable(f"{where}.{name}", form, reader["properties"][name])
    elif "enum" in reader:
        if unknown := set(written.get("enum", ["anything"])) - set(reader["enum"]):
            yield f"{where} has values that are not known: {', '.join(map(str, sorted(unknown)))}"
    elif not all(each in _choices(reader) for each in _choices(written)):
        yield f"{where} has another type"


def _choices(form: Form) -> list[Form]:
    return form.get("anyOf", [form])


if __name__ == "__main__":
    arguments.none(__doc__)
    FIXTURE.parent.mkdir(exist_ok=True)
    written = {"format": formats.WRITES, "forms": forms(), "defaults": defaults()}
    FIXTURE.write_text(json.dumps(written, indent=1) + "\n")
