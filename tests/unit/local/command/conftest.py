"""The command line over a whole Parcelgate in this process."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from aws_lambda_powertools.metrics import base
from aws_lambda_powertools.metrics.provider.cloudwatch_emf import cloudwatch
from typer.testing import CliRunner, Result

from local.command import access, deployment
from local.command.cli import app
from tests.support.served import ServedWorld, served_world

__all__ = ["served_world"]

# The whole tree of commands is built for each call.
typer.testing._get_command = cache(typer.testing._get_command)  # type: ignore[attr-defined]

type Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _nobodys_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has neither profiles nor a stack, and a command that does not really wait."""
    for name in ("PARCELGATE_KEY", "PARCELGATE_URL", "PARCELGATE_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARCELGATE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(deployment, "LOCAL_STACK", tmp_path / "none" / "stack.json")
    monkeypatch.setattr(access, "sleep", lambda seconds: None)
    # The functions are in the same process; their metrics are no output of the command.
    for module in (cloudwatch, base):
        monkeypatch.setattr(module, "print", lambda *words, **how: None, raising=False)


@pytest.fixture
def run(served_world: ServedWorld) -> Iterator[Run]:
    """Runs a command as somebody with a key for everything."""
    key = served_world.key()

    def run(*words: str, **more: Any) -> Result:
        command = [*words, "--url", served_world.url, "--key", key]
        return CliRunner().invoke(app, command, **more)

    return run
