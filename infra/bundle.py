"""Builds what Lambda runs: one layer of libraries and `parcelgate`, and one small zip for each function.

No container is needed: every library is a wheel, and bytecode is compiled by this Python, which is the
runtime's own version. CDK gives every file the date 1980, so bytecode that is checked against dates would
be compiled again at each cold start; ours is never checked (`unchecked-hash`).

There are two targets. `aws` holds wheels for Linux on arm64. `local` holds this machine's, and starts each
function through a `bootstrap` of its own, because the emulator does not unpack layers for custom runtimes.

Libraries, layer and functions each live in a folder named by the hash of everything they are made from, so
an unchanged checkout has nothing to do, and a running local stack keeps its files while the next is built.
"""

import argparse
import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from infra.pages import SOURCES, build_pages

type Target = Literal["aws", "local"]

ROOT = Path(__file__).resolve().parent.parent
PYTHON_VERSION = (3, 13)

_AWS_PLATFORM = "aarch64-manylinux2014"
_KEPT = 12
_PAGES = "serve_pages"
"""The function whose zip holds the pages."""
_NAME = 16
_EPOCH = (1980, 1, 1, 0, 0, 0)

_AWS_SERVICES = frozenset(
    {
        "codedeploy",
        "dynamodb",
        "events",
        "kms",
        "lambda",
        "s3",
        "secretsmanager",
        "sqs",
        "stepfunctions",
        "sts",
    }
)
_ENDPOINTS = (_AWS_SERVICES - {"stepfunctions"}) | {"states"}
"""The same services as AWS's list of endpoints calls them."""
_DROPPED_PACKAGES = frozenset({"anyio", "cffi", "pycparser"})
"""What httpx needs for asynchronous calls alone, and what builds a binding: cryptography uses the one that
was built, `_cffi_backend`."""
_DROPPED_PARTS = frozenset(
    {
        # Of all that Powertools brings, logs, metrics and batches of messages are used (and, where pydantic
        # is loaded, the parser, by the batches).
        ("aws_lambda_powertools", "event_handler"),
        *(
            ("aws_lambda_powertools", "utilities", name)
            for name in (
                "auth_alpha",
                "circuit_breaker",
                "data_masking",
                "feature_flags",
                "idempotency",
                "kafka",
                "metadata",
                "parameters",
                "streaming",
                "validation",
            )
        ),
        # The same certificates come with certifi, which botocore prefers.
        ("botocore", "cacert.pem"),
        # `tzdata` holds the time zones.
        ("dateutil", "zoneinfo"),
        # For models in the manner of pydantic 1, which nobody here has.
        ("pydantic", "v1"),
        # For Python in a browser.
        ("urllib3", "contrib", "emscripten"),
    }
)
"""What no function of ours ever loads. A test loads all that is left of the code that is ours."""
_REPLACED = {
    # Plugins are switched off in every function. What looks for them loads all that reads the metadata of
    # libraries, with e-mail and zip.
    ("pydantic", "plugin", "_loader.py"): "def get_plugins():\n    return ()\n",
    # HTTP/2 is switched on by nobody, and asks for the version of a library.
    ("urllib3", "http2", "__init__.py"): "",
    # Nobody asks a client for its documentation, which is otherwise made ready for each of its methods.
    ("botocore", "docs", "__init__.py"): "",
    ("botocore", "docs", "docstring.py"): (
        "class ClientMethodDocstring(str):\n"
        "    def __new__(cls, *_, **__):\n"
        "        return super().__new__(cls)\n\n"
        "PaginatorDocstring = WaiterDocstring = ClientMethodDocstring\n"
    ),
}
"""Modules that cost much at the start of a function and do nothing there."""
_LATIN_BLOCKS = frozenset({"000", "001", "002", "01d", "01e", "02c", "0a7", "0ab"})
"""Of anyascii's letters, by the first digits of their number: carriers are given no other scripts."""
_DROPPED_FOLDERS = frozenset({"__pycache__", "bin", "examples", "tests"})
_DROPPED_SUFFIXES = (".pyi", ".pyx", ".pxd", ".c", ".h", "examples-1.json.gz")
_DROPPED_METADATA = frozenset(
    {"INSTALLER", "RECORD", "REQUESTED", "WHEEL", "entry_points.txt", "sboms", "top_level.txt"}
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

    `home` is where all builds of this target are; the hashes name what is in them.
    """

    target: Target
    home: Path
    layer_hash: str
    function_hashes: dict[str, str]

    @property
    def layer(self) -> Path:
        """The folder with the libraries and `parcelgate`, which goes on the functions' module path."""
        return self.layer_folder / "python"

    @property
    def layer_zip(self) -> Path:
        """The layer as AWS takes it; only the `aws` target has it."""
        return self.layer_folder / "layer.zip"

    @property
    def layer_folder(self) -> Path:
        """Where the layer is built."""
        return self.home / f"layer-{self.layer_hash[:_NAME]}"

    @property
    def functions_folder(self) -> Path:
        """Where the functions are built."""
        everything = _digest(*(f"{name}={value}" for name, value in self.function_hashes.items()))
        return self.home / f"functions-{everything[:_NAME]}"

    def function(self, name: str) -> Path:
        """The folder that becomes `/var/task` of the function `name`."""
        return self.functions_folder / name

    def function_zip(self, name: str) -> Path:
        """That folder as Lambda takes it."""
        return self.functions_folder / f"{name}.zip"

    @property
    def zipped_bytes(self) -> int:
        """What is uploaded, all told."""
        zips = [self.function_zip(name) for name in self.function_hashes]
        return sum(path.stat().st_size for path in [self.layer_zip, *zips] if path.exists())


def build(target: Target, *, root: Path = ROOT) -> Bundle:
    """Return the bundle of the checkout at `root` for `target`, building what of it is not there.

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
    home.mkdir(parents=True, exist_ok=True)
    libraries = home / f"libraries-{_libraries_key(target, root)[:_NAME]}"
    bundle = _plan(target, root, home)
    steps: tuple[tuple[Path, Callable[[Path], None]], ...] = (
        (libraries, lambda folder: _make_libraries(bundle, folder, root)),
        (bundle.layer_folder, lambda folder: _make_layer(bundle, folder, libraries, root)),
        (bundle.functions_folder, lambda folder: _make_functions(bundle, folder, root)),
    )
    with _lock(home / "lock"):
        for folder, make in steps:
            if not folder.is_dir():
                with _finished(folder) as work:
                    make(work)
            os.utime(folder)
        _prune(home)
    return bundle


def _plan(target: Target, root: Path, home: Path) -> Bundle:
    libraries = _libraries_key(target, root)
    # A local layer is used where it lies, and its bytecode says so.
    place = str(home.resolve()) if target == "local" else ""
    layer_hash = _digest(
        libraries, place, *_contents(root / "shared" / "parcelgate"), *_contents(root / "events")
    )
    # A local function starts from a path that holds the layer's hash, so it changes with the layer.
    base = (libraries, layer_hash if target == "local" else "")
    folders = sorted(path.parent for path in (root / "functions").glob("*/handler.py"))
    hashes = {path.name: _digest(*base, *_contents(path)) for path in folders}
    if _PAGES in hashes:
        hashes[_PAGES] = _digest(hashes[_PAGES], *_page_sources(root))
    return Bundle(target, home, layer_hash, hashes)


def _page_sources(root: Path) -> list[bytes]:
    """All that pages are made from and by; of the installed libraries the lock files stand for all."""
    makers = (root / "infra" / "guides.py", root / "infra" / "pages.py", root / "requirements" / "dev.txt")
    sources = (*_contents(root / SOURCES, but="node_modules"), *_contents(root / "docs"))
    return [*(path.read_bytes() for path in makers if path.exists()), *sources]


def _libraries_key(target: Target, root: Path) -> str:
    lock = (root / "requirements" / "runtime.txt").read_bytes()
    machine = _AWS_PLATFORM if target == "aws" else f"{sys.platform}-{platform.machine()}"
    return _digest(target, machine, _dotted(sys.version_info[:3]), lock, Path(__file__).read_bytes())


def _make_libraries(bundle: Bundle, folder: Path, root: Path) -> None:
    """Install the libraries, and keep their modules' bytecode alone: the sources are 2 MB of the zip."""
    _install(bundle.target, folder, root)
    # Bytecode is loaded without its source only from the source's own place (`-b`).
    _compile(folder, _runtime_path(bundle), "-b")
    for source in folder.rglob("*.py"):
        source.unlink()


def _make_layer(bundle: Bundle, folder: Path, libraries: Path, root: Path) -> None:
    layer = folder / "python"
    shutil.copytree(libraries, layer, copy_function=os.link)
    package = layer / "parcelgate"
    _copy(root / "shared" / "parcelgate", package)
    _write_openapi(package, root)
    _compile(package, f"{_runtime_path(bundle)}/parcelgate")
    if bundle.target == "aws":
        _zip(layer, folder / "layer.zip", under="python/")


def _make_functions(bundle: Bundle, folder: Path, root: Path) -> None:
    staged = folder / "staged"
    for name in bundle.function_hashes:
        _copy(root / "functions" / name, staged / "functions" / name)
    _compile(staged, "/var/task")
    for name in bundle.function_hashes:
        task = folder / name
        (task / "functions").mkdir(parents=True)
        (staged / "functions" / name).rename(task / "functions" / name)
        if name == _PAGES:
            build_pages(task / "functions" / name / "pages", root)
        if bundle.target == "local":
            python = root / ".local" / "runtime" / "bin" / "python"
            bootstrap = task / "bootstrap"
            bootstrap.write_text(_BOOTSTRAP.format(layer=bundle.layer, python=python))
            bootstrap.chmod(0o755)
        _zip(task, folder / f"{name}.zip")
    shutil.rmtree(staged)


def _runtime_path(bundle: Bundle) -> str:
    return "/opt/python" if bundle.target == "aws" else str(bundle.layer)


def _install(target: Target, folder: Path, root: Path) -> None:
    """Put the locked libraries into `folder`, less what no function of ours ever reads."""
    uv = Path(sys.prefix) / "bin" / "uv"
    command = [str(uv) if uv.exists() else "uv", "pip", "install", "--quiet", "--target", str(folder)]
    command += ["--python", sys.executable, "--python-version", _dotted(PYTHON_VERSION)]
    command += ["--link-mode", "copy", "--only-binary", ":all:", "--require-hashes"]
    if target == "aws":
        command += ["--python-platform", _AWS_PLATFORM]
    command += ["-r", str(root / "requirements" / "runtime.txt")]
    # Trust what this machine trusts, as the set-up does: a company's proxy has a certificate of its own.
    known = ssl.get_default_verify_paths()
    _run(command, **({"UV_SYSTEM_CERTS": "true"} if known.cafile or known.capath else {}))
    for path in sorted(folder.rglob("*"), reverse=True):
        if _is_unused(path.relative_to(folder)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for parts, text in _REPLACED.items():
        path = folder.joinpath(*parts)
        if path.parent.is_dir():
            # Raises when the library has it no more.
            path.unlink()
            path.write_text(text)
    if (folder / "botocore").is_dir():
        _slim(folder / "botocore" / "data")


def _slim(data: Path) -> None:
    """Leave out of what an AWS client reads at its start what is for people, and services nobody calls.

    It reads text faster than compressed text.
    """
    endpoints = data / "endpoints.json"
    known = json.loads(endpoints.read_bytes())
    for partition in known["partitions"]:
        services = partition["services"].items()
        partition["services"] = {name: each for name, each in services if name in _ENDPOINTS}
    endpoints.write_text(_compact(known))
    for path in data.rglob("*.json.gz"):
        content = json.loads(gzip.decompress(path.read_bytes()))
        path.with_suffix("").write_text(_compact(_undocumented(content)))
        path.unlink()


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _undocumented(value: Any) -> Any:
    """A model with empty words. A thing that is called `documentation` is an object, and stays."""
    if isinstance(value, list):
        return [_undocumented(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "" if name == "documentation" and isinstance(each, str) else _undocumented(each)
        for name, each in value.items()
    }


def _is_unused(path: Path) -> bool:
    parts = path.parts
    if parts[:2] == ("botocore", "data") and len(parts) == 3 and not path.suffix:
        return path.name not in _AWS_SERVICES
    if parts[:2] == ("anyascii", "_data") and len(parts) == 3:
        return path.name not in _LATIN_BLOCKS
    if parts[0] in _DROPPED_PACKAGES or parts in _DROPPED_PARTS:
        return True
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


def _compile(folder: Path, runtime_path: str, *options: str) -> None:
    """Compile everything under `folder`, with `runtime_path` as the folder's name in tracebacks."""
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    _run([*command, *options, "-s", str(folder), "-p", runtime_path, str(folder)], PYTHONHASHSEED="0")


def _zip(folder: Path, target: Path, *, under: str = "") -> None:
    """Zip `folder` so that the same files always make the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(under + path.relative_to(folder).as_posix(), _EPOCH)
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


def _prune(home: Path) -> None:
    """Keep the latest of each kind: a local stack that still runs may be using one of them."""
    for kind in ("libraries-*", "layer-*", "functions-*"):
        folders = sorted(home.glob(kind), key=lambda path: path.stat().st_mtime, reverse=True)
        for folder in folders[_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)


def _contents(folder: Path, *, but: str = "__pycache__") -> list[bytes]:
    """Name and content of every file under `folder`, wherever that lies, save in folders named `but`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and but not in path.parts)
    return [part for path in files for part in (str(path.relative_to(folder)).encode(), path.read_bytes())]


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
    print(f"{bundle.layer.relative_to(ROOT)}  {bundle.zipped_bytes / 1e6:.2f} MB zipped  {took:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
