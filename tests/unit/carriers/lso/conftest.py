"""The platform's bodies from the documents, with made-up values, and the order they are about."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from parcelgate.domain.measures import Dimensions, LengthUnit, Weight, WeightUnit
from parcelgate.domain.orders import Options, Order
from tests.support.adapters import dollars, lso_order, lso_parcel

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def body() -> Callable[..., dict[str, Any]]:
    """A fixture's body by name, with other fields of its `data` where given."""

    def read(name: str, **data: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
        if data:
            found["data"] |= data
        return found

    return read


@pytest.fixture
def order() -> Order:
    """Two boxes, the second in grams and millimetres."""
    return lso_order(
        parcels=(
            lso_parcel(secondary_reference="PO 4711", declared_value=dollars("120")),
            lso_parcel(
                "shop-17-2",
                weight=Weight(Decimal(264), WeightUnit.G),
                dimensions=Dimensions(Decimal(300), Decimal(200), Decimal(100), LengthUnit.MM),
            ),
        ),
        options=Options(sender_name="Dallas Dock 4"),
    )
