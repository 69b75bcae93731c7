"""What a program of this folder, of `bench` or of `tests` is given: on its command line, or by make.

Make hands on `COUNT=200` in the environment. Whoever writes something that cannot be is told in one line what
is allowed, and the program ends with 2.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence


def whole(name: str, usual: int, *, least: int = 0, most: int | None = None) -> int:
    """Return the whole number that the variable `name` holds, or `usual` when it is empty or not there.

    Ends the program with 2 when the variable holds anything else.
    """
    return _value(name, usual, bounded(least, most))


def share(name: str, usual: float) -> float:
    """Return the share from 0 to 1 that the variable `name` holds, or `usual`. Refuses as `whole` does."""
    return _value(name, usual, _share)


def word(name: str, allowed: Sequence[str]) -> str:
    """Return the word that the variable `name` holds, or nothing. Refuses others as `whole` does."""

    def read(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(f"{' or '.join(allowed)} is allowed, and not {text}")
        return text

    return _value(name, "", read)


def bounded(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the reader of a whole number within these bounds, which argparse takes as a type."""
    bounds = f"from {least}" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"a whole number {bounds} is allowed, and not {text}")
        return number

    return read


def positive(text: str) -> float:
    """Read a number above 0, as a type of argparse."""
    if not 0 < (number := _float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"a number above 0 is allowed, and not {text}")
    return number


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the parser of the program that runs, which begins its help with `doc`."""
    spec = sys.modules["__main__"].__spec__
    name = spec.name.removesuffix(".__main__") if spec else sys.argv[0]
    return argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=(doc or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def none(doc: str | None) -> None:
    """Answer `--help` with `doc`, and refuse every other argument. Either ends the program."""
    parser(doc).parse_args()


def _share(text: str) -> float:
    if not 0 <= (number := _float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"a share from 0 to 1 is allowed, and not {text}")
    return number


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _value[T](name: str, usual: T, read: Callable[[str], T]) -> T:
    text = os.environ.get(name, "")
    if not text:
        return usual
    try:
        return read(text)
    except argparse.ArgumentTypeError as error:
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(2) from None
