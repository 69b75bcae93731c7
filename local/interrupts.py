"""Ctrl-C ends a command with one line, at any moment: never with a traceback."""

import os
import signal
import sys
from collections.abc import Callable


def quiet(name: str, work: Callable[[], int | None]) -> int:
    """Do `work` and give its exit code; 130 and one line when it is interrupted.

    Under make the line is make's own.
    """
    try:
        return work() or 0
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if "MAKELEVEL" not in os.environ:
            sys.stderr.write(f"\n{name}: interrupted\n")
        return 130
