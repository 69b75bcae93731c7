"""`python -m local deploy STAGE`: what `make deploy` does.

It checks everything that could stop a deployment, reports all of it at once, and starts nothing if something
must be corrected first. Then it deploys. The first deployment is made in two passes. In the first pass
nothing is protected, so that a failure leaves nothing behind. The second pass switches the protection on.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from infra.settings import GIVEN, Settings, settings_for
from local import ROOT
from local.deploy import account, changes, smoke
from local.deploy.account import Look
from local.deploy.findings import Finding
from local.toolchain import node

STATE = ROOT / ".local" / "deploy"
STAGE = re.compile(r"[a-z][a-z0-9-]{0,29}")
"""The name of a function begins with the stage's name, and AWS takes 64 characters."""

_EXAMPLE = """\
examples:
  python -m local deploy production
  python -m local deploy staging -c protect_data=0 --yes
  python -m local deploy production --check      # only check, change nothing

`make deploy STAGE=staging OPTIONS="--check"` does the same."""

_console = Console(highlight=False, soft_wrap=True)


class DeploymentError(Exception):
    """The deployment cannot go on; the message says why."""


def main(*arguments: str) -> int:
    """Check, report, and deploy if nothing stops it; return the exit code."""
    options = _parse(arguments)
    stage, given = options.stage, dict(options.settings)
    with _console.status("checking the account"):
        seen = account.look(stage, given)
    seen.findings += _left_behind()
    if seen.account_concurrency is not None:
        given["account_concurrency"] = seen.account_concurrency
    first = seen.stack is None or not seen.stack.was_created
    protected = settings_for(stage, **given).protect_data
    passes = [{**given, "first_deployment": 1}, given] if first and protected else [given]
    try:
        difference: list[changes.Change] = []
        assembly = None
        if not seen.stops or not first:
            assembly = _synthesize(stage, passes[0], seen.region)
            difference = _compare(seen, assembly, options.accepted)
        _show(stage, seen, difference, first=first)
        if seen.stops or assembly is None:
            _say("\nNothing was started.")
            return 1
        if options.check:
            _say("\nNothing stops a deployment. Nothing was started.")
            return 0
        if not (options.yes or _agreed(first)):
            _say("\nNothing was started.")
            return 1
        for number, each in enumerate(passes):
            if number:
                _say("\nThe stack is deployed. The second pass protects its data against deletion.")
                assembly = _synthesize(stage, each, seen.region)
            _deploy(assembly, seen.region, ask=not options.yes and not number)
    except DeploymentError as error:
        _say(f"\n{error}")
        return 1
    return _tell(assembly, settings_for(stage, **given), seen.region, first=first)


def _left_behind() -> Iterator[Finding]:
    """Find settings in the CDK's own file, where they would hold for every stage."""
    context = json.loads((ROOT / "cdk.json").read_text()).get("context", {})
    if names := ", ".join(sorted(GIVEN & context.keys())):
        yield Finding(
            f"cdk.json sets {names}, for every stage. What a stage has for good stands in infra/settings.py.",
            "git checkout cdk.json",
        )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local deploy",
        description=__doc__.partition("\n\n")[2],
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", nargs="?", default="production", help="the environment's name")
    parser.add_argument(
        "-c",
        dest="settings",
        metavar="SETTING=VALUE",
        action="append",
        default=[],
        type=_setting,
        help="a setting of infra/settings.py, for this deployment",
    )
    parser.add_argument(
        "--accept-loss",
        dest="accepted",
        metavar="RESOURCE",
        action="append",
        default=[],
        help="accept the loss of this resource and its content; the check lists the names",
    )
    parser.add_argument("--check", action="store_true", help="only check, change nothing")
    parser.add_argument(
        "--yes", action="store_true", help="do not ask for confirmation, for use in automation"
    )
    options = parser.parse_args(arguments)
    if options.stage == "local":
        parser.error("`local` is the stack of `make up`; name another stage")
    try:
        settings_for(options.stage, **dict(options.settings))
    except ValueError as error:
        parser.error(str(error))
    if not STAGE.fullmatch(options.stage):
        parser.error("a stage has at most 30 small letters, digits and hyphens, and begins with a letter")
    return options


def _setting(text: str) -> tuple[str, int | str]:
    name, _, value = text.partition("=")
    if name not in GIVEN:
        raise argparse.ArgumentTypeError(
            f"there is no setting {name!r}; there are {', '.join(sorted(GIVEN))}"
        )
    if GIVEN[name] is str:
        return name, value
    try:
        return name, int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name} is a number (1 and 0 for yes and no)") from None


def _synthesize(stage: str, given: Mapping[str, int | str], region: str | None) -> Path:
    """Make the templates and bundles of one pass, and return their folder."""
    assembly = STATE / stage / ("first" if given.get("first_deployment") else "full")
    context = [f"{name}={value}" for name, value in {"stage": stage, **given}.items()]
    command = [*node.CDK, "synth", "--quiet", "--output", str(assembly), "--no-notices"]
    command += [part for each in context for part in ("-c", each)]
    with _console.status("building and synthesizing"):
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=_environment(region),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise DeploymentError(f"The stack cannot be synthesized. Nothing was started.\n{end}")
    return assembly


def _compare(seen: Look, assembly: Path, accepted: Sequence[str]) -> list[changes.Change]:
    """Return the change of each resource, and add what would be lost to the findings."""
    (template,) = assembly.glob("*.template.json")
    new: Mapping[str, Any] = json.loads(template.read_text())
    old = seen.stack.template if seen.stack is not None else {}
    difference = changes.compare(old, new)
    seen.findings += changes.findings(difference, accepted=accepted)
    seen.findings += changes.index_findings(old, new)
    seen.findings += changes.format_findings(old, new, accepted=accepted)
    return difference


def _show(stage: str, seen: Look, difference: Sequence[changes.Change], *, first: bool) -> None:
    where = f"account {seen.account or 'unknown'}, region {seen.region or 'unknown'}"
    there = (
        "not checked" if seen.account is None else seen.stack.status if seen.stack else "does not exist yet"
    )
    _say(f"Stack parcelgate-{stage}: {there}; {where}")
    for line in changes.summary(difference):
        _say(f"  {line}")
    if not first and not difference:
        _say("  nothing changes")
    for title, stops in (("These stop the deployment:", True), ("You should know:", False)):
        findings = [each for each in seen.findings if each.stops is stops]
        if findings:
            _say(f"\n{title}")
        for number, each in enumerate(findings, start=1):
            _say_finding(number, each)
    if seen.not_looked_at:
        _say(f"\nNot checked: {'; '.join(seen.not_looked_at)}.")


def _say_finding(number: int, finding: Finding) -> None:
    _say(f"  {number}. {finding.text}")
    if finding.command:
        _say(f"     {finding.command}")


def _agreed(first: bool) -> bool:
    if not sys.stdin.isatty():
        _say("\nThere is no terminal to ask for confirmation. Give --yes.")
        return False
    question = "Deploy it for the first time?" if first else "Deploy?"
    return input(f"\n{question} [y/N] ").strip().lower() in ("y", "yes")


def _deploy(assembly: Path, region: str | None, *, ask: bool) -> None:
    command = [*node.CDK, "deploy", "--app", str(assembly), "--all", "--no-notices"]
    command += ["--require-approval", "broadening" if ask else "never"]
    command += ["--outputs-file", str(_outputs_file(assembly))]
    if subprocess.run(command, cwd=ROOT, env=_environment(region)).returncode:
        raise DeploymentError(
            "The deployment failed. AWS undoes what it had begun. Run the same command "
            "again: it says what failed first, and continues where this one stopped."
        )


def _tell(assembly: Path, settings: Settings, region: str | None, *, first: bool) -> int:
    """Print where the stack is, whether all of it works, and, after a first deployment, the next steps."""
    (outputs,) = json.loads(_outputs_file(assembly).read_text()).values()
    url = outputs["ApiUrl"]
    # The name of one's own answers only when its DNS leads here.
    reached = outputs.get("GatewayUrl", url)
    try:
        answers = httpx.get(f"{reached}/v1/health", timeout=30).is_success
    except httpx.HTTPError:
        answers = False
    _say(f"\nAPI     {url}\nAlarms  {outputs['AlarmTopicArn']}")
    if "DomainTarget" in outputs:
        _say(f"Domain  {settings.domain} must lead to {outputs['DomainTarget']} (CNAME, or an alias record)")
    if "OutgoingAddresses" in outputs:
        _say(f"Carriers see calls from {outputs['OutgoingAddresses']}")
    if not answers:
        _say(
            f"{reached}/v1/health does not answer as it should. See the section API failures of "
            "docs/runbook.md."
        )
        return 1
    _say("The API answers.")
    (template,) = assembly.glob("*.template.json")
    with _console.status("asking every function"):
        faults = list(smoke.ask(account.client("lambda", region), settings, _functions(template)))
    for number, each in enumerate(faults, start=1):
        _say_finding(number, each)
    if faults:
        return 1
    _say("Every function can be loaded.")
    if first:
        stage = settings.stage
        _say(
            "\nNext steps (docs/deploy.md says more):\n"
            f"  aws sns subscribe --topic-arn {outputs['AlarmTopicArn']} --protocol email "
            "--notification-endpoint you@example.com\n"
            f"  .venv/bin/parcelgate accounts put lso --tenant acme --file - --stack parcelgate-{stage}\n"
            f"  .venv/bin/parcelgate keys create --tenant acme --name shop --stack parcelgate-{stage}"
        )
    return 0


def _functions(template: Path) -> list[str]:
    """Return the functions of a template, by the names of their folders."""
    resources = json.loads(template.read_text())["Resources"].values()
    handlers = [
        each["Properties"]["Handler"] for each in resources if each["Type"] == "AWS::Lambda::Function"
    ]
    return sorted(handler.split(".")[1] for handler in handlers)


def _outputs_file(assembly: Path) -> Path:
    return assembly.parent / "outputs.json"


def _environment(region: str | None) -> dict[str, str]:
    named = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region} if region else {}
    return {**os.environ, **node.environment(), **named}


def _say(line: str) -> None:
    _console.print(line, markup=False)
