"""Files of orders: what their lines mean, and what is written beside them."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import sandbox.carriers
from local.command.order_files import FileError, Given, chunks, column_of, read, results_path, write_results
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import Connection
from parcelgate.http.requests.orders import read_order
from tests.support.adapters import NOON, FakeTransport, FakeVault, lso_account
from tests.support.carriers import is_carrier

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "orders.csv"
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
            now=NOON,
        )
        assert draft.errors == []
        assert draft.order is not None
        login = sandbox.carriers.package(draft.order.carrier).new_login()
        account = lso_account(carrier=draft.order.carrier, credentials=login)
        connection = Connection(account, FakeTransport(), FakeVault(), lambda: NOON)
        adapter = registry.adapter(draft.order.carrier)(connection)
        assert is_carrier(adapter, draft.order.carrier)
        assert adapter.examine(draft.order).errors == ()
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
        text = "reference,parcel.volume,item.quantity,options.locker\nR-1,large,many,perhaps\n"
        (entry,) = entries(tmp_path, text)
        assert entry["parcels"] == [{"volume": "large", "items": [{"quantity": "many"}]}]
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
            ("reference,carrier\nA,ubi\nA,lme\n", "Line 3 has another value of carrier"),
            ("reference,ship_to.name\nA,x\nA,y\n", "Line 3 has another value of ship_to.name"),
            ("reference,carrier\nA,ubi,surplus\n", "Line 2 has more cells"),
            ('reference\n"A\n', "not CSV"),
            ("reference,a,a.b\nA,1,2\n", "exclude"),
            ("reference\n", "no orders"),
            ("", "is empty"),
            (" \n", "is empty"),
        ],
    )
    def test_a_file_whose_lines_do_not_fit_together_is_refused_as_a_whole(
        self, tmp_path: Path, text: str, words: str
    ) -> None:
        with pytest.raises(FileError, match=words):
            entries(tmp_path, text)

    @pytest.mark.parametrize(
        ("cell", "column", "better"),
        [
            ("1,25 kg", "parcel.weight", "1.25 kg"),
            ("1,25", "parcel.weight", "1.25 kg"),
            ("heavy", "parcel.weight", "1.25 kg"),
            ("12,50 eur", "item.unit_value", "12.50 eur"),
            ("12.5", "customs.value", "12.5 USD"),
            ("30x20x10", "parcel.dimensions", "30x20x10 cm"),
            ("30,5 x 20 x 10 cm", "parcel.dimensions", "30.5 x 20 x 10 cm"),
        ],
    )
    def test_a_measure_is_asked_for_as_it_is_written_in_a_cell(
        self, tmp_path: Path, cell: str, column: str, better: str
    ) -> None:
        with pytest.raises(FileError) as told:
            entries(tmp_path, f"reference;carrier;{column}\nR-1;lso;\nR-2;lso;{cell}\n")
        assert str(told.value) == f"Line 3, column {column}: {cell} cannot be read: write it as {better}."

    @pytest.mark.parametrize(
        ("cell", "column"),
        [
            ("1.23457E+11", "reference"),
            ("1E+05", "ship_to.phone"),
            ("1,5E-3 kg", "parcel.weight"),
            ("1e3 kg", "parcel.weight"),
            ("2E1", "item.quantity"),
            ("9.2E+21", "metadata.serial"),
        ],
    )
    def test_a_number_that_a_spreadsheet_has_shortened_is_refused(
        self, tmp_path: Path, cell: str, column: str
    ) -> None:
        row = f"{cell};" if column == "reference" else f"R;{cell}"
        head = "reference;x" if column == "reference" else f"reference;{column}"
        with pytest.raises(FileError, match=r"(?s)^Line 2, column \S+: \S.* is a number in scientific"):
            entries(tmp_path, f"{head}\n{row}\n")

    def test_a_reference_may_look_a_little_like_a_number(self, tmp_path: Path) -> None:
        found = entries(tmp_path, "reference,metadata.a\n12E4,1e5\n3E-mail,x\n")
        assert [entry["reference"] for entry in found] == ["12E4", "3E-mail"]

    def test_all_that_is_wrong_is_told_at_once(self, tmp_path: Path) -> None:
        rows = "".join(f"R-{number},heavy\n" for number in range(30))
        with pytest.raises(FileError) as told:
            entries(tmp_path, f"reference,parcel.weight\n{rows}")
        assert str(told.value).count("\n") == 20
        assert str(told.value).endswith("and 10 more.")

    def test_a_file_of_excels_is_read(self, tmp_path: Path) -> None:
        """Its mark, its `sep=` line, semicolons, capitals, and blanks that do not break."""
        text = (
            "\ufeffsep=;\r\nReference;Ship_To.Name;PARCEL.Weight;Parcel.Dimensions;Item.Unit_Value;metadata.Shop\r\n"
            "R-1;Zoë;1.25\u00a0KG;30 X 20 X 10 CM;9.5\u202fusd;A\r\n"
        )
        assert entries(tmp_path, text) == [
            {
                "reference": "R-1",
                "ship_to": {"name": "Zoë"},
                "metadata": {"Shop": "A"},
                "parcels": [
                    {
                        "weight": {"value": "1.25", "unit": "kg"},
                        "dimensions": {"length": "30", "width": "20", "height": "10", "unit": "cm"},
                        "items": [{"unit_value": {"amount": "9.5", "currency": "USD"}}],
                    }
                ],
            }
        ]

    @pytest.mark.parametrize("first", ["sep=\t", '"sep=\t"'])
    def test_the_divider_may_be_told(self, tmp_path: Path, first: str) -> None:
        assert entries(tmp_path, f"{first}\nreference\tcarrier\nA;1\tlso\n") == [
            {"reference": "A;1", "carrier": "lso", "parcels": [{}]}
        ]

    def test_a_row_is_named_by_the_line_that_it_begins_at(self, tmp_path: Path) -> None:
        file = tmp_path / "orders.csv"
        file.write_text('sep=,\nreference,ship_to.line1\nA,"1 Elm\nRoad"\n\nB,x\n')
        assert [given.line for given in read(file)] == [3, 6]
        with pytest.raises(FileError, match=r"^Line 3 has more cells"):
            entries(tmp_path, 'sep=,\nreference,ship_to.line1\nA,"1 Elm\nRoad",more\n')

    def test_columns_of_somebody_elses_are_passed_over_when_that_is_asked_for(self, tmp_path: Path) -> None:
        file = tmp_path / "orders.csv"
        file.write_text("reference,Our Margin,parcel.weight,item.sku,metadata.any\nA,1E+5,1 kg,s,m\n")
        (given,) = read(file, ignore_unknown=True)
        assert given.entry == {
            "reference": "A",
            "metadata": {"any": "m"},
            "parcels": [{"weight": {"value": "1", "unit": "kg"}, "items": [{"sku": "s"}]}],
        }

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("reference\nA\nZoë\n".encode("cp1252"), r"Windows-1252 \(line 3 then has `Zoë`\).*CSV UTF-8"),
            ("reference\nA\n".encode("utf-16"), "UTF-16"),
            (b"reference\n\x81\n", "line 2 is no text"),
        ],
    )
    def test_what_is_not_utf8_is_named_as_what_it_probably_is(
        self, tmp_path: Path, content: bytes, words: str
    ) -> None:
        file = tmp_path / "orders.csv"
        file.write_bytes(content)
        with pytest.raises(FileError, match=words):
            read(file)

    def test_a_file_that_is_not_there_is_told_in_words(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match=r"^There is no file .*orders\.csv\.$"):
            read(tmp_path / "orders.csv")
        with pytest.raises(FileError, match="is a folder"):
            read(tmp_path)


@pytest.mark.parametrize(
    ("pointer", "column"),
    [
        ("/ship_to/postcode", "ship_to.postcode"),
        ("/parcels/1/weight", "parcel.weight (parcel 2)"),
        ("/parcels/0/items/3/hs_code", "item.hs_code (parcel 1)"),
        ("/parcels", "parcels"),
        ("", ""),
    ],
)
def test_a_place_is_told_by_its_column(pointer: str, column: str) -> None:
    assert column_of(pointer) == column


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

    @pytest.mark.parametrize(
        "words", ["=1+1", " =1+1", "\n=1+1", "\xa0@x", "\uff1d1+1", "\uff0b1", "\uff20x"]
    )
    def test_begin_like_no_formula(self, words: str, tmp_path: Path) -> None:
        """Spreadsheets of East Asia take a full-width sign for the sign itself."""
        file = tmp_path / "orders.results.csv"
        write_results(file, [RESULT | {"reference": words}])
        (row,) = csv.DictReader(file.open(encoding="utf-8-sig", newline=""))
        assert row["reference"] == f"'{words}"

    def test_are_whole_in_json(self, tmp_path: Path) -> None:
        file = tmp_path / "orders.results.json"
        write_results(file, [RESULT])
        assert json.loads(file.read_text("utf-8")) == [RESULT]
