"""After a deployment every function is asked whether it can be loaded, and does nothing for it."""

import io
import json
from importlib import import_module
from typing import Any

import pytest

from infra.settings import settings_for
from local import ROOT
from local.deploy import smoke
from parcelgate.http.routes import FUNCTIONS
from parcelgate.observability.logs import SMOKE_TEST

FOLDERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
BY_NO_REQUEST = sorted(set(FOLDERS) - set(FUNCTIONS) - {"authorize"})


class Lambda:
    """Functions that answer as they are told to, by name."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: dict[str, Any] = {}
        self.by_alias: set[str] = set()

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        name, _, alias = FunctionName.removeprefix("parcelgate-staging-").partition(":")
        if alias:
            self.by_alias.add(name)
        self.asked[name] = json.loads(Payload)
        said = self.answers.get(name, {})
        failed = {"FunctionError": "Unhandled"} if "errorType" in said else {}
        return {"Payload": io.BytesIO(json.dumps(said).encode()), **failed}


def found(client: Lambda) -> list[str]:
    return [each.text for each in smoke.ask(client, settings_for("staging"), FOLDERS)]


def test_all_are_asked_and_none_has_anything_to_say() -> None:
    client = Lambda()
    assert found(client) == []
    assert sorted(client.asked) == FOLDERS


def test_public_functions_are_asked_by_the_alias_that_clients_reach() -> None:
    client = Lambda()
    found(client)
    assert client.by_alias == {*FUNCTIONS, "authorize"}


def test_one_that_cannot_be_loaded_is_named() -> None:
    (text,) = found(Lambda(sweep={"errorType": "Runtime.ImportModuleError"}))
    assert text.startswith("sweep does not work (Runtime.ImportModuleError)")


def test_one_that_answers_with_an_error_of_its_own_is_named() -> None:
    (text,) = found(Lambda(read_orders={"statusCode": 500}, create_order={"statusCode": 401}))
    assert text.startswith("read_orders answers 500")


@pytest.mark.parametrize("name", BY_NO_REQUEST)
def test_who_works_in_the_background_does_nothing_but_answer(name: str) -> None:
    handler = import_module(f"functions.{name}.handler").handler
    assert handler(smoke.event_for(name), None) == SMOKE_TEST


OPEN = {"describe_service", "ingest_webhook", "serve_pages", "show_tracking_page"}


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - OPEN))
def test_who_answers_clients_tells_that_there_is_no_key(name: str) -> None:
    handler = import_module(f"functions.{name}.handler").handler
    assert handler(smoke.event_for(name), None)["statusCode"] == 401
