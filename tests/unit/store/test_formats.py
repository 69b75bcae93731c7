"""Two releases work on the same table and queues, so each must read what the other writes."""

import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from parcelgate.store import formats
from tests.support.formats import DOCUMENTS, FIXTURE, MESSAGES, defaults, forms, tagged, unreadable

WRITTEN_DOWN = json.loads(FIXTURE.read_text())
ADVICE = (
    "Read shared/parcelgate/store/formats.py. If a release with the old form may run anywhere, raise its "
    "numbers in two releases, and only then write the forms down anew: "
    ".venv/bin/python -m tests.support.formats"
)


def test_the_forms_are_those_of_the_format() -> None:
    """Written down when the number was raised; since then only what a release of either form can read."""
    assert WRITTEN_DOWN["format"] == formats.WRITES, ADVICE
    assert [*unreadable(forms(), WRITTEN_DOWN["forms"])] == [], f"a release before: {ADVICE}"
    assert [*unreadable(WRITTEN_DOWN["forms"], forms())] == [], f"this release: {ADVICE}"


def test_a_field_that_is_left_out_means_the_same_for_good() -> None:
    """A document is stored without the fields that have their default."""
    today = defaults()
    changed = {
        f"{name}.{field}": (default, today[name].get(field, "no default"))
        for name, fields in WRITTEN_DOWN["defaults"].items()
        if name in today
        for field, default in fields.items()
        if field in WRITTEN_DOWN["forms"][name]["properties"] and today[name].get(field) != default
    }
    assert changed == {}, "stored documents without these fields would be read otherwise than they were meant"


def test_no_form_is_lost() -> None:
    """A type under another name is not compared; so its old name is written down anew with it."""
    assert set(WRITTEN_DOWN["forms"]) <= set(forms()), ADVICE


def test_a_release_reads_what_it_writes() -> None:
    oldest, newest = formats.READS
    assert oldest <= formats.WRITES <= newest


def changed(name: str, **properties: Any) -> dict[str, Any]:
    """The forms with other properties of one type; None takes a property away."""
    new = deepcopy(WRITTEN_DOWN["forms"])
    for field, form in properties.items():
        if form is None:
            del new[name]["properties"][field]
            new[name]["required"] = [each for each in new[name]["required"] if each != field]
        else:
            new[name]["properties"][field] = form
    return new


def test_no_form_has_a_tag() -> None:
    """What is chosen by a tag cannot be read by a release that does not know this one."""
    assert tagged([*DOCUMENTS, *MESSAGES]) == set(), ADVICE


def test_a_tag_is_found_wherever_it_is() -> None:
    class Marked(msgspec.Struct, tag=True):
        pass

    class Inner(msgspec.Struct):
        each: dict[str, tuple[Marked, ...]]

    class Outer(msgspec.Struct):
        one: Inner | None

    assert tagged([Outer]) == {"Marked"}


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (changed("Order", tenant=None), "Order.tenant is required and not written"),
        (changed("Order", tenant={"type": "integer"}), "Order.tenant has another type"),
        (changed("RetryMessage", order_id=None), "RetryMessage.order_id is required and not written"),
        (
            WRITTEN_DOWN["forms"] | {"OrderStatus": {"enum": ["accepted", "lost"]}},
            "OrderStatus has values that are not known: lost",
        ),
    ],
)
def test_what_a_release_before_cannot_read_is_named(new: dict[str, Any], problem: str) -> None:
    assert [*unreadable(new, WRITTEN_DOWN["forms"])] == [problem]


def test_a_new_field_with_a_default_can_be_read_by_both() -> None:
    new = changed("Order", gift={"type": "boolean"})
    assert [*unreadable(new, WRITTEN_DOWN["forms"])] == []
    assert [*unreadable(WRITTEN_DOWN["forms"], new)] == []


def test_a_new_field_without_one_cannot() -> None:
    new = changed("Order", gift={"type": "boolean"})
    new["Order"]["required"].append("gift")
    assert [*unreadable(WRITTEN_DOWN["forms"], new)] == ["Order.gift is required and not written"]
