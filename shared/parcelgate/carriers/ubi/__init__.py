"""UBI, through eTower: one or many pieces in an order, answered at once.

`docs/adding-a-carrier.md` says what each room of the folder holds. `answers` says what a refusal means.
"""

from parcelgate.carriers.port import CarrierProfile, graded
from parcelgate.carriers.results import Service

PROFILE = CarrierProfile(
    code="ubi",
    name="UBI through eTower",
    # Documented: the two services of the given samples. The account's own come from its catalogue.
    services=(
        Service(code="UBI.AU2AU.AUPOST.1", name="Australia Post", countries=("AU",)),
        Service(code="UBI.CA2CA.PUROLATOR", name="Purolator", countries=("CA",)),
    ),
    countries=("AU", "CA"),
    max_parcels=50,
    create_batch=300,
    track_batch=30,
    label_formats=("pdf", "jpg", "zpl"),
    grades=graded(
        documented="create",
        public="track batch cancel hold manifest label services authentication",
        assumed="find_by_reference update limits",
    ),
)

WEBHOOK_ANSWER: bytes | None = None
"""As far as we know, UBI sends shippers no webhooks."""
