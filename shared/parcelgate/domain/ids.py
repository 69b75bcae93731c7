"""The one maker of identifiers: a prefix that says what it is, and a ULID, which sorts by time."""

from ulid import ULID


def new_id(prefix: str) -> str:
    """A fresh identifier, such as `ord_01JD...`."""
    return f"{prefix}_{ULID()}"
