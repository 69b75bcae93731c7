"""Bodies of `POST /v1/orders` that each carrier accepts."""

from collections.abc import Callable
from typing import Any

type Body = dict[str, Any]


def ubi_body(reference: str = "shop-17", parcels: int = 1, **changes: Any) -> Body:
    """What `POST /v1/orders` is given for an order by UBI."""
    items = [
        {
            "description": "Cotton dress",
            "quantity": 1,
            "unit_value": {"amount": "20.00", "currency": "AUD"},
            "origin_country": "CN",
        }
    ]
    return {
        "carrier": "ubi",
        "service": "UBI.AU2AU.AUPOST.1",
        "reference": reference,
        "ship_to": _RECEIVER,
        "ship_from": {"name": "Jiang Yuanfei", "line1": "Sanshui Park", "city": "Foshan", "country": "CN"},
        "parcels": [{"weight": {"value": 1, "unit": "kg"}, "items": items} for _ in range(parcels)],
        **changes,
    }


def lme_body(reference: str = "shop-17", **changes: Any) -> Body:
    """What `POST /v1/orders` is given for an order by LME."""
    return {
        "carrier": "lme",
        "reference": reference,
        "ship_to": _RECEIVER,
        "ship_from": {
            "name": "Jiang Yuanfei",
            "phone": "02586707811",
            "line1": "Sanshui Industrial Park",
            "city": "FO SHAN",
            "state": "Guangdong",
            "postcode": "528100",
            "country": "CN",
        },
        "parcels": [
            {
                "weight": {"value": 1, "unit": "kg"},
                "dimensions": {"length": 20, "width": 15, "height": 10, "unit": "cm"},
                "description": "Cotton dress",
            }
        ],
        **changes,
    }


_RECEIVER = {
    "name": "Corrie McKee",
    "phone": "0403536112",
    "line1": "3 Lakeside Drive",
    "city": "Berwick",
    "state": "VIC",
    "postcode": "3806",
    "country": "AU",
}
BODIES: dict[str, Callable[..., Body]] = {"ubi": ubi_body, "lme": lme_body}
CARRIERS = tuple(BODIES)
"""Those that answer an order at once."""
