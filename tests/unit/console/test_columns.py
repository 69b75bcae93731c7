"""Files of orders in the console: the same columns and the same orders as with the command line's import."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.pages import console_files
from local import ROOT
from local.command import order_files
from local.toolchain.node import NODE

EXAMPLE = ROOT / "docs" / "examples" / "orders.csv"
KINDS = {
    "WeightInput": "weight",
    "DimensionsInput": "dimensions",
    "MoneyInput": "money",
    "boolean": "boolean",
    "integer": "integer",
}
HEADING = (
    "reference,carrier,ship_to.name,parcel.weight,item.description,item.quantity,item.unit_value,metadata.X"
)

type Run = Callable[..., Any]

_READ = """
const table = tables.parse(tables.decoded(new TextEncoder().encode(given.text)));
const fields = columns.matchColumns(table.titles, given.remembered ?? {});
const lines = columns.makeSheet(table.rows, fields, { titles: table.titles, ...given.options });
return columns.makeOrders(lines).map(({ line, entry, faults }) => ({ line, entry, faults }));
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs JavaScript over the console's `columns` and `tables` and what it is `given`."""
    folder = tmp_path_factory.mktemp("console")
    for name, content in console_files(ROOT).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "package.json").write_text('{"type": "module"}')

    def script(code: str, **given: Any) -> Any:
        program = (
            'import * as columns from "./lib/columns.js"; import * as tables from "./lib/tables.js";'
            'import { csv } from "./lib/csv.js";'
            f"const given = JSON.parse(process.argv[2]); const work = () => {{ {code} }};"
            "let answer; try { answer = work() } catch (error) { answer = { error: error.message } }"
            "console.log(JSON.stringify(answer))"
        )
        (folder / "script.js").write_text(program)
        ran = subprocess.run(
            [NODE, "script.js", json.dumps(given)], cwd=folder, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    return script


def as_imported(text: str, folder: Path) -> list[dict[str, Any]]:
    """The orders that the command line makes of a file. Raises FileError."""
    file = folder / "orders.csv"
    file.write_text(text, "utf-8", newline="")
    return [{"line": one.line, "entry": one.entry} for one in order_files.read(file)]


def test_the_columns_are_those_of_the_command_line(run: Run) -> None:
    kinds = {
        name: KINDS.get(kind, "text") for name, kind in order_files._kinds().items() if name != "metadata"
    }
    assert run("return columns.KINDS") == kinds


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE.read_text(),
        f"\ufeff{HEADING}\r\nR-1,ubi,Zoë,1 kg,Tea,2,1.50 eur,A\r\n,,,2 KG,,,,\r\n\r\nR-2,lso,,.5 lb,,,,\r\n",
        f"{HEADING}\nR-1,ubi,\"Ada\nByrd; \"\"A\"\"\",1 kg,Tea,two,1,\n".replace(",1,\n", ",1 USD,\n"),
        f"sep=;\n{HEADING}\nR-1,ubi,Ada,1 kg,Tea,2,3 usd,x\n".replace(",", ";"),
        f"{HEADING}\nR-1,ubi,Ada,1 kg,Tea,2,3 usd,x\nR-1,,,,Milk,1,4 usd,\n".replace(",", "\t"),
        "Reference,OPTIONS.LOCKER,label.dpi,parcel.dimensions\nR-1,YES,300,1 x 2X3.5 CM\nR-2,maybe,x,\n",
        f"{HEADING}\nR-1,UBI,Ada,1 kg,,,,\nR-1,UBI,Ada,1 kg,,,,\nR-2,ubi,Bob,1 kg,,,,\nR-1,,,2 kg,,,,\n",
    ],
    ids=["example", "mark-and-blank-lines", "quotes", "sep", "tabs", "kinds", "parcels"],
)  # fmt: skip
def test_a_file_makes_the_same_orders_as_on_the_command_line(text: str, run: Run, tmp_path: Path) -> None:
    orders = run(_READ, text=text)

    assert [order.pop("faults") for order in orders] == [[]] * len(orders)
    assert orders == as_imported(text, tmp_path)


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("parcel.weight", "1,25 kg"),
        ("parcel.weight", "264"),
        ("parcel.weight", "1e2"),
        ("parcel.dimensions", "30x20 cm"),
        ("item.unit_value", "12,50 EUR"),
        ("item.unit_value", "12.50"),
        ("item.quantity", "1E+1"),
        ("ship_to.phone", "4.03537E+08"),
        ("metadata.number", "1.2E+11"),
    ],
)
def test_a_cell_that_the_command_line_refuses_is_wrong_here_too(
    field: str, cell: str, run: Run, tmp_path: Path
) -> None:
    text = f'reference,{field}\nR-1,"{cell}"\n'
    with pytest.raises(order_files.FileError) as refused:
        as_imported(text, tmp_path)

    (order,) = run(_READ, text=text)

    (fault,) = order["faults"]
    assert (fault["row"], fault["field"]) == (0, field)
    if "write it as" in str(refused.value):
        assert (
            fault["message"].lower().endswith(str(refused.value).partition(": ")[2].split(": ")[-1].lower())
        )


def test_lines_that_do_not_fit_together_are_told_at_their_cells(run: Run) -> None:
    text = "reference,carrier,ship_to.city\n,ubi,Perth\nR-1,ubi,Berwick\nR-1,lso,\n"
    nameless, order = run(_READ, text=text)
    assert [(fault["row"], fault["field"]) for fault in nameless["faults"]] == [(0, "reference")]
    assert [(fault["row"], fault["field"]) for fault in order["faults"]] == [(2, "carrier")]


WOOCOMMERCE = """\
Order Number,Order Status,First Name (Shipping),Last Name (Shipping),Address 1&2 (Shipping),City (Shipping),\
State Code (Shipping),Postcode (Shipping),Country Code (Shipping),Phone (Billing),Email (Billing),SKU,\
Item Name,Quantity (- Refund),Item Cost,Order Currency
4711,processing,Ada,Byrd,401 Congress Ave,Austin,TX,78701,US,512-555-0142,ada@example.com,\
T-1,Teapot,1,25.00,USD
4711,processing,Ada,Byrd,401 Congress Ave,Austin,TX,78701,US,512-555-0142,ada@example.com,\
C-1,Cup,4,3.50,USD
"""
SHOPIFY = """\
Name,Email,Financial Status,Currency,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,\
Billing Name,Shipping Name,Shipping Street,Shipping Address1,Shipping Address2,Shipping Company,\
Shipping City,Shipping Zip,Shipping Province,Shipping Country,Shipping Phone
4711,ada@example.com,paid,USD,1,Teapot,25.00,T-1,Bob,\
Ada Byrd,401 Congress Ave,401 Congress Ave,,,Austin,'78701,TX,US,512-555-0142
4711,ada@example.com,,,4,Cup,3.50,C-1,,,,,,,,,,,
"""
MAGENTO = """\
increment_id,customer_email,shipping_firstname,shipping_lastname,shipping_street,shipping_city,shipping_region_code,\
shipping_postcode,shipping_country_id,shipping_telephone,order_currency_code,sku,product_name,qty_ordered,price
4711,ada@example.com,Ada,Byrd,401 Congress Ave,Austin,TX,78701,US,512-555-0142,USD,T-1,Teapot,1,25.00
4711,ada@example.com,Ada,Byrd,401 Congress Ave,Austin,TX,78701,US,512-555-0142,USD,C-1,Cup,4,3.50
"""


@pytest.mark.parametrize(
    ("shop", "text"), [("WooCommerce", WOOCOMMERCE), ("Shopify", SHOPIFY), ("Magento", MAGENTO)]
)
def test_the_export_of_a_shop_is_matched_by_itself(shop: str, text: str, run: Run) -> None:
    fixed = {"carrier": "lso", "service": "GroundBasic", "parcel.weight": "2", "~weight_unit": "lb"}

    orders = run(_READ, text=text, options={"fixed": fixed, "oneParcel": True})

    titles = text.partition("\n")[0].split(",")
    assert run("return columns.shopOf(given.titles)", titles=titles) == shop
    items = [("Teapot", "T-1", 1, "25.00"), ("Cup", "C-1", 4, "3.50")]
    assert orders == [
        {
            "line": 2,
            "faults": [],
            "entry": {
                "reference": "4711",
                "carrier": "lso",
                "service": "GroundBasic",
                "ship_to": {
                    "name": "Ada Byrd",
                    "line1": "401 Congress Ave",
                    "city": "Austin",
                    "state": "TX",
                    "postcode": "78701",
                    "country": "US",
                    "phone": "512-555-0142",
                    "email": "ada@example.com",
                },
                "parcels": [
                    {
                        "weight": {"value": "2", "unit": "lb"},
                        "items": [
                            {
                                "description": description,
                                "sku": sku,
                                "quantity": quantity,
                                "unit_value": {"amount": amount, "currency": "USD"},
                            }
                            for description, sku, quantity, amount in items
                        ],
                    }
                ],
            },
        }
    ]


def test_a_weight_that_a_shop_repeats_on_each_line_makes_one_parcel(run: Run) -> None:
    text = (
        MAGENTO.replace("price\n", "price,weight\n").replace(".00\n", ".00,3\n").replace("3.50\n", "3.50,3\n")
    )
    (order,) = run(_READ, text=text, options={"oneParcel": True, "fixed": {"~weight_unit": "kg"}})
    (parcel,) = order["entry"]["parcels"]
    assert (parcel["weight"], len(parcel["items"])) == ({"value": "3", "unit": "kg"}, 2)


def test_a_name_is_joined_in_the_order_of_names_not_of_columns(run: Run) -> None:
    text = "Order Number,Last Name (Shipping),First Name (Shipping),City (Shipping)\n1,Byrd,Ada,Austin\n"
    (order,) = run(_READ, text=text)
    assert order["entry"]["ship_to"]["name"] == "Ada Byrd"


def test_the_better_of_two_columns_of_a_shop_is_taken(run: Run) -> None:
    titles = {
        "Order ID": "",
        "Order Number": "reference",
        "Phone (Billing)": "",
        "First Name (Shipping)": "",
        "Full Name (Shipping)": "ship_to.name",
        "Phone (Shipping)": "ship_to.phone",
        "Quantity": "",
        "Quantity (- Refund)": "item.quantity",
    }
    assert run("return columns.matchColumns(given.titles)", titles=[*titles]) == [*titles.values()]


def test_what_was_chosen_by_hand_is_remembered_before_all_else(run: Run) -> None:
    match = "return columns.matchColumns(given.titles, given.remembered)"
    titles = ["Reference", "Our No.", "ship_to.name", "Zip"]
    remembered = {
        "our_no": "reference",
        "reference": "",
        "zip": "gone.long.ago",
        "ship_to_name": "ship_from.name",
    }
    assert run(match, titles=titles, remembered=remembered) == [
        "", "reference", "ship_from.name", "ship_to.postcode",
    ]  # fmt: skip


@pytest.mark.parametrize("title", ["constructor", "Constructor!", "__proto__", "to-string"])
def test_what_every_object_has_is_no_column(title: str, run: Run) -> None:
    text = f"reference,{title},ship_to.name\nR-1,x,Ada\n"
    assert run("return columns.matchColumns(given.titles)", titles=["reference", title]) == ["reference", ""]
    (order,) = run(_READ, text=text)
    assert order["entry"] == {"reference": "R-1", "ship_to": {"name": "Ada"}, "parcels": [{}]}


@pytest.mark.parametrize("cell", ["constructor", "__proto__"])
def test_what_every_object_has_is_no_truth(cell: str, run: Run) -> None:
    (order,) = run(_READ, text=f"reference,options.locker\nR-1,{cell}\n")
    assert order["entry"]["options"] == {"locker": cell}


def test_a_field_is_taken_by_one_column_and_a_name_by_several(run: Run) -> None:
    doubled = "return columns.doubled(given.fields)"
    fields = ["ship_to.name", "ship_to.city", "ship_to.name", "", "", "ship_to.city"]
    assert run(doubled, fields=fields) == ["ship_to.city"]
    match = "return columns.matchColumns(given.titles)"
    assert run(match, titles=["zip", "Postcode", "reference"]) == ["ship_to.postcode", "", "reference"]


def test_an_error_is_shown_at_its_cell(run: Run) -> None:
    place = """
    const { rows } = tables.parse(given.text);
    const [, order] = columns.makeOrders(columns.makeSheet(rows, given.titles));
    return given.pointers.map((pointer) => Object.values(columns.placeOf(order, pointer)));
    """
    titles = ["reference", "parcel.weight", "item.quantity"]
    text = f"{','.join(titles)}\nR-0,1 kg,1\nR-1,1 kg,1\nR-1,,2\nR-1,3 kg,3\n"
    expected = {
        "/ship_to/postcode": [1, "ship_to.postcode"],
        "/parcels/0/weight/value": [1, "parcel.weight"],
        "/parcels/0/items/1/quantity": [2, "item.quantity"],
        "/parcels/1/weight": [3, "parcel.weight"],
        "/parcels/1/items/0/unit_value/currency": [3, "item.unit_value"],
        "/parcels/7/weight": [1, "parcel.weight"],
        "/metadata/a~1b": [1, "metadata.a/b"],
        "/parcels": [1, None],
        "": [1, None],
    }
    assert run(place, titles=titles, text=text, pointers=[*expected]) == [*expected.values()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("reference,carrier\n", "no line below its heading"),
        ("reference\nR-1,ubi\n", "Line 2 of The file has more cells"),
        ('reference,carrier\n"R\n1",ubi\nR-2,"ubi\n', "Line 4 of The file is not CSV"),
    ],
)
def test_what_is_no_table_is_refused(text: str, message: str, run: Run) -> None:
    assert message in run("return tables.parse(given.text)", text=text)["error"]


@pytest.mark.parametrize(
    ("content", "name"), [([0x5A, 0xEB], "not UTF-8"), ([0xFF, 0xFE, 0x41, 0], "UTF-16")]
)
def test_letters_are_not_guessed(content: list[int], name: str, run: Run) -> None:
    decoded = "return tables.decoded(new Uint8Array(given.content).buffer)"
    assert name in run(decoded, content=content)["error"]


def test_batches_fit_into_a_request(run: Run) -> None:
    sizes = """
    const order = (size) => ({ entry: { reference: "x".repeat(size) } });
    return columns.chunks(given.sizes.map(order), { most: 3, mostBytes: 100 }).map((chunk) => chunk.length);
    """
    assert run(sizes, sizes=[1] * 7) == [3, 3, 1]
    assert run(sizes, sizes=[50, 50, 50, 500, 1]) == [1, 1, 1, 1, 1]


def test_no_cell_to_take_away_begins_like_a_formula(run: Run) -> None:
    cells = ["=1+1", "+1", "-1", "-x", "@x", "\tx", " =x", "=a\nb", "\uff1dx", 'say "x", y', None, "plain"]
    text = run("return csv(['=name'], given.cells.map((cell) => [cell]))", cells=cells)
    mark, table = text[0], text[1:]
    assert mark == "\ufeff"
    read = [row[0] for _, row in order_files.tables.read_lines(table) if row]
    assert read == [
        "'=name", "'=1+1", "'+1", "-1", "'-x", "'@x", "'\tx", "' =x", "'=a\nb", "'\uff1dx", 'say "x", y',
        "plain",
    ]  # fmt: skip
