"""Builds what Lambda runs: one layer of libraries and `parcelgate`, and one small zip for each function.

No container is needed: every library is a wheel, and bytecode is compiled by this Python, which is the
runtime's own version. CDK gives every file the date 1980, so bytecode that is checked against dates would
be compiled again at each cold start; ours is never checked (`unchecked-hash`).

There are two targets. `aws` holds wheels for Linux on arm64. `local` holds this machine's, and starts each
function through a `bootstrap` of its own, because the emulator does not unpack layers for custom runtimes.

Each build lives in a folder named by the hash of everything that it is made from, so an unchanged checkout
has nothing to do, and a running local stack keeps its files while the next one is built.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

type Target = Literal["aws", "local"]

ROOT = Path(__file__).resolve().parent.parent
PYTHON_VERSION = (3, 13)

_AWS_PLATFORM = "aarch64-manylinux2014"
_BUILDS_KEPT = 12
_EPOCH = (1980, 1, 1, 0, 0, 0)

_AWS_SERVICES = frozenset(
    {"dynamodb", "events", "kms", "s3", "secretsmanager", "sqs", "stepfunctions", "sts"}
)
_DROPPED_FOLDERS = frozenset({"__pycache__", "bin", "examples", "tests"})
_DROPPED_SUFFIXES = (".pyi", ".pyx", ".pxd", ".c", ".h", "examples-1.json.gz")
_DROPPED_METADATA = frozenset(
    {"INSTALLER", "RECORD", "REQUESTED", "WHEEL", "entry_points.txt", "top_level.txt"}
)

_BOOTSTRAP = """\
#!/bin/sh
export PYTHONPATH="{layer}:$LAMBDA_TASK_ROOT"
export PYTHONDONTWRITEBYTECODE=1
exec "{python}" -m awslambdaric "$_HANDLER"
"""


class BundleError(Exception):
    """The bundle cannot be built here; the message says why."""


@dataclass(frozen=True)
class Bundle:
    """One finished build.

    `layer` is the folder that goes before everything on the function's module path. `layer_zip` is that
    folder as a Lambda layer, under `python/`; only the `aws` target has it.
    """

    target: Target
    folder: Path
    layer_hash: str
    function_hashes: dict[str, str]

    @property
    def layer(self) -> Path:
        """The folder with the libraries and `parcelgate`."""
        return self.folder / "layer" / "python"

    @property
    def layer_zip(self) -> Path:
        """The layer as AWS takes it."""
        return self.folder / "layer.zip"

    @property
    def function_names(self) -> tuple[str, ...]:
        """Every function that has a folder in `functions/`, in alphabetical order."""
        return tuple(sorted(self.function_hashes))

    def function(self, name: str) -> Path:
        """The folder that becomes `/var/task` of the function `name`."""
        return self.folder / "functions" / name

    def function_zip(self, name: str) -> Path:
        """That folder as Lambda takes it."""
        return self.folder / "functions" / f"{name}.zip"

    @property
    def zipped_bytes(self) -> int:
        """What is uploaded, all told."""
        return sum(path.stat().st_size for path in sorted(self.folder.rglob("*.zip")))


def build(target: Target, *, root: Path = ROOT) -> Bundle:
    """Return the bundle of the checkout at `root` for `target`, building it unless it is there.

    Raises
    ------
    BundleError
        When this Python is not the runtime's, or a step of the build fails.
    """
    if sys.version_info[:2] != PYTHON_VERSION:
        raise BundleError(
            f"bytecode must be compiled by Python {_dotted(PYTHON_VERSION)}, this is {sys.version}"
        )
    home = root / ".local" / "build" / target
    bundle = _plan(target, root, home)
    if bundle.folder.is_dir():
        os.utime(bundle.folder)
        return bundle
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home / "lock"):
        if not bundle.folder.is_dir():
            _make(bundle, root, home)
            _prune(home, keep=bundle.folder)
    return bundle


def _plan(target: Target, root: Path, home: Path) -> Bundle:
    layer_hash = _digest(
        _libraries_key(target, root), *_contents(root / "shared" / "parcelgate"), str(home.resolve())
    )
    functions = root / "functions"
    names = sorted(path.parent.name for path in functions.glob("*/handler.py"))
    # A local function starts from a path that holds the layer's hash, so it changes with the layer.
    base: tuple[str | bytes, ...] = (
        target,
        layer_hash if target == "local" else "",
        *_contents_of(functions.glob("*.py")),
    )
    hashes = {name: _digest(*base, *_contents(functions / name)) for name in names}
    key = _digest(layer_hash, *(f"{name}={value}" for name, value in hashes.items()))
    return Bundle(target, home / key[:16], layer_hash, hashes)


def _libraries_key(target: Target, root: Path) -> str:
    lock = (root / "requirements" / "runtime.txt").read_bytes()
    machine = _AWS_PLATFORM if target == "aws" else f"{sys.platform}-{platform.machine()}"
    return _digest(target, machine, _dotted(sys.version_info[:3]), lock, Path(__file__).read_bytes())


def _make(bundle: Bundle, root: Path, home: Path) -> None:
    libraries = home / f"libraries-{_libraries_key(bundle.target, root)[:16]}"
    if not libraries.is_dir():
        with _finished(libraries) as work:
            _install(bundle.target, work, root)
            _compile(work, "/opt/python" if bundle.target == "aws" else str(bundle.layer))
    with _finished(bundle.folder) as work:
        layer = work / "layer" / "python"
        shutil.copytree(libraries, layer, copy_function=os.link)
        package = layer / "parcelgate"
        _copy(root / "shared" / "parcelgate", package)
        _write_openapi(package, root)
        _compile(
            package, "/opt/python/parcelgate" if bundle.target == "aws" else str(bundle.layer / "parcelgate")
        )
        if bundle.target == "aws":
            _zip(work / "layer", work / "layer.zip")
        for name in bundle.function_names:
            _make_function(bundle, name, work / "functions" / name, root)
            _zip(work / "functions" / name, work / "functions" / f"{name}.zip")


def _make_function(bundle: Bundle, name: str, folder: Path, root: Path) -> None:
    _copy(root / "functions" / name, folder / "functions" / name)
    for module in sorted((root / "functions").glob("*.py")):
        shutil.copy(module, folder / "functions")
    _compile(folder, "/var/task" if bundle.target == "aws" else str(bundle.function(name)))
    if bundle.target == "local":
        python = root / ".local" / "runtime" / "bin" / "python"
        bootstrap = folder / "bootstrap"
        bootstrap.write_text(_BOOTSTRAP.format(layer=bundle.layer, python=python))
        bootstrap.chmod(0o755)


def _install(target: Target, folder: Path, root: Path) -> None:
    """Put the locked libraries into `folder`, less what no function of ours ever reads."""
    uv = Path(sys.prefix) / "bin" / "uv"
    command = [str(uv) if uv.exists() else "uv", "pip", "install", "--quiet", "--target", str(folder)]
    command += ["--python", sys.executable, "--python-version", _dotted(PYTHON_VERSION)]
    command += ["--link-mode", "copy", "--only-binary", ":all:", "--require-hashes"]
    if target == "aws":
        command += ["--python-platform", _AWS_PLATFORM]
    command += ["-r", str(root / "requirements" / "runtime.txt")]
    _run(command)
    for path in sorted(folder.rglob("*"), reverse=True):
        if _is_unused(path.relative_to(folder)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_unused(path: Path) -> bool:
    parts = path.parts
    if parts[:2] in {("botocore", "data"), ("boto3", "data")} and len(parts) == 3 and not path.suffix:
        return path.name not in _AWS_SERVICES
    if len(parts) == 2 and parts[0].endswith(".dist-info"):
        return path.name in _DROPPED_METADATA
    if path.name in _DROPPED_FOLDERS and not path.suffix:
        return True
    return path.name.endswith(_DROPPED_SUFFIXES) or parts == (".lock",)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))


def _write_openapi(package: Path, root: Path) -> None:
    """Let `parcelgate.http.openapi` write its document beside itself, so that serving it costs nothing."""
    if not (package / "http" / "openapi.py").exists():
        return
    _run(
        [sys.executable, "-m", "parcelgate.http.openapi", str(package / "http" / "openapi.json")],
        PYTHONPATH=str(root / "shared"),
        PYTHONDONTWRITEBYTECODE="1",
    )


def _compile(folder: Path, runtime_path: str) -> None:
    """Compile everything under `folder`, with `runtime_path` as the folder's name in tracebacks.

    The sources stay: they make tracebacks readable and cost 2 MB of the zip.
    """
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    _run([*command, "-s", str(folder), "-p", runtime_path, str(folder)], PYTHONHASHSEED="0")


def _zip(folder: Path, target: Path) -> None:
    """Zip `folder` so that the same files always make the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
                entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())


@contextlib.contextmanager
def _finished(folder: Path) -> Iterator[Path]:
    """A folder to work in, which becomes `folder` when the work is done and leaves nothing when it fails."""
    work = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _prune(home: Path, *, keep: Path) -> None:
    builds = [path for path in home.iterdir() if path.is_dir() and path != keep]
    builds.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    finished = [path for path in builds if not path.name.startswith("libraries-")]
    libraries = [path for path in builds if path.name.startswith("libraries-")]
    for path in finished[_BUILDS_KEPT - 1 :] + libraries[_BUILDS_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def _contents(folder: Path) -> list[bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return _contents_of(path for path in files if "__pycache__" not in path.parts)


def _contents_of(files: Iterator[Path]) -> list[bytes]:
    return [part for path in sorted(files) for part in (str(path).encode(), path.read_bytes())]


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8) + data)
    return digest.hexdigest()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _run(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BundleError(f"{' '.join(command[:6])} ... failed:\n{done.stdout}{done.stderr}")


def main() -> int:
    """Build one target and say where it is and how large it is."""
    parser = argparse.ArgumentParser(prog="python -m infra.bundle", description="Build the Lambda bundle.")
    parser.add_argument("--target", choices=("aws", "local"), required=True)
    started = time.monotonic()
    try:
        bundle = build(parser.parse_args().target)
    except BundleError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    took = time.monotonic() - started
    print(f"{bundle.folder.relative_to(ROOT)}  {bundle.zipped_bytes / 1e6:.2f} MB zipped  {took:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
