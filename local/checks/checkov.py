"""Compares what checkov finds in the production template, with all options, with the accepted findings.

checkov has an environment of its own (`local.toolchain.tools`). Each finding must be in
``infra/policies/checkov.toml`` with a reason, and each reason must still be needed.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from infra.settings import ALL_OPTIONS
from local import ROOT
from local.toolchain import node
from local.toolchain.tools import environment

POLICY = ROOT / "infra" / "policies" / "checkov.toml"


class Finding(msgspec.Struct, frozen=True):
    """One rule of checkov that a resource does not keep."""

    check_id: str
    check_name: str
    resource: str


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The accepted findings of one rule, for resources whose names fit this pattern."""

    check: str
    resources: str
    because: str

    def covers(self, finding: Finding) -> bool:
        """Return whether this reason accepts that finding."""
        return finding.check_id == self.check and fnmatchcase(finding.resource, self.resources)


def accepted() -> list[Accepted]:
    """Read the policy file."""
    return msgspec.convert(tomllib.loads(POLICY.read_text())["accepted"], list[Accepted])


def judge(findings: Sequence[Finding], reasons: Sequence[Accepted]) -> Iterator[str]:
    """List new findings, and reasons that are no longer needed."""
    for finding in findings:
        if not any(reason.covers(finding) for reason in reasons):
            yield f"{finding.check_id} {finding.resource}: {finding.check_name}"
    for reason in reasons:
        if not any(reason.covers(finding) for finding in findings):
            yield f"{reason.check} {reason.resources}: this reason is no longer needed; remove it"


def main() -> int:
    """Judge what checkov finds in the production stack with all options; return the exit code."""
    program = environment("checkov") / "bin" / "checkov"
    said = list(judge(_look(program, _synthesize()), accepted()))
    for line in said:
        print(line)
    if said:
        print(f"checkov: correct this, or add a reason to {POLICY.relative_to(ROOT)}", file=sys.stderr)
        return 1
    print("checkov: every finding has its reason")
    return 0


def _synthesize() -> Path:
    assembly = ROOT / ".local" / "checkov" / "cdk.out"
    command = [
        *node.CDK,
        "synth",
        "--quiet",
        "--no-notices",
        "--output",
        str(assembly),
        *(part for name, value in ALL_OPTIONS.items() for part in ("-c", f"{name}={value}")),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **node.environment()}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return assembly / "Parcelgate.template.json"


def _look(program: Path, template: Path) -> list[Finding]:
    command = [str(program), "--framework", "cloudformation", "--file", str(template), "--output", "json"]
    done = subprocess.run(
        [*command, "--quiet", "--compact", "--skip-download", "--soft-fail"],
        cwd=template.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    if not report["summary"]["passed"] or report["summary"]["parsing_errors"]:
        raise SystemExit("checkov: the template could not be read")
    return msgspec.convert(report["results"]["failed_checks"], list[Finding])
