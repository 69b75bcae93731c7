"""`python -m sandbox`: the carrier sandbox as a process."""

import argparse
import contextlib
import json
import sys
import textwrap
from pathlib import Path

from sandbox.app import CONTROLS
from sandbox.parcels.steering import WORDS
from sandbox.server import address, listen, server
from sandbox.world import Settings, default_accounts


def _arguments() -> argparse.Namespace:
    usual = Settings()
    words = "\n".join(
        textwrap.fill(meaning, 96, initial_indent=f"  SBX-{word:<14}", subsequent_indent=" " * 20)
        for word, meaning in WORDS.items()
    )
    controls = "\n".join(
        textwrap.fill(meaning, 96, initial_indent=f"  {call:<28}", subsequent_indent=" " * 30)
        for call, meaning in CONTROLS.items()
    )
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Run the carrier sandbox: servers that replace all carriers, on one port.",
        epilog=f"steering words, anywhere in an order's reference:\n{words}\n\ncontrols:\n{controls}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="the port; 0 chooses a free one (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--accounts",
        type=Path,
        help=f"JSON file of the valid logins (default: {json.dumps(default_accounts())})",
    )
    parser.add_argument(
        "--callback-interval",
        type=float,
        default=usual.callback_interval,
        metavar="SECONDS",
        help="between two attempts of a callback (%(default)s)",
    )
    parser.add_argument(
        "--acceleration",
        type=float,
        default=usual.acceleration,
        metavar="FACTOR",
        help="how many times faster than in reality parcels move (%(default)s)",
    )
    parser.add_argument(
        "--processing-seconds",
        type=float,
        default=usual.processing_seconds,
        metavar="SECONDS",
        help="that an asynchronous order needs to finish (%(default)s)",
    )
    parser.add_argument(
        "--token-seconds",
        type=int,
        default=usual.token_seconds,
        metavar="SECONDS",
        help="that a token is valid (%(default)s)",
    )
    return parser.parse_args()


def main() -> None:
    """Serve until told to stop."""
    arguments = _arguments()
    try:
        accounts = json.loads(arguments.accounts.read_text()) if arguments.accounts else default_accounts()
        listening = listen(arguments.host, arguments.port)
    except (OSError, OverflowError, ValueError) as error:
        sys.exit(f"sandbox: {error}")
    settings = Settings(
        accounts=accounts,
        callback_interval=arguments.callback_interval,
        acceleration=arguments.acceleration,
        processing_seconds=arguments.processing_seconds,
        token_seconds=arguments.token_seconds,
    )
    print(f"carrier sandbox at {address(listening)}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server(settings).run([listening])


main()
