"""The stacks that a user has logged in to: an address and a key each, in a file that only the user reads."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from local.command.rendering import WRONG_USE, fail

LOCAL = "local"
"""The profile of the stack of `make up`. It is always there and stands in no file."""


@dataclass(frozen=True)
class Profile:
    """One stack: the API's address, without `/v1`, and a key."""

    url: str
    key: str


def path() -> Path:
    """Return the file of the profiles, in the user's configuration folder."""
    folder = os.environ.get("PARCELGATE_CONFIG_DIR") or typer.get_app_dir("parcelgate")
    return Path(folder) / "profiles.json"


def names() -> list[str]:
    """Return the names of all profiles."""
    return [LOCAL, *sorted(_read()["profiles"])]


def chosen() -> str:
    """Return the profile that is used where none is named."""
    name: str = _read()["default"]
    return name


def load(name: str) -> Profile:
    """Return a stored profile; end the command if there is none of that name."""
    stored = _read()["profiles"].get(name)
    if stored is None:
        fail(
            f"There is no profile {name}. There are: {', '.join(names())}. See `parcelgate login`.",
            code=WRONG_USE,
        )
    return Profile(**stored)


def store(name: str, profile: Profile) -> None:
    """Store a profile; it becomes the one that is used where none is named."""
    content = _read()
    content["profiles"][name] = asdict(profile)
    _write(content | {"default": name})


def use(name: str) -> None:
    """Make a profile the one that is used where none is named."""
    if name != LOCAL:
        load(name)
    _write(_read() | {"default": name})


def remove(name: str) -> None:
    """Delete a profile and its key here. The key itself stays good."""
    load(name)
    content = _read()
    del content["profiles"][name]
    if content["default"] == name:
        content["default"] = LOCAL
    _write(content)


def _read() -> dict[str, Any]:
    empty: dict[str, Any] = {"default": LOCAL, "profiles": {}}
    try:
        return empty | json.loads(path().read_text("utf-8"))
    except FileNotFoundError:
        return empty
    except (OSError, ValueError, TypeError):
        fail(f"{path()} cannot be read. Correct it, or delete it and log in again.", code=WRONG_USE)


def _write(content: dict[str, Any]) -> None:
    """Write the file anew, readable for the user alone from its first byte."""
    file = path()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            json.dump(content, stream, indent=2)
        partial.replace(file)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}.", code=WRONG_USE)
