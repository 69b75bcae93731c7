"""Reads the JSON that a user gives a command in a file or on standard input."""

import json
import sys
from pathlib import Path
from typing import Any

from local.command.rendering import WRONG_USE, fail


def source_of(file: Path) -> str:
    """Return what a message calls a file; `-` is standard input."""
    return "Standard input" if str(file) == "-" else str(file)


def read_json(file: Path) -> Any:
    """Return the JSON of a file, or of standard input for `-`; end the command if it is none."""
    try:
        return json.loads(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        fail(f"{source_of(file)} is not JSON: line {error.lineno}, column {error.colno}.", code=WRONG_USE)
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{source_of(file)} cannot be read: {reason_of(error)}.", code=WRONG_USE)


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Return why a file cannot be read."""
    return getattr(error, "strerror", None) or "it is not UTF-8"
