"""A stack that runs on a restored table: functions use that one alone, and the stack's own table stays."""

from typing import Any

import pytest
from aws_cdk import App, Stack, assertions

from infra import app
from infra.parts.store import Store
from infra.settings import Settings, settings_for

TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/restored"
STREAM = f"{TABLE}/stream/2026-11-27T03:15:00.000"


def store_of(settings: Settings) -> Store:
    return Store(Stack(App(), "Stack"), "Store", settings=settings)


@pytest.fixture(scope="module")
def restored() -> Store:
    return store_of(settings_for("production", table_stream=STREAM))


def written(store: Store, value: Any) -> Any:
    return Stack.of(store).resolve(value)


def test_functions_get_its_name_and_rights_on_it_and_its_indexes_alone(restored: Store) -> None:
    access = restored.access("GetItem", "PutItem", query=("by_time",))
    assert written(restored, access.environment["PARCELGATE_TABLE"]) == "restored"
    statements = (*access.statements, *restored.circuits_access().statements)
    of_table = [each for each in statements if each.actions[0].startswith("dynamodb:")]
    assert len(of_table) == 3
    used = {written(restored, resource) for each in of_table for resource in each.resources}
    assert used == {TABLE, f"{TABLE}/index/by_time"}


def test_the_router_reads_its_stream(restored: Store) -> None:
    assert written(restored, restored.stream_arn) == STREAM
    statement, *_ = restored.stream_access().statements
    assert written(restored, statement.to_json()["Resource"]) == STREAM


def test_the_stacks_own_table_stays_as_it_was(restored: Store) -> None:
    with_it = assertions.Template.from_stack(Stack.of(restored)).to_json()["Resources"]
    without = assertions.Template.from_stack(Stack.of(store_of(settings_for("production"))))
    assert with_it == without.to_json()["Resources"]


def test_the_setting_can_be_given_for_a_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def note(*_: Any, settings: Settings, **__: Any) -> None:
        given.append(settings.table_stream)

    monkeypatch.setattr(app, "ParcelgateStack", note)
    monkeypatch.setattr(app, "build", lambda _: None)
    app.make_app(stage="production", table_stream=STREAM)
    app.make_app(stage="staging")
    assert given == [STREAM, ""]
