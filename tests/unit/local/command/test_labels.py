"""`parcelgate label`: labels as files, and what is missing by name."""

from io import BytesIO
from pathlib import Path

from pypdf import PdfReader

from parcelgate.domain.orders import Order, OrderStatus
from tests.support.fake_carriers import Behaviour
from tests.support.printed import pdf_label
from tests.support.served import ServedWorld
from tests.unit.local.command.conftest import Run


def bought(served: ServedWorld, *references: str) -> list[Order]:
    """Orders that the carrier has confirmed, with their labels."""
    with served.hold() as world:
        world.carrier.behaviour = Behaviour(labels=[pdf_label(reference) for reference in references])
        return [world.settle(world.start_order(reference)) for reference in references]


def test_many_labels_become_one_file(served_world: ServedWorld, run: Run, tmp_path: Path) -> None:
    first, second = bought(served_world, "A", "B")
    file = tmp_path / "labels.pdf"

    done = run("label", "print", first.id, "-", "-o", str(file), "--layout", "a4_4", input=f"{second.id}\n")

    assert done.exit_code == 0, done.output
    assert f"{file}: 2 of 2 orders on 1 page\n" in done.output
    assert len(PdfReader(file).pages) == 1


def test_a_label_that_is_missing_is_named_and_spoils_nothing(
    served_world: ServedWorld, run: Run, tmp_path: Path
) -> None:
    (order,) = bought(served_world, "A")
    file = tmp_path / "labels.pdf"

    done = run("label", "print", "ord_unknown", order.id, "-o", str(file))

    assert done.exit_code == 1
    assert "ord_unknown is not in it: there is no such order." in done.stderr
    assert "1 of 2 orders on 1 page" in done.stdout
    assert file.read_bytes().startswith(b"%PDF-")
    whole = run("label", "print", order.id, "-o", "-")
    assert len(PdfReader(BytesIO(whole.stdout_bytes)).pages) == 1


def test_nothing_is_written_where_no_label_is_left(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "labels.pdf"
    done = run("label", "print", "ord_unknown", "-o", str(file))
    assert done.exit_code == 1
    assert "There is no document" in done.stderr
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_told_in_words(
    served_world: ServedWorld, run: Run, tmp_path: Path
) -> None:
    (order,) = bought(served_world, "A")
    done = run("label", "print", order.id, "-o", str(tmp_path / "none" / "labels.pdf"))
    assert (done.exit_code, "cannot be written: No such file" in done.stderr) == (2, True)


def test_one_label_is_saved_and_waited_for(served_world: ServedWorld, run: Run, tmp_path: Path) -> None:
    with served_world.hold() as world:
        world.carrier.behaviour = Behaviour(labels=[pdf_label("A")], no_label=2)
        order = world.start_order()
        world.clock.run(until=lambda: world.order(order).status is OrderStatus.CONFIRMED, hours=1)
    file = tmp_path / "one.pdf"

    done = run("label", "get", order.id, "-o", str(file))

    assert done.exit_code == 0, done.output
    assert done.stdout == f"{file}\n"
    assert len(PdfReader(file).pages) == 1
    assert run("label", "get", "ord_unknown").exit_code == 5
