"""`python -m local demo`, and so on: the targets of the Makefile, none of which ends with a traceback."""

import signal

# While modules are imported there is nothing to be undone: a Ctrl-C ends the process at once.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Do what the target of that name is for; the exit code."""
    import sys
    from functools import partial
    from importlib import import_module

    from local import interrupts

    name = sys.argv[1]
    module = import_module(
        {
            "up": "local.stack",
            "down": "local.stack",
            "test": "local.checks",
            "lint": "local.checks",
            "bench": "bench.__main__",
            "mutants": "tests.mutants.__main__",
            "carrier": "local.new_carrier",
            "deploy": "local.deploy.command",
        }.get(name, f"local.{name}")
    )
    do = getattr(module, name) if name in ("test", "lint") else module.main
    work = partial(do, *([[name]] if name in ("up", "down") else sys.argv[2:]))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return interrupts.quiet(name, work)


if __name__ == "__main__":
    raise SystemExit(main())
