"""The harness itself: a page that is at fault fails its test."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import (
    NewPage,
    _Reports,
    check_axe,
    check_focus,
    check_narrow,
    check_page,
    check_targets,
)
from tests.support.served import QUEUES, ServedWorld

STRICT = {"content-security-policy": "default-src 'none'; connect-src 'self'; script-src 'self'"}
ADDRESS = "http://127.0.0.1:9/page"
GOOD = """
<!doctype html><html lang="en"><title>A page</title><meta name="viewport" content="width=device-width">
<style>body { font-size: 1rem } button { min-height: 2rem }</style>
<main><h1>A page</h1><p>See <a href="#there">there</a> for more.</p><button>Do it</button></main>
"""

PLAIN = "/docs/labels.html"
"""A page whose script asks for nothing."""

type Show = Callable[..., Page]


@pytest.fixture
def show(page: Page) -> Show:
    """Shows a page of this HTML, without a server."""

    def shown(html: str) -> Page:
        page.route(ADDRESS, lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        page.goto(ADDRESS)
        return page

    return shown


@pytest.fixture
def reports(browser: Browser) -> Iterator[Callable[..., list[str]]]:
    """Shows a page, and gives what a page may not do and this one did."""
    context = browser.new_context()

    def of(html: str, *, expected: tuple[str, ...] = (), **headers: str) -> list[str]:
        seen = _Reports(context, expected, ())
        page = context.new_page()
        page.route(
            "**/*",
            lambda route: route.fulfill(
                body=html if route.request.url == ADDRESS else "no",
                status=200 if route.request.url == ADDRESS else 404,
                headers={"content-type": "text/html; charset=utf-8", **headers},
            ),
        )
        page.goto(ADDRESS, wait_until="networkidle")
        return seen.lines

    yield of
    context.close()


def test_a_good_page_passes_every_check(show: Show) -> None:
    check_page(show(GOOD))


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<script>console.error('broken')</script>", "console: broken"),
        ("<script>missing()</script>", "uncaught: .*missing"),
        ("<script>fetch('gone.json')</script>", "Failed to load resource.*gone.json"),
        ("<img src='https://example.com/logo.png'>", "asked another server: https://example.com/logo.png"),
    ],
)
def test_what_a_page_may_not_do_is_reported(reports: Callable[..., list[str]], html: str, words: str) -> None:
    lines = reports(html)

    assert any(re.search(words, line) for line in lines), lines


def test_a_breach_of_the_policy_is_reported(reports: Callable[..., list[str]]) -> None:
    lines = reports("<p style='color: red'>words</p>", **STRICT)

    assert any("violates the following Content Security Policy" in line for line in lines), lines


def test_a_call_of_the_api_may_be_refused(reports: Callable[..., list[str]]) -> None:
    assert reports("<script>fetch('v1/orders')</script>") == []


def test_what_a_test_expects_is_not_reported(reports: Callable[..., list[str]]) -> None:
    assert reports("<script>console.error('broken')</script>", expected=("brok.n",)) == []


def test_axe_sees_faint_words_and_fields_without_label(show: Show) -> None:
    page = show(GOOD.replace("</main>", "<p style='color: #bbb'>faint</p><input></main>"))

    with pytest.raises(AssertionError, match=r"(?s)color-contrast.*label"):
        check_axe(page)


def test_a_focus_that_nothing_shows_is_seen(show: Show) -> None:
    page = show(GOOD.replace("button {", "button:focus { outline: none } button {"))

    with pytest.raises(AssertionError, match='nothing shows the focus of button "Do it"'):
        check_focus(page)


def test_a_focus_under_something_is_seen(show: Show) -> None:
    cover = "<div style='position: fixed; inset: 0; background: white'></div>"

    with pytest.raises(AssertionError, match='something covers button "Do it"'):
        check_focus(show(GOOD + cover))


def test_small_targets_side_by_side_are_seen(show: Show) -> None:
    small = "<button style='width: 10px; height: 10px; min-height: 0; padding: 0'>x</button>"

    with pytest.raises(AssertionError, match='button "x": 10 by 10'):
        check_targets(show(GOOD + small + small))


def test_a_page_that_is_too_wide_is_seen(show: Show) -> None:
    page = show(GOOD.replace("</main>", "<pre style='width: 500px'>wide</pre></main>"))

    with pytest.raises(AssertionError, match='pre "wide"'):
        check_narrow(page)


class TestServedWorld:
    def test_answers_as_the_gateway_does(self, served_world: ServedWorld, page: Page) -> None:
        key, lesser = served_world.key(), served_world.key("trackings:read")
        page.goto(served_world.url + PLAIN)

        def status(path: str, key: str | None) -> list[object]:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return page.evaluate(
                "async ([path, headers]) => { const answer = await fetch(path, { headers });"
                " return [answer.status, (await answer.json()).code ?? null] }",
                [path, headers],
            )

        assert status("../v1/orders", key) == [200, None]
        assert status("../v1/orders", None) == [401, None]
        assert status("../v1/orders", "pg_no_such") == [401, "invalid_key"]
        assert status("../v1/orders", lesser) == [403, "missing_scope"]
        served_world.revoke(key)
        assert status("../v1/orders", key) == [401, "invalid_key"]

    def test_orders_go_on_by_themselves_while_they_are_watched(
        self, served_world: ServedWorld, page: Page
    ) -> None:
        with served_world.hold() as world:
            order = world.start_order()
        page.goto(served_world.url + PLAIN)

        shown = page.evaluate(
            "async ([path, key]) => { for (let n = 0; n < 60; n++) {"
            " const answer = await fetch(path, { headers: { authorization: `Bearer ${key}` } });"
            " const order = await answer.json(); if (order.label.status === 'ready') return order.status } }",
            [f"../v1/orders/{order.id}", served_world.key()],
        )

        assert shown == "confirmed"

    def test_has_dead_letters_that_an_operator_sends_again(
        self, served_world: ServedWorld, page: Page
    ) -> None:
        with served_world.hold() as world:
            world.sqs.send_message(QueueUrl=f"{QUEUES}/letters-labels", MessageBody="{}")
        page.goto(served_world.url + PLAIN)

        moved = page.evaluate(
            "key => fetch('../v1/dead-letters/labels/redrive',"
            " { method: 'POST', headers: { authorization: `Bearer ${key}` } })"
            ".then(answer => answer.json())",
            served_world.key(),
        )

        assert moved["moved"] == 1, moved

    def test_can_be_gone(self, served_world: ServedWorld, page: Page) -> None:
        page.goto(served_world.url + PLAIN)
        served_world.down = True

        assert page.evaluate("fetch('../v1/health').then(() => 'there', () => 'gone')") == "gone"


def test_two_pages_know_nothing_of_each_other(new_page: NewPage, served_world: ServedWorld) -> None:
    first, second = new_page(), new_page(locale="de-DE")
    first.goto(served_world.url + PLAIN)
    second.goto(served_world.url + PLAIN)
    first.evaluate("sessionStorage.setItem('key', 'pg_1')")

    assert second.evaluate("sessionStorage.getItem('key')") is None
    assert second.evaluate("navigator.language") == "de-DE"


@pytest.fixture
def answers() -> Iterator[list[int]]:
    """What the server answers while the page is being closed."""
    found: list[int] = []
    yield found
    assert found == [200]


def test_a_page_is_closed_while_its_server_still_answers(
    answers: list[int], page: Page, served_world: ServedWorld
) -> None:
    url = f"{served_world.url}/console"
    page.goto(url)
    page.on("close", lambda: answers.append(httpx.get(url).status_code))
