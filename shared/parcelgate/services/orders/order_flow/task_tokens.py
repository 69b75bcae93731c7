"""Whether anybody still waits for a task token."""

from botocore.exceptions import ClientError

_GONE = frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})


def is_gone(error: ClientError) -> bool:
    """Whether nobody waits for the token any more: its state timed out, or its workflow is over."""
    return error.response["Error"]["Code"] in _GONE
