"""Says whether the disk has room. A full disk breaks everything else, logs included."""

import errno
import shutil
from pathlib import Path

NEEDED = 1_000_000_000
"""Bytes that a stack needs besides a checkout that is set up: the bundle, the emulator's functions, logs."""
_FULL = 50_000_000
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class NoRoomError(OSError):
    """The disk has too little room; the message says how much is needed."""


def check(folder: Path) -> None:
    """Raise NoRoomError if the disk of *folder* is nearly full. The folder need not exist yet."""
    if full := shortage(folder):
        raise NoRoomError(full)


def shortage(folder: Path) -> str | None:
    """Return a message if the disk of *folder* is nearly full; None if it is not."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free >= _FULL:
        return None
    return _sentence(there, free)


def words(error: Exception) -> str | None:
    """Return what an error means that a full disk caused; None for any other error."""
    if isinstance(error, NoRoomError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        there = Path(error.filename) if error.filename else Path.cwd()
        there = next(path for path in (there, *there.absolute().parents) if path.exists())
        return _sentence(there, shutil.disk_usage(there).free)
    return None


def _sentence(there: Path, free: int) -> str:
    return (
        f"There is no room on the disk of {there}: {free // 1_000_000} MB are free, and about "
        f"{NEEDED // 1_000_000} MB are needed. Make room and run the command again."
    )
