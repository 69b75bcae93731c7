"""The form in which checks before a deployment report what they found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that the deployer should know.

    Parameters
    ----------
    text
        What was found and what follows from it, in sentences.
    command
        The command that corrects it, if there is one.
    stops
        Whether nothing may be started before it is corrected.
    """

    text: str
    command: str | None = None
    stops: bool = True
