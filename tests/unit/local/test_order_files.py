"""Files of orders: what their lines mean, and what is written beside them."""

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.order_files import FileError, Given, chunks, read, results_path, write_results
from parcelgate.carriers import registry
from parcelgate.http.requests.orders import read_order

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "orders.csv"
RESULT: dict[str, Any] = {
    "line": 2,
    "reference": "R-1",
    "id": "ord_1",
    "status": "confirmed",
    "tracking_numbers": ["T1", "T2"],
    "carrier_order_number": "N1",
    "problem": None,
}


def entries(tmp_path: Path, text: str, name: str = "orders.csv") -> list[Any]:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return [given.entry for given in read(file)]


def test_the_example_is_three_good_orders() -> None:
    found = read(EXAMPLE)
    assert [given.line for given in found] == [2, 4, 6]
    for given in found:
        body = json.loads(json.dumps(given.entry), parse_float=Decimal)
        draft = read_order(
            body,
            carriers=registry.names(),
            tenant="acme",
            order_id="ord_1",
            now=datetime(2026, 11, 21, tzinfo=UTC),
        )
        assert draft.errors == []
    dress, tea, tools = (given.entry for given in found)
    assert [item["description"] for item in dress["parcels"][0]["items"]] == ["Cotton dress", "Silk scarf"]
    assert [parcel["weight"]["value"] for parcel in tea["parcels"]] == ["1.5", "0.8"]
    assert dress["options"] == {"authority_to_leave": True}
    assert "items" not in tools["parcels"][0]


class TestCsv:
    def test_cells_stand_at_their_places(self, tmp_path: Path) -> None:
        text = (
            "reference;ship_to.name;parcel.weight;parcel.dimensions;item.quantity;item.unit_value;"
            "customs.value;options.locker;metadata.value;metadata.locker;label.dpi\n"
            "R-1;Zoë;1.25kg;30 x 20 x 10 cm;2;9.5 USD;19 USD;no;12 USD;yes;203\n"
        )
        assert entries(tmp_path, text) == [
            {
                "reference": "R-1",
                "ship_to": {"name": "Zoë"},
                "parcels": [
                    {
                        "weight": {"value": "1.25", "unit": "kg"},
                        "dimensions": {"length": "30", "width": "20", "height": "10", "unit": "cm"},
                        "items": [{"quantity": 2, "unit_value": {"amount": "9.5", "currency": "USD"}}],
                    }
                ],
                "customs": {"value": {"amount": "19", "currency": "USD"}},
                "options": {"locker": False},
                "metadata": {"value": "12 USD", "locker": "yes"},
                "label": {"dpi": 203},
            }
        ]

    def test_what_does_not_look_as_it_should_is_left_to_the_api(self, tmp_path: Path) -> None:
        text = "reference,parcel.weight,item.quantity,options.locker\nR-1,heavy,many,perhaps\n"
        (entry,) = entries(tmp_path, text)
        assert entry["parcels"] == [{"weight": "heavy", "items": [{"quantity": "many"}]}]
        assert entry["options"] == {"locker": "perhaps"}

    def test_lines_go_on_with_the_order_before(self, tmp_path: Path) -> None:
        text = (
            "reference,carrier,parcel.weight,item.sku\n"
            "A,ubi,1 kg,a\n"
            "A,ubi,,b\n"
            ",,2 kg,c\n"
            "\n"
            "B,lme,3 kg,\n"
            "A,ubi,4 kg,d\n"
        )
        found = entries(tmp_path, text)
        assert [entry["reference"] for entry in found] == ["A", "B", "A"]
        shape = [
            [[item["sku"] for item in parcel.get("items", [])] for parcel in entry["parcels"]]
            for entry in found
        ]
        assert shape == [[["a", "b"], ["c"]], [[]], [["d"]]]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("carrier\nubi\n", "reference"),
            ("reference,a,a\nR,1,2\n", "twice"),
            ("reference,carrier\n,ubi\n", "Line 2 begins an order and has no reference"),
            ("reference,carrier\nA,ubi\nA,lme\n", "Line 3 says something else of carrier"),
            ("reference,ship_to.name\nA,x\nA,y\n", "Line 3 says something else of ship_to.name"),
            ("reference,carrier\nA,ubi,surplus\n", "Line 2 has more cells"),
            ('reference\n"A\n', "not CSV"),
            ("reference,a,a.b\nA,1,2\n", "exclude"),
            ("reference\n", "no orders"),
            ("", "reference"),
        ],
    )
    def test_a_file_whose_lines_do_not_fit_together_is_refused_as_a_whole(
        self, tmp_path: Path, text: str, words: str
    ) -> None:
        with pytest.raises(FileError, match=words):
            entries(tmp_path, text)

    def test_what_is_not_utf8_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "orders.csv"
        file.write_bytes("reference\nZoë\n".encode("latin-1"))
        with pytest.raises(FileError, match="UTF-8"):
            read(file)


class TestJson:
    @pytest.mark.parametrize("text", ['[{"a": 1}, 7]', '{"orders": [{"a": 1}, 7]}'])
    def test_holds_bodies(self, tmp_path: Path, text: str) -> None:
        assert entries(tmp_path, text, "orders.json") == [{"a": 1}, 7]

    @pytest.mark.parametrize("text", ["{", '{"order": []}', "7", "[]"])
    def test_or_is_refused(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(FileError):
            entries(tmp_path, text, "orders.json")


class TestNames:
    def test_an_order_keeps_its_name_wherever_it_stands(self, tmp_path: Path) -> None:
        file = tmp_path / "orders.json"
        file.write_text('[{"a": 1}, {"b": 2}, {"a": 1}]')
        before = [given.name for given in read(file)]
        file.write_text('[{"new": 0}, {"b": 2}, {"a":1}, {"a": 1}]')
        after = [given.name for given in read(file)]
        assert len(set(before)) == 3
        assert set(before) < set(after)


class TestChunks:
    def test_hold_as_much_as_is_taken_at_once(self) -> None:
        given = [Given(n, {"text": "x" * (n % 7)}, str(n)) for n in range(1000)]
        found = chunks(given, most=300, most_bytes=3000)
        assert [one for chunk in found for one in chunk] == given
        for chunk in found:
            assert len(chunk) <= 300
            assert len(json.dumps([one.entry for one in chunk])) <= 3000 + 10

    def test_one_that_is_too_large_goes_alone(self) -> None:
        given = [Given(1, "x", "1"), Given(2, "y" * 500, "2"), Given(3, "z", "3")]
        assert [len(chunk) for chunk in chunks(given, most=300, most_bytes=100)] == [1, 1, 1]


class TestResults:
    def test_stand_beside_the_file(self) -> None:
        assert results_path(Path("a/orders.csv")) == Path("a/orders.results.csv")
        assert results_path(Path("a/orders.JSON")) == Path("a/orders.results.json")

    def test_tell_what_is_wrong_and_where(self, tmp_path: Path) -> None:
        problem = {
            "code": "refused_by_carrier",
            "detail": "The carrier refused the order.",
            "errors": [{"pointer": "/service", "code": "refused", "message": "No such service."}],
            "carrier": {"name": "ubi", "code": "11", "message": '=HYPERLINK("http://x")'},
        }
        failed = RESULT | {"status": "failed", "tracking_numbers": [], "id": None, "problem": problem}
        file = tmp_path / "orders.results.csv"
        write_results(file, [RESULT, failed])
        good, bad = csv.DictReader(file.read_text("utf-8-sig").splitlines())
        assert (good["tracking_numbers"], good["problem"]) == ("T1 T2", "")
        assert (bad["problem"], bad["errors"]) == ("refused_by_carrier", "/service: No such service.")
        assert bad["carrier_message"].startswith("'=")

    def test_are_whole_in_json(self, tmp_path: Path) -> None:
        file = tmp_path / "orders.results.json"
        write_results(file, [RESULT])
        assert json.loads(file.read_text("utf-8")) == [RESULT]
