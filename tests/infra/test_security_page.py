"""The page about security: its threats name tests that there are, its map of data is that of the code."""

import json
import re

import pytest

from infra.bundle import ROOT
from infra.constructs import queue_worker
from infra.settings import settings_for
from parcelgate.domain.merchants import events
from parcelgate.http.routes import ROUTES
from parcelgate.services.settings import Settings
from parcelgate.store import idempotency, inbox
from parcelgate.store.jobs import batches, printouts
from tests.infra.permissions import MAY
from tests.support.pages import assert_there, named_tests, rows

PAGE = ROOT / "docs" / "security.md"
THREATS = rows(PAGE, "| Entry | Threat |")
DATA = {row[0]: row for row in rows(PAGE, "| What | Where |")}
RELEASES = ROOT / "tests" / "releases"


@pytest.mark.parametrize("row", THREATS, ids=[f"{row[0]}: {row[1]}"[:60] for row in THREATS])
def test_every_threat_names_a_test_that_there_is(row: list[str]) -> None:
    named = named_tests(row[3])
    assert named, "a threat without a test"
    for each in named:
        assert_there(each)


def test_every_open_entry_has_its_threats() -> None:
    """A route that is answered without a key and stands in no row is one that nobody thought about."""
    entries = " ".join(row[0] for row in THREATS)
    pages = {"/console": "the console"}
    for route in ROUTES.values():
        if route.open:
            path = re.sub(r"/\{path\+\}$", "", route.path)
            assert path in entries or pages.get(path, path) in entries, route.key


def days(row: str) -> str:
    """For how long something is kept, as the page says."""
    (found,) = [cells for what, cells in DATA.items() if what.startswith(row)]
    return found[4]


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ("An order: ", Settings().retention.days),
        ("A tracking: ", Settings().retention.days),
        ("Labels", settings_for("production").retention_days),
        ("The body of a batch", settings_for("production").batch_retention_days),
        ("A batch: ", batches.KEPT.days),
        ("The body of a carrier's webhook", inbox.KEPT.days),
        ("Label documents", printouts.KEPT.days),
        ("Events for merchants", events.KEPT.days),
        ("Deliveries", events.KEPT.days),
        ("Messages of queues", queue_worker._KEPT.to_days()),
    ],
)
def test_the_page_says_for_how_many_days_it_is_kept(row: str, number: int) -> None:
    assert re.match(rf"{number} days?\b", days(row)), days(row)


def test_the_page_says_how_long_answers_and_logs_are_kept() -> None:
    hours = idempotency.KEPT.total_seconds() / 3600
    assert days("The answer to an idempotent request") == f"{hours:.0f} hours"
    assert settings_for("production").log_retention == "ONE_MONTH"
    assert days("Logs").startswith("a month")


def test_every_kind_of_item_is_on_the_page() -> None:
    """Of the items that this release writes: those with personal data in the map, the others below it."""
    newest = json.loads(max(RELEASES.glob("*-format-*.json")).read_text())
    kinds = {item["sk"]["S"].partition("#")[0] for name in ("table", "events") for item in newest[name]}
    named = {kind for kind in kinds if re.fullmatch(r"[A-Z_]+", kind)}
    assert len(named) > 15, "the others are figures and endpoints, named by days, carriers and ids"
    on_page = set(re.findall(r"`([A-Z_]+)`", PAGE.read_text()))
    assert named <= on_page


@pytest.mark.parametrize(
    ("row", "store"),
    [("Labels", "labels"), ("The body of a batch", "batch bodies"), ("Label documents", "label documents")],
)
def test_the_page_says_who_reads_files(row: str, store: str) -> None:
    readers = {name for name, things in MAY.items() if "s3:GetObject" in things.get(store, set())}
    (cells,) = [
        cells for what, cells in DATA.items() if what.startswith(row) and (row != "Labels" or what == row)
    ]
    assert set(re.findall(r"`(\w+)`", cells[3])) == readers


def test_nothing_of_ours_writes_into_traces() -> None:
    lock = (ROOT / "requirements" / "runtime.txt").read_text()
    assert not re.search(r"xray|opentelemetry", lock)


def test_bodies_of_webhooks_are_shown_by_no_call() -> None:
    shown = (ROOT / "shared" / "parcelgate" / "http" / "resources" / "operator.py").read_text()
    assert "body" not in re.findall(r"^    (\w+): ", shown, re.MULTILINE)
