"""`python -m local.faults`: the proxy as a process."""

import argparse
import asyncio
import contextlib
from collections.abc import Callable

from local.faults import calls
from local.faults.messages import Message
from local.faults.proxy import serve


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m local.faults", description="Spoil calls of functions.")
    for side in ("aws", "carriers"):
        parser.add_argument(
            f"--{side}",
            type=int,
            nargs=2,
            required=True,
            metavar=("PORT", "TO"),
            help="ports of this machine",
        )
    arguments = parser.parse_args()
    (aws, emulator), (carriers, sandbox) = arguments.aws, arguments.carriers
    listening: dict[int, tuple[int, Callable[[Message], str]]] = {
        aws: (emulator, calls.aws_call),
        carriers: (sandbox, calls.carrier_call),
    }
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(listening, f"http://127.0.0.1:{aws}"))


main()
