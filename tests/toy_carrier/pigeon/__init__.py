"""Pigeon Post: up to three bags in an order, answered at once, by ring number.

`docs/adding-a-carrier.md` says what each room of the folder holds.
"""

from parcelgate.carriers.limits import Limits
from parcelgate.carriers.port import CarrierProfile, graded
from parcelgate.carriers.results import Service

PROFILE = CarrierProfile(
    code="pigeon",
    name="Pigeon Post",
    services=(Service(code="AIR", name="By air", countries=("GB",)),),
    countries=("GB",),
    max_parcels=3,
    label_formats=("pdf",),
    grades=graded(
        documented="create find_by_reference track cancel authentication",
        assumed="label limits",
    ),
    limits=Limits(rate=50, burst=100),
)

WEBHOOK_ANSWER: bytes | None = None
"""Pigeons do not call back."""
