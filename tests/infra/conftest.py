"""The synthesized stacks and the bundle, made once for a whole test run, whichever worker asks first."""

import fcntl
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from infra.bundle import ROOT, Bundle, build

type Resource = dict[str, Any]


@dataclass(frozen=True)
class Synthesis:
    """What synthesizing left behind: its exit code, all it printed, and a folder for each stage."""

    folder: Path
    exit_code: int
    output: str

    def path(self, stage: str) -> Path:
        return self.folder / stage / "Parcelgate.template.json"


class Template:
    """A CloudFormation template, asked in the words of these tests."""

    def __init__(self, path: Path) -> None:
        self.json: dict[str, Any] = json.loads(path.read_text())

    def all(self, kind: str) -> dict[str, Resource]:
        """Every resource of a kind such as `Lambda::Function`, by its logical id."""
        resources = self.json["Resources"].items()
        return {name: resource for name, resource in resources if resource["Type"] == f"AWS::{kind}"}

    def properties(self, kind: str) -> list[dict[str, Any]]:
        return [resource["Properties"] for resource in self.all(kind).values()]

    def only(self, kind: str) -> dict[str, Any]:
        (properties,) = self.properties(kind)
        return properties

    @cached_property
    def functions(self) -> dict[str, dict[str, Any]]:
        """The properties of every function, by the name of its folder."""
        return {each["Handler"].split(".")[1]: each for each in self.properties("Lambda::Function")}

    @cached_property
    def log_groups(self) -> set[str]:
        return set(self.all("Logs::LogGroup"))

    def statements(self, function: str) -> list[dict[str, Any]]:
        """Everything that the role of `function` is allowed."""
        role = self.functions[function]["Role"]["Fn::GetAtt"][0]
        policies = self.json["Resources"][role]["Properties"].get("Policies", [])
        policies += [
            each for each in self.properties("IAM::Policy") if {"Ref": role} in each.get("Roles", [])
        ]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def written(value: Any) -> str:
    """A resource as a reader would write it: `<Bucket.Arn>/*`."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(written, parts))
        case {"Fn::GetAtt": [thing, attribute]}:
            return f"<{thing}.{attribute}>"
        case {"Ref": thing}:
            return f"<{thing}>"
        case {"Fn::Sub": text}:
            return str(text)
        case _:
            return str(value)


@pytest.fixture(scope="session")
def synthesis(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Synthesis:
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "synthesis"
    result = folder / "result.json"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            done = subprocess.run(
                [sys.executable, "-O", "-m", "tests.infra.synthesize", str(folder)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            result.write_text(json.dumps([done.returncode, done.stdout + done.stderr]))
    return Synthesis(folder, *json.loads(result.read_text()))


@pytest.fixture(scope="session")
def aws(synthesis: Synthesis) -> Template:
    """The production stack."""
    return Template(synthesis.path("production"))


@pytest.fixture(scope="session")
def local(synthesis: Synthesis) -> Template:
    """The same stack for the emulator."""
    return Template(synthesis.path("local"))


@pytest.fixture(scope="session")
def options(synthesis: Synthesis) -> Template:
    """the production stack with all that a setting adds, and other choices."""
    return Template(synthesis.path("options"))


@pytest.fixture(scope="session")
def aws_bundle() -> Bundle:
    return build("aws")


@pytest.fixture(scope="session")
def local_bundle() -> Bundle:
    return build("local")
