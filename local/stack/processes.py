"""Runs programs that outlive the command that starts them, and stops them with everything that they started.

Each program has a session of its own. So a Ctrl-C for the command does not reach it, and the session leads to
everything that it started even when the program itself has ended.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from local import arguments
from local.stack import disk

_children: dict[int, subprocess.Popen[bytes]] = {}
"""The programs that this command itself started, so that none is forgotten while it runs."""


class NotReadyError(Exception):
    """A program was not ready in time, or died while it started."""


@dataclass(frozen=True)
class Program:
    """A running program: its process id, which is also its session's id, and when it was started."""

    name: str
    pid: int
    created: float

    def is_alive(self) -> bool:
        """Return whether the program itself still runs."""
        return any(process.pid == self.pid for process in self._session())

    def stop(self, grace: float) -> None:
        """Ask the program to stop; after *grace* seconds, kill what is left of its session."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self._session() and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in self._session():
            process.kill()

    def _session(self) -> list[psutil.Process]:
        """Return the living processes of this program's session, without zombies."""
        if psutil.pid_exists(self.pid) and psutil.Process(self.pid).create_time() != self.created:
            return []
        members = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.pid and process.status() != psutil.STATUS_ZOMBIE:
                    members.append(process)
            except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                continue
        return members


def start(name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> Program:
    """Start *command* in a session of its own; its output goes to the file *log*."""
    disk.check(log.parent)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as words:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    return Program(name, process.pid, psutil.Process(process.pid).create_time())


def run(
    name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, seconds: float
) -> None:
    """Run *command* to its end. If it is interrupted, stop everything that it started.

    Raises
    ------
    NotReadyError
        When it fails, or is not done in *seconds*; the message ends with the last lines of *log*.
    """
    program = start(name, command, env, cwd, log)
    try:
        code = _children[program.pid].wait(seconds)
    except subprocess.TimeoutExpired:
        raise NotReadyError(f"{name} was not done within {seconds:.0f} s; {_end_of(log)}") from None
    finally:
        program.stop(grace=2)
    if code:
        raise NotReadyError(f"{name} failed with exit code {code}; {_end_of(log)}")


def remember(programs: Sequence[Program], path: Path) -> None:
    """Write the list of *programs* to a file, so that another command can stop them."""
    path.write_text(json.dumps([asdict(program) for program in programs]))


def remembered(path: Path) -> list[Program]:
    """Return the programs that the file *path* lists, running or not."""
    return [Program(**fields) for fields in json.loads(path.read_text())] if path.exists() else []


def wait_until(ready: Callable[[], bool], program: Program, seconds: float, log: Path) -> None:
    """Call *ready* again and again until it returns true.

    Raises
    ------
    NotReadyError
        When *program* dies first or *seconds* pass; the message ends with the last lines of *log*.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        alive = program.is_alive()
        if not alive or time.monotonic() > deadline:
            why = f"was not ready within {seconds:.0f} s" if alive else "stopped while starting"
            raise NotReadyError(f"{program.name} {why}; {_end_of(log)}")
        time.sleep(0.05)


def port(variable: str) -> int:
    """Return the port that the environment *variable* names, or a free one.

    Raises
    ------
    NotReadyError
        When another program uses the named port.
    """
    named = arguments.whole(variable, 0, most=65535)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", named))
        except OSError as error:
            raise NotReadyError(f"{variable}={named} cannot be used: {error.strerror}") from error
        return int(probe.getsockname()[1])


def _end_of(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-20:]
    except OSError as error:
        lines = [f"its log cannot be read ({error.strerror})"]
    if full := disk.shortage(log.parent):
        return full
    return "\n".join((f"the end of {log}:", *lines))
