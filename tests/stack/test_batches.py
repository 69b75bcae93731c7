"""Three hundred orders at once, on the whole stack."""

import csv
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner

from local.command.cli import app
from local.stack.stack import Stack
from tests.stack.shop import PATIENCE, Body, Shop, order_body, until
from tests.unit.carriers.ubi.orders import body as ubi_body

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "orders.csv"


def batch(shop: Shop, entries: list[Any], **headers: str) -> httpx.Response:
    return shop.http.post("/v1/orders/batch", json={"orders": entries}, headers=headers)


def finished(shop: Shop, address: str) -> Body:
    def look() -> Body:
        seen: Body = shop.http.get(address).raise_for_status().json()
        counts = (seen[name] for name in ("confirmed", "processing", "failed", "needs_attention"))
        assert sum(counts) == seen["total"] == len(seen["orders"])
        return seen

    return until(look, lambda seen: seen["status"] == "finished", within=2 * PATIENCE)


def bought(shop: Shop, carrier: str, start: str) -> Counter[str]:
    ledger = httpx.get(f"{shop.stack.sandbox_url}/_sandbox/ledger", timeout=30).raise_for_status().json()
    references = (entry["reference"] for entry in ledger[carrier]["orders"] if not entry["refunded"])
    return Counter(reference for reference in references if reference.startswith(start))


def test_three_hundred_orders_with_ten_bad_ones(
    stack: Stack, record_property: Callable[[str, object], None]
) -> None:
    shop = Shop(stack)
    entries = [ubi_body(reference=f"stack-batch-{n}") for n in range(300)]
    for place, n in enumerate(range(7, 300, 30)):
        entries[n] = (
            entries[n]
            | [
                {"parcels": []},
                {"ship_to": entries[n]["ship_to"] | {"postcode": "x" * 40}},
                {"reference": f"stack-batch-SBX-REJECT-{n}"},
                {"carrier": "nobody"},
                {"service": None},
            ][place % 5]
        )
    bad = set(range(7, 300, 30))

    started = time.monotonic()
    taken = batch(shop, entries, **{"idempotency-key": "stack-batch"})
    answered = time.monotonic() - started
    assert taken.status_code == 202, taken.text
    seen = finished(shop, taken.headers["location"])
    took = time.monotonic() - started
    record_property("seconds", round(took, 1))
    print(f"300 orders: answered after {answered:.1f} s, over after {took:.1f} s")

    assert (seen["confirmed"], seen["failed"], seen["needs_attention"]) == (290, 10, 0)
    good = Counter(entry["reference"] for n, entry in enumerate(entries) if n not in bad)
    assert bought(shop, "ubi", "stack-batch") == good, "each once, and no other"
    for row, entry in zip(seen["orders"], entries, strict=True):
        assert row["reference"] == entry["reference"]
        if row["index"] in bad:
            assert row["status"] == "failed"
            assert {error["pointer"] for error in row["problem"]["errors"]} & {
                "/parcels",
                "/ship_to/postcode",
                "/service",
                "/carrier",
            }
        else:
            assert (row["status"], row["problem"]) == ("confirmed", None)
    again = batch(shop, entries, **{"idempotency-key": "stack-batch"})
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == taken.json()

    check = {"orders": [entries[0], entries[0] | {"reference": "stack-batch-new"}], "validate_only": True}
    held, free = shop.http.post("/v1/orders/batch", json=check).raise_for_status().json()["orders"]
    assert [error["code"] for error in held["errors"]] == ["reference_in_use"]
    assert free["errors"] == []


def test_orders_of_several_carriers_go_their_own_ways(stack: Stack) -> None:
    shop = Shop(stack)
    entries = [order_body(f"stack-mixed-lso-{n}") for n in range(3)]
    entries += [ubi_body(reference=f"stack-mixed-ubi-{n}") for n in range(3)]

    taken = batch(shop, entries)
    seen = finished(shop, taken.headers["location"])

    assert (seen["confirmed"], seen["total"]) == (6, 6)
    for carrier in ("lso", "ubi"):
        assert bought(shop, carrier, "stack-mixed") == Counter(
            entry["reference"] for entry in entries if entry["carrier"] == carrier
        )
    orders = [shop.get(row["id"]) for row in seen["orders"]]
    assert [order["reference"] for order in orders] == [entry["reference"] for entry in entries]
    assert all(order["tracking_numbers"] for order in orders)


def test_nobody_elses_batch_is_there(stack: Stack, make_key: Any) -> None:
    shop = Shop(stack)
    taken = batch(shop, [{"carrier": "nobody"}])
    stranger = Shop(stack, make_key("stranger", ["orders:read"]))
    assert stranger.http.get(taken.headers["location"]).status_code == 404
    assert finished(shop, taken.headers["location"])["failed"] == 1


def test_a_file_is_imported_and_its_results_stand_beside_it(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(EXAMPLE.read_text().replace("web-100", "stack-import-") + "stack-import-bad,ubi\n")
    command = ["orders", "import", str(file), "--url", stack.api_url, "--key", stack.api_key]

    done = CliRunner().invoke(app, command)

    assert done.exit_code == 1, done.output
    rows = list(csv.DictReader((tmp_path / "orders.results.csv").read_text("utf-8-sig").splitlines()))
    assert [row["status"] for row in rows] == ["confirmed", "confirmed", "confirmed", "failed"]
    assert [len(row["tracking_numbers"].split()) for row in rows] == [1, 2, 1, 0]
    assert "/parcels" in rows[3]["errors"]
    file.write_text(file.read_text().replace("stack-import-bad,ubi\n", ""))
    assert CliRunner().invoke(app, command).exit_code == 0
    shop = Shop(stack)
    assert set((bought(shop, "ubi", "stack-import") + bought(shop, "lso", "stack-import")).values()) == {1}
