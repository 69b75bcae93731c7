"""What a check before a deployment finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that the deployer should know.

    Parameters
    ----------
    text
        What is so, and what follows from it, in sentences.
    command
        The command that mends it, where there is one.
    stops
        Whether nothing may be started before it is mended.
    """

    text: str
    command: str | None = None
    stops: bool = True
