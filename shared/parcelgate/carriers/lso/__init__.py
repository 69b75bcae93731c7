"""LSO (Lone Star Overnight), bought through the Shipping Solution platform.

`docs/adding-a-carrier.md` says what each room of the folder holds.
"""

from parcelgate.carriers.port import CarrierProfile, graded
from parcelgate.carriers.results import Service

PROFILE = CarrierProfile(
    code="lso",
    name="LSO (Lone Star Overnight) through Shipping Solution",
    services=(Service(code="GroundBasic", name="LSO Ground", countries=("US",)),),
    countries=("US",),
    max_parcels=50,
    track_batch=30,
    label_formats=("pdf",),
    grades=graded(
        documented="create webhook",
        assumed="find_by_reference track cancel label rates authentication limits order_result",
    ),
    confirms_later=True,
)

WEBHOOK_ANSWER = b'{"code": 200, "msg": "success"}'
"""Our answer to the platform's callback (assumed: the document names no answer)."""
