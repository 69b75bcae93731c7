"""Importing a file: it can break off anywhere, and nothing is created twice."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from local.command import importing
from local.command.cli import app
from local.command.deployment import Deployment
from local.command.importing import Api, ImportFailedError, check, run, state_path
from local.command.order_files import FileError, results_path
from parcelgate.services.accounts import api_keys
from parcelgate.store.table import Table
from tests.support.fast_dynamodb import dynamodb
from tests.support.table import table

__all__ = ["dynamodb", "table"]

type Answer = httpx.Response | Exception


class FakeApi:
    """Takes batches as the contract says, and finishes them after some looks; orders named bad fail."""

    def __init__(self) -> None:
        self.batches: dict[str, list[Any]] = {}
        self.keys: dict[str, str] = {}
        self.created: list[str] = []
        self.examined: list[str] = []
        self.looks = 1
        self.troubles: list[Callable[[httpx.Request], Answer | None]] = []
        self.waits: list[float] = []
        self.good_now: set[str] = set()
        self._seen: dict[str, int] = {}

    def client(self, url: str = "https://api.test") -> Api:
        return Api(url, "pg_k_s", transport=httpx.MockTransport(self.answer), sleep=self.waits.append)

    def answer(self, request: httpx.Request) -> httpx.Response:
        for trouble in list(self.troubles):
            if found := trouble(request):
                self.troubles.remove(trouble)
                if isinstance(found, Exception):
                    raise found
                return found
        assert request.headers["authorization"] == "Bearer pg_k_s"
        return self.do(request)

    def do(self, request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path.partition("/v1/")[2].split("/"):
            case "POST", ["orders", "batch"] if json.loads(request.content).get("validate_only"):
                entries = json.loads(request.content)["orders"]
                return httpx.Response(200, json={"orders": [self.checked(entry) for entry in entries]})
            case "POST", ["orders", "batch"]:
                return self.take(request.headers["idempotency-key"], json.loads(request.content)["orders"])
            case "GET", ["batches", batch_id]:
                return httpx.Response(200, json=self.look(batch_id))
            case "GET", ["orders", order_id]:
                numbers = {"tracking_numbers": [f"T-{order_id}"], "carrier_order_number": f"N-{order_id}"}
                price = {"price": {"amount": "11.60", "currency": "USD"}}
                links = {"links": {"label": f"/v1/orders/{order_id}/label"}}
                return httpx.Response(200, json={"id": order_id, **numbers, **price, **links})
            case other:
                raise AssertionError(other)

    def checked(self, entry: Any) -> dict[str, Any]:
        reference = entry["reference"]
        self.examined.append(reference)
        wrong = {"pointer": "/parcels/0/weight", "code": "missing", "message": "Is required."}
        warned = {"pointer": "/ship_to/company", "code": "defaulted", "message": "The name is sent."}
        return {
            "reference": reference,
            "errors": [wrong] if "bad" in reference else [],
            "warnings": [warned] if "odd" in reference else [],
        }

    def take(self, key: str, entries: list[Any]) -> httpx.Response:
        if key not in self.keys:
            self.keys[key] = f"bat_{len(self.batches)}"
            self.batches[self.keys[key]] = entries
            self.created += [entry["reference"] for entry in entries]
        return httpx.Response(202, json={"id": self.keys[key], "total": len(entries)})

    def look(self, batch_id: str) -> dict[str, Any]:
        self._seen[batch_id] = seen = self._seen.get(batch_id, 0) + 1
        over = seen > self.looks
        return {
            "status": "finished" if over else "processing",
            "orders": [self.row(batch_id, n, over) for n in range(len(self.batches[batch_id]))],
        }

    def row(self, batch_id: str, n: int, over: bool) -> dict[str, Any]:
        reference = self.batches[batch_id][n]["reference"]
        row: dict[str, Any] = {"index": n, "reference": reference, "id": None, "problem": None}
        if not over:
            return row | {"status": "processing"}
        if "bad" in reference and reference not in self.good_now:
            errors = [{"pointer": "/parcels", "code": "missing", "message": "Is required."}]
            problem = {"code": "validation_failed", "detail": "Not valid.", "errors": errors}
            return row | {"status": "failed", "problem": problem}
        return row | {"status": "confirmed", "id": f"ord_{reference}"}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def a_file(folder: Path, *references: str) -> Path:
    file = folder / "orders.csv"
    file.write_text("reference,carrier\n" + "".join(f"{reference},ubi\n" for reference in references))
    return file


def quiet() -> Console:
    return Console(file=io.StringIO())


def results(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(results_path(file).read_text("utf-8-sig").splitlines()))


def breaks_off(*, at: str, after: bool, api: FakeApi) -> Callable[[httpx.Request], Answer | None]:
    """Ctrl-C, before or after the API has done what it was asked."""

    def trouble(request: httpx.Request) -> Answer | None:
        if at not in f"{request.method} {request.url.path}":
            return None
        api.troubles.clear()
        if after:
            api.do(request)
        raise KeyboardInterrupt

    return trouble


def whole(results: list[dict[str, Any]]) -> bool:
    """Whether every order of an import was confirmed."""
    return bool(results) and all(result["status"] == "confirmed" for result in results)


def test_a_file_becomes_orders_and_results_beside_it(tmp_path: Path, api: FakeApi) -> None:
    file = a_file(tmp_path, "a", "bad", "c")
    assert not whole(run(file, api.client(), quiet()))
    assert api.created == ["a", "bad", "c"]
    rows = results(file)
    assert [(row["line"], row["reference"], row["status"]) for row in rows] == [
        ("2", "a", "confirmed"),
        ("3", "bad", "failed"),
        ("4", "c", "confirmed"),
    ]
    assert rows[0]["tracking_numbers"] == "T-ord_a"
    assert rows[0]["carrier_order_number"] == "N-ord_a"
    assert (rows[1]["problem"], rows[1]["errors"]) == ("validation_failed", "/parcels: Is required.")


def test_a_long_file_goes_in_batches_of_three_hundred(tmp_path: Path, api: FakeApi) -> None:
    file = a_file(tmp_path, *(f"r{n}" for n in range(650)))
    assert whole(run(file, api.client(), quiet()))
    assert [len(entries) for entries in api.batches.values()] == [300, 300, 50]
    assert [row["reference"] for row in results(file)] == [f"r{n}" for n in range(650)]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", ["POST /v1/orders/batch", "GET /v1/batches/bat_0", "GET /v1/orders/ord_a"])
def test_broken_off_anywhere_the_same_command_goes_on(
    tmp_path: Path, api: FakeApi, at: str, after: bool
) -> None:
    file = a_file(tmp_path, "a", "bad", "c")
    api.troubles.append(breaks_off(at=at, after=after, api=api))
    with pytest.raises(KeyboardInterrupt):
        run(file, api.client(), quiet())
    assert not results_path(file).exists()

    run(file, api.client(), quiet())

    assert api.created == ["a", "bad", "c"], "each once"
    assert len(results(file)) == 3


def test_the_results_tell_the_price_and_where_the_label_is(tmp_path: Path, api: FakeApi) -> None:
    file = a_file(tmp_path, "a", "bad")
    run(file, api.client("https://api.test/a/$default"), quiet())
    first, second = results(file)
    assert (first["price"], first["currency"]) == ("11.60", "USD")
    assert first["label"] == "https://api.test/a/$default/v1/orders/ord_a/label"
    assert (second["price"], second["label"]) == ("", "")


def test_a_check_buys_nothing_and_names_line_and_column(tmp_path: Path, api: FakeApi) -> None:
    file = a_file(tmp_path, "a", "bad", "odd")
    total, wrong, warned = check(file, api.client())
    assert total == 3
    assert wrong == ["Line 3 (bad), column parcel.weight (parcel 1): Is required."]
    assert warned == ["Line 4 (odd), column ship_to.company: The name is sent."]
    assert api.created == []
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]


def test_a_check_after_an_import_passes_over_what_is_bought(tmp_path: Path, api: FakeApi) -> None:
    """Their references are in use, and a next import would not send them."""
    file = a_file(tmp_path, "a", "bad")
    run(file, api.client(), quiet())
    a_file(tmp_path, "a", "bad", "odd")

    total, wrong, warned = check(file, api.client())

    assert api.examined == ["bad", "odd"]
    assert total == 2
    assert [line.split(",")[0] for line in wrong + warned] == ["Line 3 (bad)", "Line 4 (odd)"]


def test_once_more_sends_what_is_new_and_what_had_failed(tmp_path: Path, api: FakeApi) -> None:
    file = a_file(tmp_path, "a", "bad", "c")
    run(file, api.client(), quiet())
    a_file(tmp_path, "new", "c", "bad", "a")
    api.good_now.add("bad")

    assert whole(run(file, api.client(), quiet()))

    assert api.created == ["a", "bad", "c", "new", "bad"]
    assert [row["reference"] for row in results(file)] == ["new", "c", "bad", "a"]
    assert whole(run(file, api.client(), quiet()))
    assert len(api.created) == 5, "there was nothing left to send"


def test_a_batch_whose_answer_never_came_is_not_asked_for_as_another(tmp_path: Path, api: FakeApi) -> None:
    file = a_file(tmp_path, "a", "c")
    api.troubles.append(breaks_off(at="POST", after=True, api=api))
    with pytest.raises(KeyboardInterrupt):
        run(file, api.client(), quiet())
    a_file(tmp_path, "a", "c", "d")

    run(file, api.client(), quiet())

    assert api.created == ["a", "c", "d"]


def test_another_api_knows_nothing_of_it(tmp_path: Path, api: FakeApi) -> None:
    file = a_file(tmp_path, "a")
    run(file, api.client(), quiet())
    elsewhere = FakeApi()
    run(file, elsewhere.client("https://other.test"), quiet())
    assert elsewhere.created == ["a"]


def test_what_is_remembered_holds_nobodys_data(tmp_path: Path, api: FakeApi) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("reference,ship_to.name\nR-1,Ada Byrd\n")
    run(file, api.client(), quiet())
    assert "Ada" not in state_path(file).read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "orders.csv",
        "orders.csv.import.json",
        "orders.results.csv",
    ]


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(503, json={"detail": "Later."}),
        httpx.Response(429, json={"message": "Too many"}),
        httpx.Response(500, text="<html>"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_trouble_that_passes_is_waited_out(
    tmp_path: Path, api: FakeApi, trouble: Answer, method: str
) -> None:
    api.troubles.append(lambda request: trouble if request.method == method else None)
    assert whole(run(a_file(tmp_path, "a"), api.client(), quiet()))
    assert api.created == ["a"]
    assert 2.0 in api.waits


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(401, json={"detail": "The API key is unknown."}), "401 The API key is unknown"),
        (httpx.Response(403, json={"message": "Forbidden"}), "403 Forbidden"),
        (httpx.Response(404, text="nothing"), "404 Not Found"),
        (
            httpx.Response(
                422, json={"detail": "No.", "errors": [{"pointer": "/orders", "message": "Is required."}]}
            ),
            "/orders: Is required.",
        ),
    ],
)
def test_trouble_that_does_not_pass_is_told(
    tmp_path: Path, api: FakeApi, answer: httpx.Response, words: str
) -> None:
    api.troubles.append(lambda _: answer)
    with pytest.raises(ImportFailedError, match=words):
        run(a_file(tmp_path, "a"), api.client(), quiet())
    assert api.waits == []


def test_an_api_that_stays_away_is_given_up(tmp_path: Path, api: FakeApi) -> None:
    api.troubles += [lambda _: httpx.ConnectError("refused")] * 20
    with pytest.raises(ImportFailedError, match="does not answer"):
        run(a_file(tmp_path, "a"), api.client(), quiet())
    assert len(api.waits) == 7


def test_a_file_that_is_none_asks_nobody(tmp_path: Path, api: FakeApi) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("carrier\nubi\n")
    with pytest.raises(FileError):
        run(file, api.client(), quiet())
    assert not state_path(file).exists()


class TestTheCommand:
    @pytest.fixture
    def command(self, monkeypatch: pytest.MonkeyPatch, api: FakeApi) -> Callable[..., Any]:
        monkeypatch.setattr(importing, "Api", lambda url, key: api.client(url))
        where = ["--url", "https://api.test", "--key", "pg_k_s"]
        return lambda file, *more: CliRunner().invoke(app, ["orders", "import", str(file), *where, *more])

    @pytest.mark.parametrize(("references", "code"), [(["a"], 0), (["a", "bad"], 1)])
    def test_tells_by_its_code_whether_all_is_well(
        self, tmp_path: Path, command: Callable[..., Any], references: list[str], code: int
    ) -> None:
        file = a_file(tmp_path, *references)
        done = command(file)
        assert done.exit_code == code
        assert done.stdout.strip() == str(results_path(file))
        again = command(file, "--json")
        assert (again.exit_code, [each["reference"] for each in json.loads(again.stdout)]) == (
            code,
            references,
        )
        assert str(results_path(file)) in again.stderr

    def test_and_whether_the_file_or_the_api_is_at_fault(
        self, tmp_path: Path, command: Callable[..., Any], api: FakeApi
    ) -> None:
        assert command(tmp_path / "missing.csv").exit_code == 2
        file = a_file(tmp_path, "a")
        api.troubles.append(lambda _: httpx.Response(401, json={"detail": "Unknown key."}))
        done = command(file)
        assert done.exit_code == 4
        assert "Unknown key." in done.stderr

    def test_only_checks_when_that_is_asked_for(
        self, tmp_path: Path, command: Callable[..., Any], api: FakeApi
    ) -> None:
        good = command(a_file(tmp_path, "a", "odd"), "--check")
        assert good.exit_code == 0
        assert "2 orders are correct" in good.stdout
        assert "column ship_to.company" in good.stdout
        bad = command(a_file(tmp_path, "a", "bad"), "--check")
        assert bad.exit_code == 1
        assert "Line 3 (bad), column parcel.weight (parcel 1): Is required." in bad.stdout
        told = command(a_file(tmp_path, "a", "bad"), "--check", "--json")
        assert (told.exit_code, json.loads(told.stdout)) == (
            1,
            {
                "orders": 2,
                "wrong": ["Line 3 (bad), column parcel.weight (parcel 1): Is required."],
                "warnings": [],
            },
        )
        assert api.created == []

    def test_passes_over_columns_of_somebody_elses(
        self, tmp_path: Path, command: Callable[..., Any], api: FakeApi
    ) -> None:
        file = tmp_path / "orders.csv"
        file.write_text("reference,our margin\na,7\n")
        assert command(file, "--ignore-unknown").exit_code == 0
        assert api.batches["bat_0"] == [{"reference": "a", "parcels": [{}]}]

    def test_and_that_it_was_interrupted(
        self, tmp_path: Path, command: Callable[..., Any], api: FakeApi
    ) -> None:
        api.troubles.append(breaks_off(at="GET", after=False, api=api))
        assert command(a_file(tmp_path, "a")).exit_code == 130

    def test_an_operator_needs_no_key(
        self, tmp_path: Path, api: FakeApi, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One is made for the tenant, and is of no use afterwards."""
        deployment = SimpleNamespace(
            table=table, outputs={"ApiUrl": "https://api.test"}, is_tenant="acme".__eq__
        )
        monkeypatch.setattr(Deployment, "named", lambda stack: deployment)
        used: list[str] = []

        def client(url: str, key: str) -> Api:
            used.append(key)
            (standing,) = api_keys.list_keys(table, "acme")
            assert standing.revoked_at is None
            return api.client(url)

        monkeypatch.setattr(importing, "Api", client)
        file = a_file(tmp_path, "a")
        done = CliRunner().invoke(app, ["orders", "import", str(file), "--stack", "P", "--tenant", "acme"])
        assert done.exit_code == 0, done.output
        (key,) = api_keys.list_keys(table, "acme")
        assert used[0].split("_")[1] == key.id
        assert key.revoked_at is not None

        other = CliRunner().invoke(app, ["orders", "import", str(file), "--stack", "P", "--tenant", "amce"])
        assert other.exit_code == 1
        assert "There is no tenant amce here" in other.stderr
        assert api_keys.list_keys(table, "amce") == []
