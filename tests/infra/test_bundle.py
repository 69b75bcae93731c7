"""The bundle: small, compiled so that it is never compiled again, and nobody loads what he does not need."""

import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from infra.bundle import ROOT, Bundle, build

MEGABYTE = 1_000_000
AARCH64 = 183
UNCHECKED_HASH = 0b01
"""The flags of bytecode that is trusted without a look at its source."""
MUCH_LATER = 2_000_000_000
"""A date that no source has, in seconds since the epoch."""

HEAVY = (
    "aws_lambda_powertools.event_handler",
    "boto3",
    "cryptography",
    "httpx",
    "png",
    "pydantic",
    "pypdf",
)
MAY_LOAD = {
    name: {"pydantic"}
    for name in (
        "ask_aggregator",
        "change_order",
        "change_trackings",
        "close_manifest",
        "create_order",
        "erase_order",
        "follow_parcels",
        "manage_endpoints",
        "manage_settings",
        "operate",
        "quote_rates",
        "validate_address",
        "work_batch",
    )
} | {"print_labels": {"cryptography", "pypdf"}}
"""Only these check a body of many fields, and one puts labels into a PDF; pypdf loads cryptography by itself.

Carriers, and httpx with them, are loaded when one is called.
"""
METADATA = "importlib.metadata"
"""What a library that asks for its own version loads, with e-mail and zip: a quarter of a start."""
BATCHES = "aws_lambda_powertools.utilities.batch"
"""What works off messages, and loads asyncio."""
READ_ALONE = ("get_label", "read_events", "read_orders", "read_trackings")
"""These have nothing to do with keys of idempotency, and take no address apart before they show one."""
ORDER_BODIES = ("follow_parcels", "operate", "quote_rates", "validate_address")
"""These check a body of an order or a part of it, and neither send an order nor take a step of its flow."""
LIGHT = ("authorize",)
"""Called before everything else: not even Powertools."""

SERVICES = (
    "codedeploy",
    "dynamodb",
    "events",
    "kms",
    "lambda",
    "s3",
    "secretsmanager",
    "sqs",
    "stepfunctions",
)
LEFT_OUT = ("anyio", "boto3", "s3transfer", "pydantic.v1", "aws_lambda_powertools.utilities.parameters")

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))


def test_all_that_is_uploaded_is_at_most_16_megabytes(aws_bundle: Bundle) -> None:
    assert 1 * MEGABYTE < aws_bundle.zipped_bytes <= 16 * MEGABYTE


def test_what_is_left_out_is_missed_by_nobody(local_bundle: Bundle) -> None:
    """All of our code, also what is imported when it is used, and what it makes of its libraries."""
    code = f"""
import importlib, pkgutil, sys
sys.path.insert(0, {str(local_bundle.layer)!r})
import parcelgate
for module in pkgutil.walk_packages(parcelgate.__path__, "parcelgate."):
    importlib.import_module(module.name)
from parcelgate.aws_clients import client
for service in {SERVICES}:
    client(service)
client("s3").generate_presigned_url("get_object", Params={{"Bucket": "labels", "Key": "a"}})
import httpx, pydantic
httpx.Client(timeout=1).close()
pydantic.TypeAdapter(list[dict[str, int]]).json_schema()
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
BatchProcessor(event_type=EventType.SQS)
from zoneinfo import ZoneInfo
ZoneInfo("Europe/Zurich")
for name in {LEFT_OUT}:
    assert name not in sys.modules and importlib.util.find_spec(name) is None, name
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_bytecode_is_never_checked_against_dates(aws_bundle: Bundle, local_bundle: Bundle) -> None:
    for bundle in (aws_bundle, local_bundle):
        ours = (bundle.layer / "parcelgate", *(bundle.function(name) for name in FUNCTIONS))
        compiled = [path for folder in ours for path in folder.rglob("*.pyc")]
        sources = [path for folder in ours for path in folder.rglob("*.py")]
        assert len(compiled) == len(sources) > 200
        libraries = [path for path in bundle.layer.rglob("*.pyc") if path not in compiled]
        assert len(libraries) > 300
        for path in compiled + libraries:
            head = path.read_bytes()[:8]
            assert head[:4] == MAGIC_NUMBER
            assert int.from_bytes(head[4:], "little") == UNCHECKED_HASH


def test_no_module_is_compiled_whatever_the_dates_of_the_sources(
    local_bundle: Bundle, unpacked: Path
) -> None:
    """Lambda gives all files a date of its own, and nothing can be written there."""
    before = sorted(unpacked.rglob("*"))
    handlers = [f"functions.{name}.handler" for name in FUNCTIONS]
    assert compiled_for(handlers, "parcelgate", folders=[unpacked, local_bundle.layer]) == set()
    assert sorted(unpacked.rglob("*")) == before


def test_bytecode_that_looks_at_dates_would_be_compiled_again(local_bundle: Bundle, unpacked: Path) -> None:
    """The test above would notice."""
    source = unpacked / "parcelgate" / "domain" / "clock.py"
    bytecode = Path(cache_from_source(str(source)))
    bytecode.chmod(0o644)
    py_compile.compile(str(source), str(bytecode), invalidation_mode=PycInvalidationMode.TIMESTAMP)
    os.utime(source, (MUCH_LATER, MUCH_LATER + 1))
    modules = ["parcelgate.domain.ids", "parcelgate.domain.clock"]
    assert compiled_for(modules, folders=[unpacked, local_bundle.layer]) == {str(source)}


def test_of_libraries_there_is_the_bytecode_alone(aws_bundle: Bundle) -> None:
    sources = {path.relative_to(aws_bundle.layer).parts[0] for path in aws_bundle.layer.rglob("*.py")}
    assert sources == {"parcelgate"}


def test_nothing_of_this_machine_is_in_what_is_uploaded(aws_bundle: Bundle) -> None:
    for folder in (aws_bundle.layer / "parcelgate", aws_bundle.functions_folder):
        for path in folder.rglob("*.pyc"):
            assert os.fsencode(ROOT) not in path.read_bytes()


def test_libraries_for_aws_are_built_for_its_processors(aws_bundle: Bundle) -> None:
    libraries = list(aws_bundle.layer.rglob("*.so"))
    assert libraries
    assert {machine_of(path) for path in libraries} == {AARCH64}


def test_only_the_services_that_are_used_come_along(aws_bundle: Bundle) -> None:
    data = aws_bundle.layer / "botocore" / "data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == {*SERVICES, "sts"}
    assert {"endpoints.json", "partitions.json", "sdk-default-configuration.json"} <= {
        path.name for path in data.iterdir()
    }
    assert not list(aws_bundle.layer.rglob("*.pyi"))


def test_an_aws_client_reads_no_words_and_no_endpoints_of_others_at_its_start(aws_bundle: Bundle) -> None:
    """Before, half of the time in which a client was made went into reading these."""
    data = aws_bundle.layer / "botocore" / "data"
    assert not list(data.rglob("*.gz"))
    for model in data.rglob("service-2.json"):
        assert set(re.findall(rb'"documentation":"(.)', model.read_bytes())) == {b'"'}, model
    partitions = json.loads((data / "endpoints.json").read_bytes())["partitions"]
    (known,) = [each for each in partitions if each["partition"] == "aws"]
    assert set(known["services"]) == {*SERVICES, "states", "sts"} - {"stepfunctions"}
    assert "eu-central-1" in known["regions"]


def test_the_api_describes_itself_from_the_bundle(aws_bundle: Bundle) -> None:
    document = json.loads((aws_bundle.layer / "parcelgate" / "http" / "openapi.json").read_bytes())
    assert document["openapi"].startswith("3.1")


def test_a_zip_holds_what_the_function_is_called_by(aws_bundle: Bundle, local_bundle: Bundle) -> None:
    with zipfile.ZipFile(aws_bundle.layer_zip) as layer:
        assert "python/parcelgate/__init__.py" in layer.namelist()
        assert {entry.date_time for entry in layer.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    for name in FUNCTIONS:
        with zipfile.ZipFile(aws_bundle.function_zip(name)) as function:
            assert f"functions/{name}/handler.py" in function.namelist()
            assert "bootstrap" not in function.namelist()
        with zipfile.ZipFile(local_bundle.function_zip(name)) as function:
            assert function.getinfo("bootstrap").external_attr >> 16 == 0o755


def test_a_second_build_has_nothing_to_do(aws_bundle: Bundle) -> None:
    def stamps() -> dict[Path, tuple[int, int]]:
        folders = (aws_bundle.layer_folder, aws_bundle.functions_folder)
        # Of the folders themselves the date alone is renewed, which keeps them from being tidied away.
        paths = (path for folder in folders for path in folder.rglob("*"))
        return {path: (found.st_ino, found.st_mtime_ns) for path in paths if (found := path.stat())}

    before = stamps()
    assert build("aws") == aws_bundle
    assert stamps() == before


def test_the_same_checkout_makes_the_same_bytes_anywhere(tmp_path: Path) -> None:
    bundles = []
    for name in ("one", "two"):
        root = tmp_path / name
        write(root / "requirements" / "runtime.txt", "")
        write(root / "shared" / "parcelgate" / "__init__.py", 'WORDS = frozenset({"a", "b", "c"})\n')
        write(root / "functions" / "greet" / "handler.py", "def handler(event, context):\n    return {}\n")
        bundles.append(build("aws", root=root))
    one, two = bundles
    assert (one.layer_hash, one.function_hashes) == (two.layer_hash, two.function_hashes)
    assert one.layer_zip.read_bytes() == two.layer_zip.read_bytes()
    assert one.function_zip("greet").read_bytes() == two.function_zip("greet").read_bytes()


def test_another_line_makes_another_bundle(tmp_path: Path) -> None:
    write(tmp_path / "requirements" / "runtime.txt", "")
    write(tmp_path / "shared" / "parcelgate" / "__init__.py", "")
    write(tmp_path / "functions" / "greet" / "handler.py", "def handler(event, context): ...\n")
    before = build("local", root=tmp_path)
    write(tmp_path / "shared" / "parcelgate" / "__init__.py", "CHANGED = True\n")
    after = build("local", root=tmp_path)
    assert before.layer != after.layer
    # The emulator keeps a worker as long as its function's zip stays the same.
    assert str(after.layer) in (after.function("greet") / "bootstrap").read_text()
    assert before.function_hashes != after.function_hashes
    assert before.layer.is_dir()


def test_the_pages_lie_beside_the_function_that_sends_them_and_nowhere_else(aws_bundle: Bundle) -> None:
    with zipfile.ZipFile(aws_bundle.function_zip("serve_pages")) as function:
        names = function.namelist()
    assert "functions/serve_pages/pages/console/index.html.gz" in names
    assert any(
        re.fullmatch(r"functions/serve_pages/pages/console/[0-9a-f]{16}/app\.js\.gz", name) for name in names
    )
    for name in set(FUNCTIONS) - {"serve_pages"}:
        assert not (aws_bundle.function(name) / "functions" / name / "pages").exists()


def test_another_line_in_a_page_makes_another_folder_and_another_function(tmp_path: Path) -> None:
    write(tmp_path / "requirements" / "runtime.txt", "")
    write(tmp_path / "shared" / "parcelgate" / "__init__.py", "")
    write(tmp_path / "functions" / "serve_pages" / "handler.py", "def handler(event, context): ...\n")
    for name in ("console/package-lock.json", "infra/pages.py"):
        write(tmp_path / name, (ROOT / name).read_text())
    (tmp_path / "console" / "node_modules").symlink_to(ROOT / "console" / "node_modules")
    (tmp_path / "console" / "licences").symlink_to(ROOT / "console" / "licences")
    write(tmp_path / "console" / "index.html", "<script type=module src=console/HASH/app.js></script>")
    write(tmp_path / "console" / "app.js", "1;")
    before = build("local", root=tmp_path)
    write(tmp_path / "console" / "app.js", "2;")
    after = build("local", root=tmp_path)

    def folders(bundle: Bundle) -> set[str]:
        site = bundle.function("serve_pages") / "functions" / "serve_pages" / "pages" / "console"
        return {path.name for path in site.iterdir() if path.is_dir()}

    assert before.function_hashes != after.function_hashes
    assert len(folders(before) | folders(after)) == 2


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_loads_nothing_heavy_that_it_does_not_need(local_bundle: Bundle, function: str) -> None:
    loaded = modules_loaded_by(function, local_bundle)
    assert loaded & set(HEAVY) <= MAY_LOAD.get(function, set())
    assert METADATA not in loaded
    assert "asyncio" not in loaded or BATCHES in loaded
    assert not (function in READ_ALONE and loaded & {"parcelgate.services.idempotency", "urllib.parse"})
    if function in ORDER_BODIES:
        assert not [name for name in loaded if name.endswith((".order_flow.workflow", ".orders.submission"))]
    if function in LIGHT:
        assert not loaded & {"aws_lambda_powertools", "botocore", "msgspec"}


@pytest.mark.parametrize(
    ("function", "built"), [("create_order", True), ("follow_parcels", False), ("operate", False)]
)
def test_the_model_of_an_order_is_made_at_the_start_by_who_creates_orders_alone(
    local_bundle: Bundle, function: str, built: bool
) -> None:
    folders = [str(local_bundle.layer), str(local_bundle.function(function))]
    done = run(
        f"import sys\nsys.path[:0] = {folders!r}\n"
        f"import functions.{function}.handler\n"
        "from parcelgate.http.requests.orders import OrderInput\n"
        "print(OrderInput.__pydantic_complete__)\n"
    )
    assert done.stdout.strip() == str(built), done.stderr


@pytest.fixture
def unpacked(local_bundle: Bundle, tmp_path: Path) -> Path:
    """Our code out of the bundle, its sources with other dates, in a tree that cannot be written."""
    shutil.copytree(local_bundle.layer / "parcelgate", tmp_path / "parcelgate")
    for name in FUNCTIONS:
        home = Path("functions") / name
        shutil.copytree(local_bundle.function(name) / home, tmp_path / home)
    for path in tmp_path.rglob("*"):
        if path.suffix == ".py":
            os.utime(path, (MUCH_LATER, MUCH_LATER))
        path.chmod(0o555 if path.is_dir() else 0o444)
    return tmp_path


def compiled_for(modules: Sequence[str], package: str = "", *, folders: Sequence[Path]) -> set[str]:
    """The sources that are compiled when these modules, and all of a package, are imported."""
    code = f"""
import importlib, importlib._bootstrap_external as loading, pkgutil, sys
sys.path[:0] = {[*map(str, folders)]!r}
compiled, really = [], loading.SourceLoader.source_to_code
def note(self, data, path, **more):
    compiled.append(path)
    return really(self, data, path, **more)
loading.SourceLoader.source_to_code = note
for name in {[*modules]!r}:
    importlib.import_module(name)
if {package!r}:
    for module in pkgutil.walk_packages(importlib.import_module({package!r}).__path__, {package!r} + "."):
        importlib.import_module(module.name)
print(*compiled, sep="\\n")
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    return {path for path in done.stdout.split("\n") if path.startswith(tuple(map(str, folders)))}


def machine_of(library: Path) -> int:
    """The processor that an ELF file is for, as its header says."""
    header = library.read_bytes()[:20]
    assert header.startswith(b"\x7fELF")
    return int.from_bytes(header[18:20], "little")


def modules_loaded_by(function: str, bundle: Bundle) -> set[str]:
    """What importing the handler loads, with the bundle and nothing else to import from."""
    code = (
        "import sys\n"
        f"sys.path[:0] = {[str(bundle.layer), str(bundle.function(function))]!r}\n"
        f"import functions.{function}.handler as module\n"
        "assert callable(module.handler)\n"
        "print(*sys.modules)\n"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` as Lambda does: without this checkout's libraries."""
    environment = {
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "POWERTOOLS_METRICS_NAMESPACE": "Parcelgate",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }
    return subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
