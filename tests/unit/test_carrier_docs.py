"""`docs/carriers.md` says of each carrier what its code says."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parcelgate.carriers import registry
from parcelgate.carriers.limits import Limits
from parcelgate.carriers.lme.codes import ACTIONS, FORWARDED, Action
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.carriers.ubi.mapping.track import histories
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import TrackAnswer, read_each

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GRADES = {"documented", "public", "assumed"}
PACKAGES = {**registry.CARRIERS, **registry.AGGREGATORS}

type Row = list[str]


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(code: str) -> str:
    """What stands under the heading that ends with the carrier's code."""
    found = re.search(rf"^## [^\n]*\(`{code}`\)\n(.*?)(?=^## |\Z)", text("carriers.md"), re.M | re.S)
    assert found, f"no section for {code}"
    return found[1]


def rows(content: str, first: str) -> list[Row]:
    """The rows of the table whose first column is called so."""
    table = re.search(rf"^\| {first} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", content, re.M)
    assert table, f"no table of {first}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def named(row: Row) -> str:
    """The name in code at the beginning of a row."""
    found = re.match(r"\|? ?`(\w+)`", row[0])
    return found[1] if found else ""


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list | dict):
        return ", ".join(str(part) for part in value) or "none"
    return str(value)


def overrides(code: str) -> type[msgspec.Struct]:
    """The overrides that a carrier's account may hold."""
    assumed = import_module(f"{PACKAGES[code]}.settings")
    found: type[msgspec.Struct] = getattr(assumed, "Overrides", assumed.CarrierSettings)
    return found


def lines(what: str, missing: list[str]) -> str:
    return "\n".join([f"{what}:", *missing])


@pytest.mark.parametrize("code", PACKAGES)
def test_every_grade_of_a_profile_is_told_as_it_is(code: str) -> None:
    told = {named(row): row[1] for row in rows(section(code), "call")}
    missing = [
        f"| `{name}` | {grade} |"
        for name, grade in registry.profile(code).grades.items()
        if told.get(name) != grade
    ]
    assert not missing, lines(f"the table of calls of {code} in docs/carriers.md lacks", missing)
    assert {grade for _, grade in told.items()} <= GRADES


@pytest.mark.parametrize("code", PACKAGES)
def test_every_override_is_told_with_its_default(code: str) -> None:
    told = {named(row): row for row in rows(section(code), "override")}
    fields = {field.name: field for field in msgspec.structs.fields(overrides(code))}
    assert set(told) == set(fields)
    for name, field in fields.items():
        assert any(grade in told[name][2] for grade in GRADES), name
        if name != "paths":
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            assert told[name][1] == shown(default), name


@pytest.mark.parametrize("code", PACKAGES)
def test_every_path_is_told(code: str) -> None:
    (row,) = (row for row in rows(section(code), "override") if named(row) == "paths")
    paths = import_module(f"{PACKAGES[code]}.settings").PATHS
    told = re.findall(r"`(\w+)` `([^`]+)`", row[1])
    whole = ", ".join(f"`{call}` `{path}`" for call, path in paths.items())
    required = [(str(call), path) for call, path in paths.items()]
    assert told == required, lines(f"the row of paths of {code} in docs/carriers.md must say", [whole])


@pytest.mark.parametrize("code", registry.CARRIERS)
def test_the_table_of_fields_is_where_it_is_said_to_be(code: str) -> None:
    validation = import_module(f"{registry.CARRIERS[code]}.validation")
    assert re.search(rf"shared/parcelgate/carriers/{code}/validation(/fields)?\.py", section(code))
    unused = [str(place) for place in set(Place) - {place for place, _ in validation.FIELDS.values()}]
    assert not unused, lines(f"FIELDS of {code} puts no field of the create body into", unused)


def test_the_limits_are_told_with_their_defaults() -> None:
    told = {named(row): row[1] for row in rows(text("carriers.md"), "limit")}
    assert told == limits_shown(Limits())
    for code in PACKAGES:
        own = limits_shown(registry.profile(code).limits)
        rest = {name: value for name, value in own.items() if value != told[name]}
        said = {named(row): row[1] for row in rows(section(code), "limit")} if rest else {}
        assert said == rest, f"{code} has limits of its own: say them"


def limits_shown(limits: Limits) -> dict[str, str]:
    """Limits as the document writes them."""
    lanes = ", ".join(f"{name} {rate:g}" for name, rate in limits.lanes.items()) or "none"
    numbers = msgspec.structs.asdict(limits) | {"lanes": 0}
    return {name: f"{value:g}" for name, value in numbers.items()} | {"lanes": lanes}


def test_every_carrier_has_its_row_in_the_overview() -> None:
    overview = rows(text("carriers.md"), "carrier")
    links = [re.findall(r"\(#([\w-]+)\)", row[0])[0] for row in overview]
    headings = re.findall(r"^## ([^\n]*\(`\w+`\))$", text("carriers.md"), re.M)
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert links == anchors
    assert len(links) == len(PACKAGES)


@pytest.mark.parametrize("name", ["carriers.md", "adding-a-carrier.md"])
def test_what_is_pointed_at_exists(name: str) -> None:
    content = text(name)
    for link in re.findall(r"\]\(([^)#]+)\)", content):
        assert (DOCS / link).exists(), link
    for path in re.findall(r"`((?:shared|tests|sandbox|local|functions|docs)/[\w./-]+)`", content):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`(\w+\.py)`", content):
        assert any(ROOT.glob(f"shared/parcelgate/carriers/**/{path}")), path


def test_the_code_of_the_guide_is_the_toy_carriers() -> None:
    quoted = re.findall(r"```python\n(.*?)```", text("adding-a-carrier.md"), re.S)
    assert len(quoted) > 2
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "toy_carrier").rglob("*.py")]
    for code in quoted:
        assert any(code in source for source in sources), code


def test_the_guide_names_every_room_and_every_capability() -> None:
    guide = text("adding-a-carrier.md")
    toy = {path.name for path in (ROOT / "tests" / "toy_carrier" / "pigeon").glob("*.py")}
    assert {named_room for named_room in toy if f"| `{named_room}` |" not in guide} == set()
    port = import_module("parcelgate.carriers.port")
    protocols = {name for name, found in vars(port).items() if getattr(found, "_is_runtime_protocol", False)}
    assert len(protocols) > 10
    assert {name for name in protocols if f"`{name}`" not in guide and f"`{name}`:" not in guide} == set()


def test_every_event_code_of_lme_is_told_as_it_is() -> None:
    told = {named(row): row[1:3] for row in rows(section("lme"), "event code")}
    assert told == {code: [_outcome(code, action), shown_to(action)] for code, action in ACTIONS.items()}


def shown_to(action: Action) -> str:
    return "shown" if action.shown else "not shown"


def _outcome(code: str, action: Action) -> str:
    if action.status is None:
        outcome = "no status"
    else:
        outcome = ", ".join(f"`{word}`" for word in (action.status, action.sub_status) if word)
    if action.leaves:
        outcome += f"; leaves {' and '.join(f'`{status}`' for status in action.leaves)}"
    return outcome + ("; of the next carrier" if code in FORWARDED else "")


def test_the_names_that_a_tracking_answer_of_ubi_is_matched_by_are_told_in_their_order() -> None:
    """Each name that an answer may carry is enough; the docs list them as the code tries them."""
    sentence = re.search(r"They are tried in this order: (.*?)\. A name", section("ubi"), re.S)
    assert sentence
    names = re.findall(r"`(\w+)`", sentence[1])
    assert names == ["trackingNo", "referenceTrackingNo", "trackingNo", "referenceNo", "orderId"]
    for place, name in enumerate(names):
        event = {"eventTime": "2026-11-20 08:00:00", "eventCode": "RCV"}
        outer = {"events": [event]}
        (event if place < 2 else outer)[name] = "N1"
        ((history, *_), aside) = histories(["N1"], read_each(TrackAnswer, [outer]), CarrierSettings())
        assert (len(history.events), aside) == (1, 0), name
