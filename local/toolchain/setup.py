"""Sets the checkout up. It needs only git, make and some Python.

Any Python from 3.8 on can run it, so it uses only the standard library and old syntax.
It finds the Python that Lambda runs, then makes

- ``.venv``: everything for development, Node included, from ``requirements/dev.txt``;
- ``.local/runtime``: AWS's Lambda runtime client alone, from ``requirements/lambda-runtime.txt``;
- ``node_modules`` in each folder of `NODE_FOLDERS`, from the ``package-lock.json`` beside it.

A stamp remembers what the last run installed. While that is up to date, a run does nothing.
"""

# `signal` itself would take a moment to be imported, in which a Ctrl-C ends with a traceback.
import _signal

if __name__ == "__main__":
    # While modules are imported there is nothing to undo: a Ctrl-C ends the process at once.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import errno
import fcntl
import glob
import hashlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional

PYTHON_VERSION = "3.13"
"""The Python of the Lambda runtime; the bundle is compiled with it."""

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
RUNTIME_VENV = ROOT / ".local" / "runtime"
COMMAND_FOLDER = ROOT / ".local" / "bin"
"""A folder with the command `parcelgate` and nothing else, for the user's PATH."""

NODE_FOLDERS = {
    "infra": "the CDK command line",
    "console": "the libraries of the pages",
    "tests/browser": "the browser of the tests",
}
"""The folders with a lock file of npm, and what is installed there."""

_INPUTS = (
    "local/toolchain/setup.py",
    "requirements/dev.txt",
    "requirements/lambda-runtime.txt",
    "requirements/uv.txt",
    *("%s/package-lock.json" % folder for folder in NODE_FOLDERS),
)
_OUTPUTS = (
    ".venv/bin/python",
    ".venv/bin/node",
    ".venv/bin/parcelgate",
    ".local/bin/parcelgate",
    ".local/runtime/bin/python",
    "infra/node_modules/.bin/cdk",
    "console/node_modules/htm",
    "tests/browser/node_modules/@sparticuz/chromium",
)
_COMMAND = """\
#!/bin/sh
# -P: modules come from the checkout, never from the folder in which the command is called.
exec "{python}" -P -c 'from local.command.cli import main; main()' "$@"
"""
_HELP = """\
Parcelgate needs Python {version} with its venv and ensurepip modules, and none was found.
Looked at, in this sequence:
{looked}
Install one, for example with one of these, and run the command again:
  pyenv install {version}
  uv python install {version}
  apt-get install python{version} python{version}-venv
  brew install python@{version}
"""


MEGABYTES_NEEDED = 2000
"""MB that set-up, a first stack and the tests need: packages, Node, the CDK, the bundle, a browser."""
_MEGABYTES_LEFT = 100
"""If fewer MB than this are free, the disk is the cause of a failure."""
_UNREACHABLE = re.compile(
    r"dns error|name resolution|could not resolve|getaddrinfo|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET"
    r"|ETIMEDOUT|ENETUNREACH|network is unreachable|connection refused|connect error|error sending request"
    r"|failed to fetch|NewConnectionError|timed out",
    re.IGNORECASE,
)


class SetupError(Exception):
    """Set-up cannot continue; the message says what to do."""


def python_candidates(env: Dict[str, str]) -> Iterator[str]:
    """Yield commands that may be a Python of the right version, the likeliest first.

    pyenv's versions are searched in its folder, since they need not be on the PATH.
    """
    yield "python" + PYTHON_VERSION
    yield sys.executable
    yield "python3"
    yield "python"
    for root in _pyenv_roots(env):
        pattern = os.path.join(root, "versions", PYTHON_VERSION + "*", "bin", "python" + PYTHON_VERSION)
        yield from sorted(glob.glob(pattern), key=_patch_number, reverse=True)
    path = _output(["uv", "python", "find", "--no-project", "--system", PYTHON_VERSION], env)
    if path:
        yield path


def _pyenv_roots(env: Dict[str, str]) -> List[str]:
    home = env.get("HOME", "")
    return [
        root for root in (env.get("PYENV_ROOT", ""), os.path.join(home, ".pyenv") if home else "") if root
    ]


def find_python(env: Dict[str, str]) -> str:
    """Return the path of a usable base interpreter of the right version.

    Raises
    ------
    SetupError
        When this machine has none.
    """
    probe = "import ensurepip, sys, venv;print('%d.%d' % sys.version_info[:2], sys.base_prefix, sep='|')"
    looked = []
    for candidate in python_candidates(env):
        version, _, prefix = (_output([candidate, "-I", "-c", probe], env) or "").partition("|")
        if version == PYTHON_VERSION:
            return os.path.join(prefix, "bin", "python" + PYTHON_VERSION)
        where = candidate if os.sep in candidate else shutil.which(candidate, path=env.get("PATH"))
        looked.append("  %s: %s" % (candidate, _found(where, candidate, version)))
    for root in _pyenv_roots(env):
        looked.append("  %s: no Python %s" % (os.path.join(root, "versions"), PYTHON_VERSION))
    looked.append("  what `uv python find %s` names, if uv is there" % PYTHON_VERSION)
    looked.append("  the PATH: %s" % env.get("PATH", ""))
    raise SetupError(_HELP.format(version=PYTHON_VERSION, looked="\n".join(looked)))


def _found(where: Optional[str], candidate: str, version: str) -> str:
    """Say in words why a candidate is not used."""
    if where is None:
        return "not on the PATH"
    place = "" if where == candidate else where + ", "
    return place + ("Python " + version if version else "does not run, or has no venv and ensurepip")


def fingerprint(root: Path) -> str:
    """Return one hash over everything on which the installed state of the checkout at *root* depends.

    The folder's path is part of it, because a virtual environment cannot be moved.
    """
    digest = hashlib.sha256(("%s\0%s" % (PYTHON_VERSION, root)).encode())
    for name in _INPUTS:
        digest.update(b"\0" + name.encode() + b"\0" + (root / name).read_bytes())
    return digest.hexdigest()


def is_current(root: Path) -> bool:
    """Return whether the checkout at *root* is set up as its lock files say."""
    stamp = root / ".local" / "setup.stamp"
    return (
        stamp.is_file()
        and stamp.read_text() == fingerprint(root)
        and all((root / name).exists() for name in _OUTPUTS)
    )


def set_up(env: Dict[str, str]) -> None:
    """Install everything, and show each step with its time."""
    stamp = ROOT / ".local" / "setup.stamp"
    if stamp.exists():
        stamp.unlink()
    started = time.monotonic()
    python = find_python(env)
    _say("Python: %s" % python)

    uv = VENV / "bin" / "uv"
    if not _is_venv_of(VENV, python) or not uv.exists():
        _say("making .venv")
        _run([python, "-m", "venv", "--clear", str(VENV)], env)
        _pip_install(VENV, "uv.txt", env)
    _say("installing the development packages (a few hundred MB the first time)")
    _uv_sync(uv, VENV, "dev.txt", env)

    _make_own_code_known()

    _say("making .local/runtime, the Lambda runtime of the local stack")
    if not _is_venv_of(RUNTIME_VENV, python):
        _run([str(uv), "venv", "--quiet", "--clear", "--python", python, str(RUNTIME_VENV)], env)
    # Functions write no bytecode: without this, each start of one would compile the runtime again.
    _uv_sync(uv, RUNTIME_VENV, "lambda-runtime.txt", env, "--compile-bytecode")

    path = str(VENV / "bin") + os.pathsep + env.get("PATH", "")
    npm = [
        str(VENV / "bin" / "npm"),
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    for folder, what in NODE_FOLDERS.items():
        _say("installing %s" % what)
        _run(npm, dict(env, PATH=path), cwd=ROOT / folder)

    stamp.write_text(fingerprint(ROOT))
    _say("done in %.0f s" % (time.monotonic() - started))
    _say("to have the command parcelgate in every folder, copy this line into your shell:")
    _say('  export PATH="%s:$PATH"' % COMMAND_FOLDER)


def main() -> int:
    """Set the checkout up unless it is up to date; return the exit code. A failure is explained in words."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _main()
    except SetupError as error:
        message = str(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = _no_room()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return 130
    sys.stderr.write("setup: %s\n" % message)
    return 1


def _only_words(given: List[str]) -> int:
    """Answer an argument, and set nothing up: none is taken but `--help`."""
    if given[0] in ("-h", "--help"):
        sys.stdout.write(__doc__ or "")
        return 0
    sys.stderr.write("setup takes no arguments, and was given: %s\n" % " ".join(given))
    return 2


def why_failed(command: List[str], code: int, said: str, megabytes_free: int) -> str:
    """Return why a command of the set-up failed: no room, no network, or only its exit code."""
    if megabytes_free < _MEGABYTES_LEFT or "os error 28" in said or "ENOSPC" in said:
        return _no_room()
    failed = "%s failed with exit code %d" % (" ".join(command), code)
    if _UNREACHABLE.search(said):
        return (
            "A package index cannot be reached. Set-up needs the network the first time: check it "
            "and the proxy (HTTPS_PROXY), then run the command again. (%s)" % failed
        )
    return failed


def _no_room() -> str:
    return "There is no room on the disk of %s: %d MB are free, and about %d MB are needed." % (
        ROOT,
        _megabytes_free(),
        MEGABYTES_NEEDED,
    )


def _megabytes_free() -> int:
    return shutil.disk_usage(str(ROOT)).free // 1000000


def _main() -> int:
    if is_current(ROOT):
        return 0
    (ROOT / ".local").mkdir(exist_ok=True)
    with open(str(ROOT / ".local" / "setup.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(ROOT):
            return 0
        set_up(trusting_this_machine(dict(os.environ)))
    return 0


def trusting_this_machine(env: Dict[str, str]) -> Dict[str, str]:
    """Return *env* with settings that make uv and npm trust the certificates of this machine.

    Their own lists lack the certificate of a company's proxy.
    """
    known = ssl.get_default_verify_paths()
    trust = {"UV_SYSTEM_CERTS": "true", "NODE_USE_SYSTEM_CA": "1"} if known.cafile or known.capath else {}
    return dict(trust, **env)


def _patch_number(path: str) -> List[int]:
    version = Path(path).parent.parent.name
    return [int(part) for part in version.split(".") if part.isdigit()]


def _is_venv_of(venv: Path, python: str) -> bool:
    link = venv / "bin" / "python"
    return link.exists() and os.path.samefile(str(link), python)


def _make_own_code_known() -> None:
    """Make the checkout's packages importable in ``.venv``, and add the command ``parcelgate``."""
    packages = VENV / "lib" / ("python" + PYTHON_VERSION) / "site-packages"
    (packages / "parcelgate.pth").write_text("%s\n%s\n" % (ROOT, ROOT / "shared"))
    command = VENV / "bin" / "parcelgate"
    command.write_text(_COMMAND.format(python=VENV / "bin" / "python"))
    command.chmod(0o755)
    COMMAND_FOLDER.mkdir(parents=True, exist_ok=True)
    link = COMMAND_FOLDER / "parcelgate"
    if link.exists() or link.is_symlink():
        link.unlink()
    link.symlink_to(command)


def _pip_install(venv: Path, lock: str, env: Dict[str, str]) -> None:
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / lock)], env)


def _uv_sync(uv: Path, venv: Path, lock: str, env: Dict[str, str], *options: str) -> None:
    sync = [str(uv), "pip", "sync", "--require-hashes", "--python", str(venv / "bin" / "python")]
    _run([*sync, *options, str(ROOT / "requirements" / lock)], env)


def _output(command: List[str], env: Dict[str, str]) -> Optional[str]:
    try:
        done = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode().strip() if done.returncode == 0 else None


def _run(command: List[str], env: Dict[str, str], cwd: Path = ROOT) -> None:
    """Run *command* and show its output, without uv's line for each package."""
    process = subprocess.Popen(
        command,
        cwd=str(cwd),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
    )
    said = []
    try:
        for raw in process.stdout or ():
            line = raw.rstrip()
            said.append(line)
            if line and not line.startswith((" + ", " - ", " ~ ")):
                _say("  " + line)
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code:
        raise SetupError(why_failed(command, code, "\n".join(said), _megabytes_free()))


def _say(line: str) -> None:
    sys.stderr.write("setup: %s\n" % line)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(_only_words(sys.argv[1:]) if sys.argv[1:] else main())
