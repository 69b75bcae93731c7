"""Finds the carriers that the sandbox replaces: every folder beside this module that has a `carrier.py`."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from sandbox.wire.calls import Carrier
    from sandbox.world import World


class CarrierPackage(Protocol):
    """What the folder of a carrier must hold in its `__init__`."""

    CARRIER: "Callable[[World], Carrier]"
    """Makes the carrier of one sandbox."""
    DEFAULT_LOGIN: Mapping[str, Any] | None
    """The login that is accepted when none is named; None for a carrier whose logins are keys."""

    def new_login(self) -> dict[str, str]:
        """Invent a new login: credentials by the names in the account's secret."""
        ...


def names() -> list[str]:
    """Return the names of all carriers, in alphabetical order: they are the prefixes of their paths."""
    return sorted(module.parent.name for module in Path(__file__).parent.glob("*/carrier.py"))


def package(name: str) -> CarrierPackage:
    """Import the folder of a carrier. Raises ModuleNotFoundError for a name that has none."""
    return cast(CarrierPackage, import_module(f"sandbox.{name}"))
