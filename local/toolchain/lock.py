"""Renews the lock files. They hold names, versions and hashes, and no address of an index."""

import os
import subprocess
import tempfile

from local import ROOT
from local.toolchain.setup import NODE_FOLDERS

LOCKS = (
    "dev",
    "runtime",
    "uv",
    "lambda-runtime",
    "checkov",
    "audit",
    "mutation",
    "contract",
    "karrio",
    "cookbook",
)
"""The locks, in this order. Later ones take the versions of `dev`, unless they have an own environment."""


def lock_python(name: str) -> None:
    """Resolve ``requirements/<name>.in`` for every platform, whatever this machine's own settings say."""
    command = [
        *("uv", "pip", "compile", "--quiet", "--no-config", "--universal", "--upgrade"),
        *("--python-version", "3.13", "--generate-hashes"),
        *("--no-header", "--no-emit-index-url", "--no-emit-find-links"),
        *(() if name in ("dev", "checkov") else ("--constraints", "dev.txt")),
        *(f"{name}.in", "--output-file", f"{name}.txt"),
    ]
    foreign = ("UV_", "PIP_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    subprocess.run(command, cwd=ROOT / "requirements", env=env, check=True)


def lock_node(folder: str) -> None:
    """Resolve ``<folder>/package.json``."""
    command = [
        "npm",
        "install",
        "--package-lock-only",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    with tempfile.NamedTemporaryFile(mode="w", suffix=".npmrc") as settings:
        settings.write("omit-lockfile-registry-resolved=true\n")
        settings.flush()
        env = {**os.environ, "NPM_CONFIG_USERCONFIG": settings.name}
        subprocess.run(command, cwd=ROOT / folder, env=env, check=True)


def main() -> None:
    """Renew every lock."""
    for name in LOCKS:
        print(f"requirements/{name}.txt", flush=True)
        lock_python(name)
    for folder in NODE_FOLDERS:
        print(f"{folder}/package-lock.json", flush=True)
        lock_node(folder)
