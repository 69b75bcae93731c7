"""`make drill`: lists the drills, or runs one of them on the local stack."""

import os
from collections.abc import Sequence

from rich.console import Console

from local.arguments import word
from local.command.rendering import counted
from local.drills.carrier_down import CarrierDown
from local.drills.dlq import DeadLetters
from local.drills.drill import Drill, Result, practise
from local.drills.poison import Poison
from local.drills.restore import Restore
from local.drills.revoked_secret import RevokedSecret
from local.drills.stuck_order import StuckOrder
from local.stack import stack

DRILLS: tuple[type[Drill], ...] = (CarrierDown, Poison, DeadLetters, RevokedSecret, StuckOrder, Restore)
ALL = "all"
"""All of them, one after the other; each is mended by the runbook's commands."""

_console = Console(highlight=False, soft_wrap=True)


def main(*arguments: str) -> int:
    """Run the drill that DRILL names; return 0 if every order ended well. MEND=1 mends it here."""
    name, mends = os.environ.get("DRILL", ""), word("MEND", ("0", "1")) == "1"
    if arguments:
        name, mends = arguments[0], "--mend" in arguments[1:]
        if {*arguments[1:]} - {"--mend"}:
            _say("After the name of a drill, --mend alone is allowed.")
            return 2
    kinds = [kind for kind in DRILLS if name in (kind.name, ALL)]
    if not kinds:
        return _list(name)
    with stack.stopping_on_signals():
        stack.up()
        _console.print("The stack keeps running; `make down` stops it.\n", markup=False)
        results = [practise(kind, stack.STATE, _say, mends=mends or name == ALL) for kind in kinds]
    _sum_up(results)
    return 0 if all(result.is_good for result in results) else 1


def _say(line: str) -> None:
    _console.print(line, markup=False)


def _list(name: str) -> int:
    if name:
        _say(f"There is no drill {name}.")
    for kind in DRILLS:
        _say(f"  {kind.name:15} {kind.line}")
    _say(f"  {ALL:15} all of these, mended by the runbook's commands")
    _say("\nmake drill DRILL=poison          # breaks it, shows the alarms, waits until you have mended it")
    _say("make drill DRILL=poison MEND=1   # runs the commands of docs/runbook.md itself")
    return 2 if name else 0


def _sum_up(results: Sequence[Result]) -> None:
    for each in results:
        took = f"alarms after {each.seen:.0f} s, mended after {each.mended:.0f} s"
        orders = f"{counted(each.orders, 'order')}, all as in the carriers' books"
        how = f", by {len(each.commands)} blocks of commands of the runbook" if each.commands else ""
        words = f"{orders}; {took}{how}" if each.is_good else "; ".join(each.mistakes)
        _say(f"{'✓' if each.is_good else '✗'} {each.name}: {words}")
