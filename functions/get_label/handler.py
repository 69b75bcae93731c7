"""`GET /v1/orders/{id}/label`: the label, as JSON or as a redirect to the document."""

from parcelgate.domain.problems import RETRY_SECONDS, ProblemError
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.formats.accept import document_wanted
from parcelgate.http.resources.labels import LabelResource, ParcelLabelResource, PendingLabel
from parcelgate.runtime import runtime
from parcelgate.services.labels.links import LinkedLabel

CARRIER_SECONDS = 8.0
"""How long the client waits for the carrier when the label was not fetched yet."""

api = Api("get_label", limits=lambda: runtime.rate_limiter)


@api.route
def get_label(request: Request) -> Answer:
    """Give an order's label."""
    label = runtime.label_viewer.label(
        request.tenant, request.parameters["id"], request.within(CARRIER_SECONDS)
    )
    if label is None:
        return answer(PendingLabel(), 202, {"retry-after": str(RETRY_SECONDS)})
    if not document_wanted(request.headers.get("accept", ""), label.order.label.format):
        return answer(_resource(label))
    if label.whole is None:
        detail = "Each parcel's label is an image of its own; ask for JSON, which has a link for each."
        raise ProblemError("not_acceptable", detail, order_id=label.order.id)
    return Answer(status=302, headers={"location": label.whole.url})


def _resource(label: LinkedLabel) -> LabelResource:
    order = label.order
    return LabelResource(
        format=order.label.format,
        size=order.label.size,
        url=label.whole.url if label.whole else None,
        expires_at=label.expires_at,
        sha256=label.whole.sha256 if label.whole else None,
        parcels=tuple(
            ParcelLabelResource(
                reference=parcel.reference,
                tracking_number=parcel.tracking_number,
                url=document.url,
                sha256=document.sha256,
            )
            for parcel, document in zip(order.parcels, label.parcels, strict=False)
        ),
    )


handler = api.handler
