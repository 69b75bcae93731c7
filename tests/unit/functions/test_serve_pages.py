"""The pages as they are sent: found by exact names alone, cached by what they are, under a strict policy."""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.serve_pages import handler
from infra.bundle import ROOT
from infra.pages import build_pages
from tests.support.api import Context, api_event

PAGE = "GET /console"
FILE = "GET /console/{path+}"
IMPORTS = re.compile(r'(?:\bfrom |^import |\bimport\()"(\.[^"]+)"', re.MULTILINE)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of this checkout."""
    folder = tmp_path_factory.mktemp("pages")
    build_pages(folder, ROOT)
    return folder


@pytest.fixture(autouse=True)
def pages(built: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("PARCELGATE_PAGES", str(built))
    handler._files.cache_clear()
    yield built
    handler._files.cache_clear()


def sent(path: str | None = None, **headers: str) -> dict[str, Any]:
    """The answer to a request for the page, or for one of its files."""
    event = api_event(
        PAGE if path is None else FILE, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    if path is not None:
        event["pathParameters"] = {"path": path}
    answer = handler.handler(event, Context())
    assert all(isinstance(value, str) for value in answer["headers"].values())
    return answer


def content(answer: dict[str, Any]) -> bytes:
    assert answer["isBase64Encoded"]
    data = base64.b64decode(answer["body"])
    return gzip.decompress(data) if answer["headers"].get("content-encoding") == "gzip" else data


def asked_for() -> list[str]:
    """The files that the page's HTML asks for, below `/console/`."""
    html = content(sent()).decode()
    assert "HASH" not in html
    found = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert all(address.startswith("console/") for address in found), "they must work under any base address"
    return [address.removeprefix("console/") for address in found]


def test_the_page_is_asked_for_again_each_time_and_its_files_never() -> None:
    page = sent()
    assert (page["statusCode"], page["headers"]["cache-control"]) == (200, "no-cache")
    assert page["headers"]["content-type"] == "text/html; charset=utf-8"
    for path in asked_for():
        file = sent(path)
        assert (file["statusCode"], path) == (200, path)
        assert file["headers"]["cache-control"] == "public, max-age=31536000, immutable"


def test_a_page_may_load_and_call_nothing_but_its_own_address() -> None:
    headers = sent()["headers"]
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    html = content(sent()).decode()
    assert not re.search(r"<style|style=|<script(?![^>]*\bsrc=)|\son\w+=", html)


def test_the_console_alone_may_show_labels_and_from_their_bucket_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def policy(route: str) -> dict[str, str]:
        header = handler.handler(api_event(route), Context())["headers"]["content-security-policy"]
        return dict(part.strip().split(" ", 1) for part in header.split(";"))

    strict = policy(PAGE)
    bucket = "https://labels.s3.eu-central-1.amazonaws.com"
    monkeypatch.setenv("PARCELGATE_LABEL_LINKS", bucket)
    widened = {"img-src": f"{strict['img-src']} {bucket}", "frame-src": bucket}
    assert policy(PAGE) == strict | widened
    assert policy("GET /docs") == strict


@pytest.mark.parametrize(
    ("accepts", "is_compressed"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("br", False),
        ("", False),
    ],
)
def test_a_file_is_compressed_for_who_takes_that(accepts: str, is_compressed: bool) -> None:
    (script,) = [path for path in asked_for() if path.endswith("/app.js")]
    answer = sent(script, accept_encoding=accepts)
    assert ("content-encoding" in answer["headers"]) is is_compressed
    assert answer["headers"]["vary"] == "accept-encoding"
    assert content(answer) == (ROOT / "console" / "app.js").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "app.js",
        "0123456789abcdef/app.js",
        "../handler.py",
        "%2e%2e/handler.py",
        "..",
        "/etc/passwd",
        "index.html.gz",
        "\0",
    ],
)
def test_nothing_else_can_be_asked_for(path: str) -> None:
    answer = sent(path)
    assert answer["statusCode"] == 404
    assert answer["headers"]["content-type"] == "application/problem+json"


def test_every_import_of_the_console_leads_to_a_file(pages: Path) -> None:
    scripts = (pages / "console").rglob("*.js.gz")
    files = {path.relative_to(pages).as_posix().removesuffix(".gz"): path for path in scripts}
    for name, path in files.items():
        if "/vendor/" in name:
            continue
        text = gzip.decompress(path.read_bytes()).decode()
        assert "import" in text or "export" in text, name
        for imported in IMPORTS.findall(text):
            home = (pages / name).parent
            leads_to = (home / imported).resolve().relative_to(pages.resolve()).as_posix()
            assert leads_to in files, f"{name} imports {imported}"


def test_every_file_of_the_documentation_is_sent_as_what_it_is(pages: Path) -> None:
    sent_files = handler._files()
    paths = [path.relative_to(pages / "docs").as_posix() for path in (pages / "docs").rglob("*.gz")]
    assert len(paths) > 20
    for path in paths:
        answer = sent_files.answer("docs", path.removesuffix(".gz"), accepts="gzip")
        assert answer is not None
        if path.endswith(".html.gz"):
            assert "/HASH/" not in gzip.decompress(base64.b64decode(answer.body)).decode()


def test_every_library_of_the_pages_comes_with_its_licence(pages: Path) -> None:
    found = [gzip.decompress(path.read_bytes()).decode() for path in pages.rglob("licences.txt.gz")]
    assert len(found) == 2
    console = ROOT / "console"
    for library in json.loads((console / "package.json").read_text())["dependencies"]:
        (licence,) = (console / "node_modules" / library).glob("LICENSE*")
        assert any(licence.read_text("utf-8").strip() in text for text in found), library
    assert "Jason Miller" in "".join(found), "preact, which comes inside of htm"
    folder = next(path.parent.name for path in (pages / "console").rglob("app.js.gz"))
    assert sent(f"{folder}/licences.txt")["headers"]["content-type"].startswith("text/plain")


def test_the_scripts_of_the_console_are_at_most_120_kb_compressed(pages: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in (pages / "console").rglob("*.js.gz")}
    assert 20_000 < sum(sizes.values()) <= 120_000, sizes


def test_the_function_may_do_nothing_and_reads_its_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARCELGATE_PAGES")
    handler._files.cache_clear()
    # In a checkout there are no pages beside the handler: the bundle puts them there.
    assert sent()["statusCode"] == 404
