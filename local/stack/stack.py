"""Runs the whole product on this machine: emulator, carrier sandbox, and the CDK stack deployed to them.

``make up`` leaves it running until ``make down``. The demo and the tests use `running`, each with a state
folder of its own, so they never disturb one another.

A state folder holds ``stack.json`` (the stack's addresses and a key for it), ``accounts.json`` (the invented
carrier credentials), ``logs/``, and the facts that ``down`` needs to stop everything.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
import httpx
from rich.console import Console

import sandbox.carriers
from local import ROOT
from local.stack import disk, emulator, processes
from local.toolchain import node
from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.services.accounts import api_keys, webhook_urls
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.table import Table

STATE = ROOT / ".local"
"""The state folder of ``make up``."""

TENANT = "demo"
ACCELERATION = 1440.0
"""A parcel travels a day in a minute."""
CARRIERS = registry.trackers()
"""Each has invented credentials and a prefix in the sandbox; ``PARCELGATE_<CARRIER>_URL`` replaces it."""

_WAREHOUSE = {
    "name": "Jiang Yuanfei",
    "line1": "Sanshui Industrial Park",
    "city": "Foshan",
    "state": "Guangdong",
    "postcode": "528100",
    "country": "CN",
    "phone": "02586707811",
}
"""The sender of orders that name none."""

_ASSETS = f"cdk-hnb659fds-assets-{emulator.ACCOUNT}-{emulator.REGION}"
"""The bucket to which ``cdk deploy`` uploads. Nothing else of ``cdk bootstrap`` is needed here."""

SETTINGS = "settings.json"
"""In the state folder: settings of this stack alone, by their names in `infra.settings`."""

_DEPLOYED_FROM = ("cdk.json", "console", "docs", "functions", "infra", "requirements/runtime.txt", "shared")
_NOT_CODE = {"__pycache__", "node_modules"}
_CALLBACK_INTERVAL = 1.0
"""Seconds between the sandbox's attempts at one callback."""
_DEPLOY_SECONDS = 600
_READY_SECONDS = 180

_console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Stack:
    """A running stack, as ``stack.json`` describes it."""

    api_url: str
    api_key: str
    sandbox_url: str
    aws_endpoint_url: str
    webhook_base_url: str
    webhook_urls: dict[str, dict[str, str]] = field(default_factory=dict)
    faults_url: str = ""
    """The proxy that spoils the functions' calls, where one runs."""
    carriers_url: str = ""
    """Where that proxy stands before the sandbox."""


@dataclass(frozen=True)
class _Files:
    """The files of a state folder."""

    state: Path

    @property
    def stack(self) -> Path:
        return self.state / "stack.json"

    @property
    def accounts(self) -> Path:
        return self.state / "accounts.json"

    @property
    def programs(self) -> Path:
        return self.state / "programs.json"

    @property
    def settings(self) -> Path:
        return self.state / SETTINGS

    @property
    def deployed(self) -> Path:
        return self.state / "deployed"

    @property
    def outputs(self) -> Path:
        return self.state / "outputs.json"

    @property
    def emulator(self) -> Path:
        return self.state / "emulator"

    @property
    def assembly(self) -> Path:
        return self.state / "cdk.out"

    def log(self, name: str) -> Path:
        return self.state / "logs" / f"{name}.log"


@contextmanager
def running(state: Path, *, acceleration: float = ACCELERATION, with_faults: bool = False) -> Iterator[Stack]:
    """Start a fresh stack whose state folder is *state*, and stop it at the end, whatever happens.

    Parameters
    ----------
    state
        A folder of this stack's own; it is made if it does not exist.
    acceleration
        How many times faster than real parcels the sandbox's parcels travel.
    with_faults
        Put the proxy of `local.faults` between the functions and all that they call.

    Raises
    ------
    NotReadyError
        When a part of it does not start.
    """
    with stopping_on_signals():
        down(state)
        try:
            yield up(state, acceleration=acceleration, with_faults=with_faults)
        finally:
            down(state)


@contextmanager
def at_hand(state: Path = STATE) -> Iterator[Stack]:
    """Use the stack that runs in *state*; where none does, start one and stop it at the end.

    Raises
    ------
    NotReadyError
        When a part of it does not start.
    """
    ran = _running_stack(_Files(state.resolve())) is not None
    with stopping_on_signals():
        try:
            yield up(state)
        finally:
            if not ran:
                down(state)


def up(state: Path = STATE, *, acceleration: float = ACCELERATION, with_faults: bool = False) -> Stack:
    """Start the stack in *state*, or update the one that runs there, and return it.

    When anything fails, nothing is left running.
    """
    files = _Files(state.resolve())
    files.state.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(files):
        try:
            stack = _running_stack(files)
            if stack is None:
                _stop(files)
                stack = _start(files, acceleration, with_faults)
            else:
                _say(f"already running at {stack.api_url}")
                _bring_up_to_date(files, stack)
        except BaseException:
            _stop(files)
            raise
        return stack


def down(state: Path = STATE) -> None:
    """Stop what runs in *state* and delete its files, except its logs."""
    files = _Files(state.resolve())
    if files.state.is_dir():
        with _one_at_a_time(files):
            _stop(files)


class PollRounds:
    """Rounds of tracking polls on the stack in *state*, like those that its schedule starts every minute."""

    def __init__(self, state: Path) -> None:
        files = _Files(state.resolve())
        stack, outputs = json.loads(files.stack.read_text()), json.loads(files.outputs.read_text())
        self._client = _client("stepfunctions", stack["aws_endpoint_url"])
        self._machine: str = outputs["TrackingPollArn"]
        self._running: str | None = None

    def start(self) -> None:
        """Start a round."""
        execution = self._client.start_execution(stateMachineArn=self._machine, input="{}")
        self._running = execution["executionArn"]

    def is_over(self) -> bool:
        """Return whether the round that was started last has ended; also true before the first round."""
        if self._running is None:
            return True
        return str(self._client.describe_execution(executionArn=self._running)["status"]) != "RUNNING"


def _start(files: _Files, acceleration: float, with_faults: bool) -> Stack:
    gateway, side = processes.port("PARCELGATE_PORT"), processes.port("PARCELGATE_SANDBOX_PORT")
    spoilt = (
        [processes.port("PARCELGATE_FAULTS_PORT"), processes.port("PARCELGATE_CARRIERS_PORT")]
        if with_faults
        else []
    )
    files.accounts.write_text(json.dumps(made_up_accounts(), indent=2))
    with _phase("emulator and sandbox"):
        programs = []
        with undisturbed():
            programs.append(
                emulator.start(
                    gateway,
                    files.emulator,
                    files.log("emulator"),
                    functions_call=spoilt[0] if spoilt else None,
                )
            )
            programs.append(_start_sandbox(files, side, acceleration))
            if spoilt:
                programs.append(_start_faults(files, (spoilt[0], gateway), (spoilt[1], side)))
            processes.remember(programs, files.programs)
        emulator.wait(programs[0], gateway, files.log("emulator"))
        sandbox_url = f"http://127.0.0.1:{side}"
        processes.wait_until(
            lambda: _answers(f"{sandbox_url}/_sandbox/health"), programs[1], 30, files.log("sandbox")
        )
    carriers_url = emulator.address(spoilt[1]) if spoilt else ""
    endpoint = emulator.address(gateway)
    _client("s3", endpoint).create_bucket(Bucket=_ASSETS)
    outputs = _deploy(files, endpoint)
    with _phase("accounts and a key"):
        _store_accounts(files, endpoint, outputs, carriers_url or sandbox_url)
        api_url = f"http://localhost:{gateway}/_aws/execute-api/{outputs['ApiId']}/$default"
        stack = Stack(
            api_url=api_url,
            api_key=_make_key(endpoint, outputs),
            sandbox_url=sandbox_url,
            aws_endpoint_url=endpoint,
            webhook_base_url=outputs["WebhookBaseUrl"],
            webhook_urls=_enter_webhooks(files, endpoint, outputs, sandbox_url),
            faults_url=emulator.address(spoilt[0]) if spoilt else "",
            carriers_url=carriers_url,
        )
    _wait_for_api(files, stack, programs[0])
    files.stack.write_text(
        json.dumps({name: value for name, value in asdict(stack).items() if value}, indent=2)
    )
    return stack


def _bring_up_to_date(files: _Files, stack: Stack) -> None:
    outputs = json.loads(files.outputs.read_text())
    if files.deployed.read_text() != _code_hash() + _settings(files):
        outputs = _deploy(files, stack.aws_endpoint_url)
    _store_accounts(files, stack.aws_endpoint_url, outputs, stack.carriers_url or stack.sandbox_url)
    _enter_webhooks(files, stack.aws_endpoint_url, outputs, stack.sandbox_url)
    _wait_for_api(files, stack, processes.remembered(files.programs)[0])


def _start_sandbox(files: _Files, port: int, acceleration: float) -> processes.Program:
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--accounts", str(files.accounts)]
    command += ["--callback-interval", str(_CALLBACK_INTERVAL), "--acceleration", str(acceleration)]
    return processes.start("sandbox", command, os.environ, ROOT, files.log("sandbox"))


def _start_faults(files: _Files, aws: tuple[int, int], carriers: tuple[int, int]) -> processes.Program:
    command = [sys.executable, "-m", "local.faults", "--aws", *map(str, aws)]
    command += ["--carriers", *map(str, carriers)]
    return processes.start("faults", command, os.environ, ROOT, files.log("faults"))


def _deploy(files: _Files, endpoint: str) -> dict[str, str]:
    """Deploy the CDK stack to the emulator at *endpoint* and return its outputs."""
    settings = _settings(files)
    code = _code_hash() + settings
    options = ["--all", "-c", "stage=local", "-c", f"gateway_port={httpx.URL(endpoint).port}"]
    options += ["--output", str(files.assembly), "--outputs-file", str(files.outputs)]
    options += ["--require-approval", "never", "--method", "direct", "--no-notices"]
    for name, value in json.loads(settings).items():
        options += ["-c", f"{name}={value}"]
    env = emulator.environment(endpoint, os.environ) | node.environment()
    with _phase("building and deploying the stack"):
        processes.run(
            "cdk deploy", [*node.CDK, "deploy", *options], env, ROOT, files.log("deploy"), _DEPLOY_SECONDS
        )
    (outputs,) = json.loads(files.outputs.read_text()).values()
    files.outputs.write_text(json.dumps(outputs))
    files.deployed.write_text(code)
    return dict(outputs)


def _settings(files: _Files) -> str:
    """The settings of this stack alone, as JSON: there are some only while a drill practises with them."""
    return files.settings.read_text() if files.settings.exists() else "{}"


def made_up_accounts() -> dict[str, dict[str, dict[str, str]]]:
    """Invent a login at every carrier, by carrier and account, as ``accounts.json`` holds them."""
    return {carrier: {"default": sandbox.carriers.package(carrier).new_login()} for carrier in CARRIERS}


def carrier_url(carrier: str, sandbox_url: str, env: Mapping[str, str]) -> str:
    """Return the server that ``PARCELGATE_<CARRIER>_URL`` names, or the sandbox."""
    return env.get(f"PARCELGATE_{carrier.upper()}_URL") or f"{sandbox_url}/{carrier}"


def _store_accounts(files: _Files, endpoint: str, outputs: dict[str, str], sandbox_url: str) -> None:
    client = _client("secretsmanager", endpoint)
    names = Table(_client("dynamodb", endpoint), outputs["TableName"]).tenant(TENANT).account_names
    accounts = json.loads(files.accounts.read_text())
    for carrier in CARRIERS:
        settings: dict[str, Any] = {"base_url": carrier_url(carrier, sandbox_url, os.environ)}
        if _sends_the_sender(carrier):
            settings["ship_from"] = _WAREHOUSE
        for account, credentials in accounts[carrier].items():
            name = f"{outputs['SecretPrefix']}/{TENANT}/{carrier}/{account}"
            whole = {**settings, "credentials": credentials}
            text = json.dumps(webhook_urls.with_its_token(client, name, whole))
            try:
                client.create_secret(Name=name, SecretString=text)
            except client.exceptions.ResourceExistsException:
                client.put_secret_value(SecretId=name, SecretString=text)
            names.add(carrier, account)


def _sends_the_sender(carrier: str) -> bool:
    """Return whether an order of this carrier must name its sender."""
    if carrier not in registry.CARRIERS:
        return False
    validation = import_module(f"{registry.CARRIERS[carrier]}.validation")
    return "/ship_from/name" in validation.FIELDS


def _enter_webhooks(
    files: _Files, endpoint: str, outputs: dict[str, str], sandbox_url: str
) -> dict[str, dict[str, str]]:
    """Make the addresses for carriers' webhooks, and set them in the sandbox."""
    table = Table(_client("dynamodb", endpoint), outputs["TableName"])
    client = _client("secretsmanager", endpoint)
    urls = {
        carrier: {
            account: webhook_urls.webhook_url(
                table,
                client,
                Hook(TENANT, carrier, account),
                secret_prefix=outputs["SecretPrefix"],
                base_url=outputs["WebhookBaseUrl"],
            )
            for account in accounts
        }
        for carrier, accounts in json.loads(files.accounts.read_text()).items()
        if registry.pushes(carrier)
    }
    httpx.post(f"{sandbox_url}/_sandbox/webhooks", json=urls, timeout=_READY_SECONDS).raise_for_status()
    return urls


def _make_key(endpoint: str, outputs: dict[str, str]) -> str:
    table = Table(_client("dynamodb", endpoint), outputs["TableName"])
    return api_keys.create(table, TENANT, sorted(api_keys.SCOPES), "the local stack", now=now())


def _client(service: str, endpoint: str) -> Any:
    session = boto3.Session(
        aws_access_key_id=emulator.ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=emulator.ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
        region_name=emulator.REGION,
    )
    return session.client(service, endpoint_url=endpoint)


def _wait_for_api(files: _Files, stack: Stack, gateway: processes.Program) -> None:
    with _phase("first answer of the API"):
        processes.wait_until(
            lambda: _answers(f"{stack.api_url}/v1/health"), gateway, _READY_SECONDS, files.log("emulator")
        )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=_READY_SECONDS).is_success
    except httpx.TransportError:
        return False


def _running_stack(files: _Files) -> Stack | None:
    programs = processes.remembered(files.programs)
    if not (files.stack.exists() and programs and all(program.is_alive() for program in programs)):
        return None
    return Stack(**json.loads(files.stack.read_text()))


def _stop(files: _Files) -> None:
    with undisturbed():
        for program in reversed(processes.remembered(files.programs)):
            program.stop(emulator.STOP_SECONDS)
        for path in (files.stack, files.accounts, files.outputs, files.deployed, files.programs):
            path.unlink(missing_ok=True)
        for folder in (files.emulator, files.assembly):
            shutil.rmtree(folder, ignore_errors=True)


def _code_hash() -> str:
    """Return one hash over everything from which the deployed stack is made."""
    digest = hashlib.sha256()
    for name in _DEPLOYED_FROM:
        root = ROOT / name
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and not _NOT_CODE.intersection(path.parts):
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@contextmanager
def _one_at_a_time(files: _Files) -> Iterator[None]:
    with (files.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Treat SIGTERM like a Ctrl-C, so that everything is stopped and nothing is left behind."""
    with _handling(signal.default_int_handler, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold signals back until the block has ended, because its work must not be left half done."""
    held: list[int] = []
    with _handling(lambda number, _: held.append(number), signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield
    for number in held:
        signal.raise_signal(number)


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def _phase(name: str) -> Iterator[None]:
    """Show that *name* is in progress, and then how long it took."""
    started = time.monotonic()
    with _console.status(name):
        yield
    _say(f"{name}: {time.monotonic() - started:.1f} s")


def _say(line: str) -> None:
    _console.print(line, markup=False, soft_wrap=True)


def _show(stack: Stack) -> None:
    """Print where the stack is and how to call it, to standard output."""
    print(
        f"Tenant   {TENANT} (the default of the commands; --tenant names another)\n"
        f"Sandbox  {stack.sandbox_url}\n"
        f"AWS      {stack.aws_endpoint_url}\n"
        "\n"
        f"export API={shlex.quote(stack.api_url)}\n"
        f"export KEY={shlex.quote(stack.api_key)}\n"
        "\n"
        'curl -H "Authorization: Bearer $KEY" "$API/v1/carriers"\n'
        "\n"
        f"Console  {stack.api_url}/console\n"
        "         Open it in a browser, and sign in with the value of KEY.\n"
        f"Docs     {stack.api_url}/docs"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the work of ``make up`` or ``make down``; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description="The local stack.")
    parser.add_argument("command", choices=("up", "down"))
    command = parser.parse_args(arguments).command
    started = time.monotonic()
    try:
        with stopping_on_signals():
            if command == "down":
                down()
                _say("stopped")
            else:
                stack = up()
                _say(f"ready in {time.monotonic() - started:.1f} s")
                _show(stack)
    except (processes.NotReadyError, OSError) as error:
        _say(disk.words(error) or str(error))
        return 1
    return 0
