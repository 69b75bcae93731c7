"""`make bench` rewrites what it measured, and nothing else of a page."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import __main__ as bench
from bench import figures, svg
from bench.__main__ import PARTS, MarksError, Part
from local import ROOT

PART = Part("one", "page.md", "one")
OTHER = Part("two", "page.md", "two")
PAGE = "\n".join(
    ["# Page", "by hand", *PART.marks, "between", OTHER.marks[0], "older", OTHER.marks[1], "end", ""]
)
SHOWN = re.compile(r"!\[[^\]]+\]\(pictures/([^)]+)\)")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "page.md").write_text(PAGE)
    return tmp_path


def program(code: str, monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> None:
    """A part of that name that runs this code."""
    (folder / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_has_its_place_and_its_program(part: Part) -> None:
    page = (ROOT / "docs" / part.page).read_text("utf-8")
    assert all(page.count(mark) == 1 for mark in part.marks)
    assert (ROOT / (part.program.replace(".", "/") + ".py")).is_file()


def test_what_a_part_printed_stands_between_its_marks_and_all_else_stays(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("print('| a |\\n|---|\\n| 1 |')", monkeypatch, docs, "one")
    assert bench.main("--only", "one", parts=(PART, OTHER), docs=docs) == 0
    page = (docs / "page.md").read_text()
    before, after = page.split(PART.marks[0])[0], page.split(PART.marks[1])[1]
    assert before + after == PAGE.split(PART.marks[0])[0] + PAGE.split(PART.marks[1])[1]
    assert re.search(
        r"`make bench ONLY=one`, \d+ \w+ 20\d\d, \d+ cores .*\n\n\| a \|\n\|---\|\n\| 1 \|\n\n<!--", page
    )


def test_a_long_part_runs_only_when_it_is_named(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("print('1')", monkeypatch, docs, "one")
    program("print('2')", monkeypatch, docs, "two")
    long = OTHER._replace(by_name_alone=True)
    assert bench.main(parts=(PART, long), docs=docs) == 0
    assert "ONLY=two" not in (docs / "page.md").read_text()
    monkeypatch.setenv("ONLY", "two")
    assert bench.main(parts=(PART, long), docs=docs) == 0
    assert "ONLY=two" in (docs / "page.md").read_text()


def test_a_part_that_fails_is_named_and_keeps_its_older_figures_and_pictures(
    docs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program("print('1')", monkeypatch, docs, "one")
    program("from bench import svg; svg.save('a.svg', ''); print('new'); 1 / 0", monkeypatch, docs, "two")
    assert bench.main(parts=(OTHER, PART), docs=docs) == 1
    page = (docs / "page.md").read_text()
    assert "older" in page
    assert "new" not in page
    assert "ONLY=one" in page
    assert not [*(docs / "pictures").iterdir()]
    assert "failed: two" in capfd.readouterr().err


def test_what_cannot_be_measured_on_a_machine_is_said_and_is_no_failure(
    docs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program("from bench import figures; print('1'); figures.not_here('no tool')", monkeypatch, docs, "two")
    assert bench.main("--only", "two", parts=(PART, OTHER), docs=docs) == 0
    assert (docs / "page.md").read_text() == PAGE
    assert "two cannot be measured here, the page keeps what it has: no tool" in capfd.readouterr().err


def test_a_page_without_the_marks_of_a_part_is_not_written() -> None:
    with pytest.raises(MarksError, match=r"docs/page\.md lacks"):
        bench.put("# Page\n", PART, "text")


def test_every_picture_of_a_page_is_kept_and_can_be_read() -> None:
    shown = {name for path in (ROOT / "docs").glob("*.md") for name in SHOWN.findall(path.read_text("utf-8"))}
    assert shown == {path.name for path in (ROOT / "docs" / "pictures").glob("*.svg")}
    for name in shown:
        picture = ElementTree.fromstring((ROOT / "docs" / "pictures" / name).read_text("utf-8"))
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert "prefers-color-scheme:dark" in "".join(picture.itertext())


def test_the_same_figures_are_drawn_alike_and_to_scale() -> None:
    rows = [svg.Bar("a <b>", 2.0, "2 ms"), svg.Bar("c", 1.0)]
    picture = svg.bars("title", rows, goal=(1.5, "goal"))
    assert picture == svg.bars("title", [*rows], goal=(1.5, "goal"))
    wide = [
        float(each.get("width", ""))
        for each in ElementTree.fromstring(picture).iter()
        if each.tag.endswith("rect")
    ]
    assert wide[1] == pytest.approx(2 * wide[2])


def test_a_waterfall_has_a_bar_for_each_span_and_for_what_is_in_it() -> None:
    spans = [svg.Span("a", 0, 100), svg.Span("b", 100, 250, "carrier", [(120, 140, "aws")])]
    picture = svg.waterfall("title", spans, unit="ms", step=100, legend={"ours": "ours"})
    classes = [
        each.get("class") for each in ElementTree.fromstring(picture).iter() if each.tag.endswith("rect")
    ]
    assert classes == ["ground", "ours", "carrier", "aws", "ours"]


@pytest.mark.parametrize(
    ("figure", "goal", "words"),
    [(240, 300, "met, by 20 %"), (300, 300, "met, by 0 %"), (330, 300, "missed, by 10 %")],
)
def test_a_goal_is_met_or_missed_by_so_much(figure: float, goal: float, words: str) -> None:
    assert figures.verdict(figure, goal) == words


def test_a_course_goes_from_one_side_to_the_other() -> None:
    picture = svg.course("title", [1, 2, 4], marks=["0", "24"], level=(3.0, "three"))
    (line,) = [each for each in ElementTree.fromstring(picture).iter() if each.tag.endswith("polyline")]
    points = [[float(number) for number in point.split(",")] for point in line.get("points", "").split()]
    assert [x for x, _ in points] == [60, 400, 740]
    assert points[0][1] - points[1][1] == pytest.approx((points[1][1] - points[2][1]) / 2, abs=0.2)
