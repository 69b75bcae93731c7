"""`make audit`: looks for known vulnerabilities of locked packages, and lists the packages in `out/sbom`.

The tools have an environment of their own, `.local/audit`, made from `requirements/audit.txt` with its
hashes. They ask the packages' indexes about known vulnerabilities. If no index can be reached, the command
says so and does not fail. It fails when it finds a vulnerability. The lists are in the form of CycloneDX.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local import ROOT
from local.toolchain.setup import NODE_FOLDERS, trusting_this_machine
from local.toolchain.tools import environment

TOOLS = ROOT / ".local" / "audit"
LISTS = ROOT / "out" / "sbom"
PYTHON_LOCKS = ("runtime", "dev", "lambda-runtime", "uv", "checkov", "audit", "mutation", "contract")
NOT_OURS = ("karrio", "cookbook")
"""Locks of what `make bench` compares with. Others choose what these pin."""
SECONDS = 300


def _run(command: Sequence[str | Path], folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        return subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env=trusting_this_machine({**os.environ, "PATH": path}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", "it took too long")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def make_tools() -> bool:
    """Make the tools' environment, unless it is there as its lock says. Return False when that fails."""
    try:
        environment("audit")
    except SystemExit as error:
        print(error)
        return False
    return True


def python_faults(name: str) -> list[str] | None:
    """Return a line for each vulnerability of a lock's packages; None when no index could be reached."""
    lock = ROOT / "requirements" / f"{name}.txt"
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    done = _run([TOOLS / "bin" / "pip-audit", *options, "-r", lock])
    report = _json(done.stdout)
    if not isinstance(report, dict):
        print(f"audit: requirements/{name}.txt: no index could be reached ({_last_line(done.stderr)})")
        return None
    return [
        f"requirements/{name}.txt: {package['name']} {package['version']}: {fault['id']}"
        f" (corrected in {', '.join(fault['fix_versions']) or 'no version'})"
        for package in report.get("dependencies", ())
        for fault in package.get("vulns", ())
    ]


def node_faults(folder: str) -> list[str] | None:
    """Return the same as `python_faults` for a lock file of npm."""
    done = _run(
        ["npm", "audit", "--json", "--package-lock-only", "--fetch-timeout=20000", "--fetch-retries=0"],
        ROOT / folder,
    )
    report = _json(done.stdout)
    if not isinstance(report, dict) or "vulnerabilities" not in report:
        print(f"audit: {folder}/package-lock.json: no index could be reached ({_last_line(done.stderr)})")
        return None
    return [
        f"{folder}/package-lock.json: {name}: {fault['severity']}"
        for name, fault in report["vulnerabilities"].items()
    ]


def write_lists() -> list[Path]:
    """Write a list of each lock's packages; return the lists that could be written."""
    LISTS.mkdir(parents=True, exist_ok=True)
    written = []
    for name in PYTHON_LOCKS:
        target = LISTS / f"{name}.cdx.json"
        lock = ROOT / "requirements" / f"{name}.txt"
        options = ["--output-reproducible", "--of", "JSON", "-o", target]
        done = _run([TOOLS / "bin" / "cyclonedx-py", "requirements", lock, *options])
        written += [target] if done.returncode == 0 else []
    for folder in NODE_FOLDERS:
        done = _run(["npm", "sbom", "--sbom-format", "cyclonedx", "--package-lock-only"], ROOT / folder)
        if done.returncode == 0:
            target = LISTS / f"{folder.replace('/', '-')}.cdx.json"
            target.write_text(done.stdout, "utf-8")
            written.append(target)
    return written


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if "complete log" not in line]
    return lines[-1][:200] if lines else "no message"


def main() -> int:
    """Check all locks; return 1 when a vulnerability is known."""
    if not make_tools():
        print("audit: nothing was checked, because no index could be reached. Run it again with a network.")
        return 0
    for path in write_lists():
        print(f"audit: {path.relative_to(ROOT)} lists the packages of its lock")
    answers = [python_faults(name) for name in PYTHON_LOCKS]
    answers += [node_faults(folder) for folder in NODE_FOLDERS]
    faults = [fault for answer in answers for fault in answer or ()]
    for fault in faults:
        print(f"audit: {fault}")
    asked = sum(answer is not None for answer in answers)
    print(f"audit: {asked} of {len(answers)} locks checked, {len(faults)} known vulnerabilities")
    return 1 if faults else 0
