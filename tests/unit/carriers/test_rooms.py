"""Every carrier's folder has the same rooms under the same names, here and in the sandbox."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import sandbox.carriers
from parcelgate.carriers import registry

PACKAGES = {"pigeon": "tests.toy_carrier.pigeon", **registry.CARRIERS, **registry.AGGREGATORS}
TAKES_ORDERS = [code for code in PACKAGES if code not in registry.AGGREGATORS]

ROOMS = {
    "__init__": ("PROFILE", "WEBHOOK_ANSWER"),
    "adapter": ("Adapter",),
    "client": ("Client",),
    "codes": (),
    "mapping": (),
    "settings": ("ACCOUNT", "Call", "CarrierSettings", "Credentials", "PATHS"),
    "wire": (),
}
"""What every carrier has: each room with the names that it must hold."""

OF_ORDERS = {"validation": ("FIELDS", "examine")}
"""What a carrier that takes orders has besides."""

OPTIONAL = {
    "answers": "what a refusal means and which parcel it is about, where the answers are many",
    "signing": "how a call or a push proves who sent it",
}
"""What only some carriers need. A room of another name belongs in one of these, or here with its reason."""

PARTS = {"mapping": {"address", "create", "label", "prepare", "results", "track"}}
"""The modules of a room that is too long for one: the same names in every carrier."""

LONGEST = 400
"""Lines of a module, docstrings and all: a longer room becomes a folder."""


def folder(code: str) -> Path:
    return Path(next(iter(import_module(PACKAGES[code]).__path__)))


def rooms(code: str) -> set[str]:
    return {path.stem for path in folder(code).iterdir() if path.suffix == ".py" or is_package(path)}


def is_package(path: Path) -> bool:
    return (path / "__init__.py").exists()


def modules(code: str) -> Iterator[Path]:
    yield from sorted(folder(code).rglob("*.py"))


@pytest.mark.parametrize("code", PACKAGES)
def test_every_carrier_has_the_same_rooms(code: str) -> None:
    required = set(ROOMS) | (set(OF_ORDERS) if code in TAKES_ORDERS else set())
    lacking = sorted(required - rooms(code))
    assert not lacking, f"{code} lacks the rooms {lacking}; docs/adding-a-carrier.md says what each holds"
    unknown = sorted(rooms(code) - required - set(OPTIONAL))
    assert not unknown, f"{code} has rooms that no other carrier has: {unknown}; see OPTIONAL here"


@pytest.mark.parametrize("code", PACKAGES)
def test_every_room_holds_what_it_is_for(code: str) -> None:
    needed = ROOMS | (OF_ORDERS if code in TAKES_ORDERS else {})
    lacking = []
    for room, names in needed.items():
        name = PACKAGES[code] if room == "__init__" else f"{PACKAGES[code]}.{room}"
        module = import_module(name)
        assert (module.__doc__ or "").strip(), f"{name} has no docstring"
        lacking += [f"{name}.{each}" for each in names if not hasattr(module, each)]
    assert not lacking, f"missing: {lacking}"


@pytest.mark.parametrize("code", PACKAGES)
def test_a_long_room_is_a_folder_with_a_module_for_each_call(code: str) -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(code)}
    long = [
        f"{path.relative_to(folder(code))}: {lines}" for path, lines in lengths.items() if lines > LONGEST
    ]
    assert not long, f"make a folder of each of these, see PARTS: {long}"
    for room in filter(is_package, folder(code).iterdir()):
        parts = {path.stem for path in room.glob("*.py")} - {"__init__"}
        assert parts <= PARTS.get(room.name, set()), f"{code}/{room.name} has modules of its own naming"


@pytest.mark.parametrize("code", PACKAGES)
def test_no_folder_of_a_carrier_is_crowded(code: str) -> None:
    assert len(rooms(code)) <= 12


def test_every_carrier_has_its_side_of_the_sandbox_and_every_side_its_carrier() -> None:
    assert sandbox.carriers.names() == sorted(registry.trackers())


@pytest.mark.parametrize("code", sandbox.carriers.names())
def test_the_sandboxs_side_says_who_is_let_in(code: str) -> None:
    package = sandbox.carriers.package(code)
    assert package.DEFAULT_LOGIN is None or set(package.DEFAULT_LOGIN) == set(package.new_login())
    assert package.new_login() != package.new_login()
