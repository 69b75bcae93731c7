"""Runs MiniStack, the AWS emulator of the local stack, in one process and with IAM enforced."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from local.stack import processes

REGION = "us-east-1"
ACCOUNT = "000000000000"
START_SECONDS = 180
STOP_SECONDS = 30
"""MiniStack takes about 10 s to end its Lambda workers; after this time the rest is killed."""

ADMINISTRATOR = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Environment of a caller who may do everything here: for MiniStack the key `test` is the root user."""

_PROGRAM = Path(__file__).with_name("emulator_program.py")


def start(port: int, state: Path, log: Path, *, functions_call: int | None = None) -> processes.Program:
    """Start the emulator on *port*; it keeps its files under *state*.

    The functions' processes inherit this environment, so it has only the path of the caller's environment.
    They call the port `functions_call` in place of the emulator's own, when that is given.
    """
    temporary = state / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(state),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "STATE_DIR": str(state / "state"),
        "S3_DATA_DIR": str(state / "s3"),
        "AWS_ENDPOINT_URL": address(functions_call or port),
        **ADMINISTRATOR,
    }
    return processes.start("emulator", [sys.executable, "-P", str(_PROGRAM)], env, state, log)


def wait(program: processes.Program, port: int, log: Path) -> None:
    """Wait until the emulator answers.

    Raises
    ------
    NotReadyError
        When it does not within a minute.
    """

    def healthy() -> bool:
        try:
            return httpx.get(f"{address(port)}/_ministack/health", timeout=5).is_success
        except httpx.TransportError:
            return False

    processes.wait_until(healthy, program, START_SECONDS, log)


def address(port: int) -> str:
    """Return the endpoint for AWS clients of the emulator on *port*."""
    return f"http://127.0.0.1:{port}"


def environment(url: str, base: Mapping[str, str]) -> dict[str, str]:
    """Return *base* as the environment of an administrator's AWS client of the emulator at *url*."""
    clean = {name: value for name, value in base.items() if not name.startswith("AWS_")}
    return {**clean, **ADMINISTRATOR, "AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": url}
