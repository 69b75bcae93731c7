"""Environments of their own for tools that want other versions than the rest of this folder."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local import ROOT
from local.toolchain.setup import trusting_this_machine

UV = ROOT / ".venv" / "bin" / "uv"


def environment(name: str) -> Path:
    """Return the folder `.local/<name>` with what `requirements/<name>.txt` says; made if it is not there.

    Raises SystemExit with the reason when that cannot be installed.
    """
    home, lock = ROOT / ".local" / name, ROOT / "requirements" / f"{name}.txt"
    home.parent.mkdir(exist_ok=True)
    # Runs that begin at the same time need it at the same time.
    with (home.parent / f"{name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        return _made(name, home, lock)


def _made(name: str, home: Path, lock: Path) -> Path:
    stamp = home / "lock.txt"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return home
    shutil.rmtree(home, ignore_errors=True)
    for command in (
        (UV, "venv", "--quiet", "--python", sys.executable, home),
        (UV, "pip", "install", "--quiet", "--require-hashes", "--python", home, "-r", lock),
    ):
        if subprocess.run(command, cwd=ROOT, env=trusting_this_machine({**os.environ})).returncode:
            raise SystemExit(
                f"{name}: its tools could not be installed. That needs the network the first time."
            )
    shutil.copy(lock, stamp)
    return home
