"""The whole examination: every check in turn, also when one of them fails."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from local.command.api import ApiError
from local.deploy.findings import Finding


@dataclass(frozen=True)
class Check:
    """One thing to look at: what it is called, and what finds its faults."""

    name: str
    look: Callable[[], Iterable[Finding]]


@dataclass(frozen=True)
class Result:
    """What came of one check. `unseen` says why it could not be made."""

    check: str
    findings: list[Finding] = field(default_factory=list)
    unseen: str | None = None

    @property
    def is_broken(self) -> bool:
        """Whether something does not work, or nobody can tell."""
        return self.unseen is not None or any(finding.stops for finding in self.findings)

    @property
    def is_well(self) -> bool:
        """Whether it was looked at and nothing is wrong."""
        return not self.findings and self.unseen is None


def examine(checks: Iterable[Check]) -> Iterator[Result]:
    """Make each check; yield its result as soon as it is there."""
    for check in checks:
        findings: list[Finding] = []
        unseen = None
        try:
            findings.extend(check.look())
        except (ApiError, ClientError, BotoCoreError) as error:
            unseen = str(error)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            unseen = (
                f"The answer has another form than this release knows ({type(error).__name__}: {error}). "
                "Is the stack of another release?"
            )
        yield Result(check.name, findings, unseen)
