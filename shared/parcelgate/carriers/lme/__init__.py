"""LME (Fast Horse Express): one parcel in an order, answered at once, everything sealed and signed with RSA.

`docs/adding-a-carrier.md` says what each room of the folder holds. `signing` seals and signs.
"""

from parcelgate.carriers.port import CarrierProfile, graded
from parcelgate.carriers.results import Service

PROFILE = CarrierProfile(
    code="lme",
    name="LME (Fast Horse Express)",
    # LME has no service codes: the name is ours, and nothing of it is sent.
    services=(Service(code="STANDARD", name="Last mile delivery", countries=("AU", "NZ", "US", "CA")),),
    countries=("AU", "NZ", "US", "CA"),
    max_parcels=1,
    label_formats=("pdf",),
    grades=graded(
        documented="webhook",
        public="create find_by_reference track cancel return authentication",
        assumed="update label validate_address verify_webhook limits",
    ),
)

WEBHOOK_ANSWER = b'{"code": 200, "message": "SUCCESS"}'
"""Our answer to LME's pushes (documented); after any other code LME repeats the push 20 times."""
WEBHOOK_HEADERS = ("appkey", "timestamp", "sign")
"""The headers of a signed push (assumed: they are made as for a request)."""
