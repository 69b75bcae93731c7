"""Whether the disk has room, said in words: a full one breaks everything else, logs included."""

import errno
import shutil
from pathlib import Path

NEEDED = 1_000_000_000
"""Bytes that a stack needs beside a checkout that is set up: the bundle, the emulator's functions, logs."""
_FULL = 50_000_000
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class NoRoomError(OSError):
    """The disk has no room for what is to be done; the message says how much is needed."""


def check(folder: Path) -> None:
    """Raise NoRoomError if the disk of *folder*, which need not be there yet, is as good as full."""
    if full := shortage(folder):
        raise NoRoomError(full)


def shortage(folder: Path) -> str | None:
    """Say that the disk of *folder* is as good as full; None when it is not."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free >= _FULL:
        return None
    return _sentence(there, free)


def words(error: Exception) -> str | None:
    """Say in words what an error means that comes of a full disk; None for any other."""
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
