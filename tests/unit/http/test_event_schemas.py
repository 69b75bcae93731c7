"""The files of `docs/events` are what the code makes of the models, and each type is written about."""

import json

import pytest
from jsonschema import Draft202012Validator

from infra.bundle import ROOT
from parcelgate.domain.merchants.events import EventType, Topic
from parcelgate.http.event_schemas import text
from parcelgate.http.resources.events import WORDS

FOLDER = ROOT / "docs" / "events"


@pytest.mark.parametrize("kind", EventType)
def test_the_file_of_a_type_is_what_the_code_makes(kind: EventType) -> None:
    """Else: .venv/bin/python -m parcelgate.http.event_schemas docs/events"""
    written = (FOLDER / f"{kind}.json").read_text("utf-8")
    assert written == text(kind)
    Draft202012Validator.check_schema(json.loads(written))


def test_there_is_a_file_for_each_type_and_no_other() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {str(kind) for kind in EventType}
    assert set(WORDS) == set(EventType)


def test_the_page_on_events_has_each_type_with_its_meaning() -> None:
    page = (ROOT / "docs" / "events.md").read_text("utf-8")
    for kind, (_, meaning) in WORDS.items():
        assert f"| [`{kind}`](events/{kind}.json) | {meaning} |" in page


def test_the_topic_of_a_type_is_the_scope_that_shows_it() -> None:
    assert {kind.topic.scope for kind in EventType} == {topic.scope for topic in Topic}
    assert EventType.BATCH_FINISHED.topic is EventType.LABEL_READY.topic is Topic.ORDERS
