"""Takes guards out of the functions of a running stack, and sees whether the check of `make faults` notices.

    make mutants STACK=1             the guards whose absence a merchant's calls can show
    make mutants STACK=1 ONLY=3      those of one promise, or of several: ONLY=2,3

It runs in a copy of the tree, whose functions use the code where it lies. First the pairs of all guards
are tried with the guards in place. A mutant is caught when a promise is broken without its guard.
"""

import os
import py_compile
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from local import ROOT, arguments
from local.command.deployment import Deployment
from local.stack import stack as local_stack
from tests.faults.stack import pairs
from tests.faults.stack.flows import FLOWS
from tests.faults.stack.pairs import Pair, Result
from tests.faults.stack.trials import Ground, merchants
from tests.mutants.__main__ import taken_out
from tests.mutants.guards import GUARDS, Guard

BEGIN, END = "<!-- made by make mutants STACK=1 -->", "<!-- end of what make mutants STACK=1 made -->"
HEAD = (
    "| Promise | Guard that was taken out | Pairs | Broken | Found first |",
    "| --- | --- | --- | --- | --- |",
)
_FEW = 6
"""Pairs that are tried for a guard."""
_AT_ONCE = 8
_STATE = ROOT / ".local" / "tests" / "mutants"
_SHARED = "shared/parcelgate"


def main() -> int:
    """Try the guards that the environment names; return the exit code."""
    parser = arguments.parser(__doc__)
    parser.add_argument("page", type=Path, help="the page into which the table is written")
    page: Path = parser.parse_args().page
    only = os.environ.get("ONLY", "")
    guards = [each for each in GUARDS if each.pairs and (not only or str(each.promise) in only.split(","))]
    if not guards:
        print(f"No guard of a promise {only} can be tried on a stack.", file=sys.stderr)
        return 2
    rows, missed = [], 0
    with local_stack.running(_STATE, with_faults=True) as stack, merchants() as servers:
        ground = Ground(stack, Deployment.local(_STATE / "stack.json"), servers)
        flows = [name for name in FLOWS if any(name in guard.pairs for guard in guards)]
        print(f"recording the steps of {len(flows)} flows", flush=True)
        every, clean = pairs.recorded(ground, flows, "clean")
        chosen = [pairs.chosen(every, seed=1, only=guard.pairs, count=_FEW) for guard in guards]
        todo = sorted({pair for some in chosen for pair in some})
        print(f"{len(todo)} pairs with all guards in place", flush=True)
        whole = _broken(pairs.checked(ground, clean + pairs.tried(ground, todo, "whole", at_once=_AT_ONCE)))
        _show("with all guards", whole)
        for number, (guard, some) in enumerate(zip(guards, chosen, strict=True)):
            with _without(guard, ground):
                broken = _broken(_tried(ground, some, f"m{number}"))
            _show(f"{guard.promise:>2}  {guard.what}: {len(broken)} of {len(some)} pairs", broken)
            first = broken[0].violations[0] if broken else "nothing"
            rows.append(f"| {guard.promise} | {guard.what} | {len(some)} | {len(broken)} | {_cell(first)} |")
            missed += not broken
    shutil.rmtree(_STATE, ignore_errors=True)
    command = " ".join(("make mutants STACK=1", *([f"ONLY={only}"] if only else ())))
    made = (
        f"`{command}`, {datetime.now(UTC):%d %B %Y}: without {len(rows) - missed} of {len(rows)} guards a"
        f" promise was broken; with all of them in {len(whole)} of the same {len(todo)} pairs."
    )
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    table = "\n".join((BEGIN, made, "", *HEAD, *rows, END))
    page.write_text(before + table + rest.partition(END)[2], "utf-8")
    return int(bool(missed or whole))


def _tried(ground: Ground, some: Sequence[Pair], tag: str) -> list[Result]:
    return pairs.checked(ground, pairs.tried(ground, list(some), tag, at_once=_AT_ONCE))


def _broken(results: list[Result]) -> list[Result]:
    return [result for result in results if result.violations]


def _show(what: str, broken: list[Result]) -> None:
    lines = (f"    {result.pair}: {'; '.join(result.violations)}" for result in broken)
    print(what, *lines, sep="\n", flush=True)


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")[:160]


@contextmanager
def _without(guard: Guard, ground: Ground) -> Iterator[None]:
    """Let the functions run without the guard while the block lasts."""
    (layer,) = (ROOT / ".local" / "build" / "local").glob("layer-*/python/parcelgate")
    here = guard._replace(path=str(Path(guard.path).relative_to(_SHARED)))
    with taken_out(here, layer):
        _begin_anew(layer / here.path, ground)
        yield
    _begin_anew(layer / here.path, ground)


def _begin_anew(changed: Path, ground: Ground) -> None:
    """Compile what has changed, and end the functions' processes, which have the old code."""
    py_compile.compile(
        str(changed), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    for process in psutil.process_iter(["environ"]):
        variables = process.info["environ"] or {}
        is_ours = variables.get("AWS_ENDPOINT_URL") == ground.stack.faults_url
        if is_ours and "AWS_LAMBDA_FUNCTION_NAME" in variables:
            process.kill()


if __name__ == "__main__":
    raise SystemExit(main())
