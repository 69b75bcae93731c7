"""Runs the targets of the Makefile (`python -m local demo`, and so on).

None of them ends with a traceback because of what it is given, of a Ctrl-C or of a full disk.
"""

# `signal` itself would take a moment to be imported, in which a Ctrl-C ends with a traceback.
from _signal import SIG_DFL, SIGINT, default_int_handler, signal

MODULES = {
    "up": "local.stack.stack",
    "down": "local.stack.stack",
    "demo": "local.demo.demo",
    "test": "local.checks.checks",
    "lint": "local.checks.checks",
    "audit": "local.checks.audit",
    "faults": "tests.faults.stack.__main__",
    "load": "tests.load.__main__",
    "model": "tests.model.__main__",
    "mutants": "tests.mutants.__main__",
    "mutation": "tests.mutants.mutation",
    "differences": "tests.mutants.differences",
    "contract": "tests.contract.__main__",
    "pictures": "tests.pictures.__main__",
    "properties": "local.checks.checks",
    "drill": "local.drills.command",
    "bench": "bench.__main__",
    "carrier": "local.generators.new_carrier",
    "lock": "local.toolchain.lock",
    "deploy": "local.deploy.command",
}
"""The module of each target. It runs the module's `main`, or a function with the target's name."""
HAVE_HELP = ("bench", "deploy")
"""Targets that say more under `--help` than their modules' first words."""
TAKE_ARGUMENTS = (*HAVE_HELP, "carrier", "drill")
"""The others are given all they need in variables."""


def main() -> int:
    """Run the named target; return its exit code."""
    import sys
    from functools import partial
    from importlib import import_module

    name = sys.argv[1] if len(sys.argv) > 1 else ""
    names = f"Name one of these: {', '.join(MODULES)}. `make` says what each does."
    if name in ("-h", "--help"):
        print(f"{(__doc__ or '').strip()}\n\n{names}")
        return 0
    if name not in MODULES:
        print(names, file=sys.stderr)
        return 2
    try:
        from local import interrupts

        module = import_module(MODULES[name])
    except (ModuleNotFoundError, SyntaxError) as error:
        if sys.prefix != sys.base_prefix:
            raise
        words = f"This Python cannot run it ({error}): use .venv/bin/python, which `make setup` makes."
        print(words, file=sys.stderr)
        return 2
    if {"-h", "--help"} & set(sys.argv[2:]) and name not in HAVE_HELP:
        print((module.__doc__ or "").strip())
        return 0
    if sys.argv[2:] and name not in TAKE_ARGUMENTS:
        print(f"{name} takes no arguments, and was given: {' '.join(sys.argv[2:])}", file=sys.stderr)
        return 2
    do = getattr(module, name) if name in ("test", "lint", "properties") else module.main
    work = partial(do, *([[name]] if name in ("up", "down") else sys.argv[2:]))
    signal(SIGINT, default_int_handler)
    return interrupts.quiet(name, work)


if __name__ == "__main__":
    # While modules are imported there is nothing to undo: a Ctrl-C ends the process at once.
    signal(SIGINT, SIG_DFL)
    raise SystemExit(main())
