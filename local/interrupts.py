"""Makes a Ctrl-C end a command with one line, at any moment, and never with a traceback."""

import os
import signal
import sys
from collections.abc import Callable

from local.stack import disk, processes


def quiet(name: str, work: Callable[[], int | None]) -> int:
    """Do `work` and return its exit code. After a Ctrl-C it is 130, with one line (under make, make's own).

    A program that did not start, or a full disk, ends it with a message and 1.
    """
    try:
        return work() or 0
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if "MAKELEVEL" not in os.environ:
            sys.stderr.write(f"\n{name}: interrupted\n")
        return 130
    except (processes.NotReadyError, OSError) as error:
        words = disk.words(error) or (str(error) if isinstance(error, processes.NotReadyError) else None)
        if words is None:
            raise
        sys.stderr.write(f"{name}: {words}\n")
        return 1
