"""`GET /v1/label-documents/{id}`: the labels of many orders in one PDF, by a link."""

from parcelgate.http.answers import Answer, answer, copied
from parcelgate.http.api import Api, Request
from parcelgate.http.resources.labels import LabelDocumentResource
from parcelgate.runtime import runtime
from parcelgate.services.labels.printouts import PrintoutViewer

api = Api("read_label_document")


@api.route
def read_label_document(request: Request) -> Answer:
    """Give a document as it stands."""
    viewer: PrintoutViewer = runtime.printout_viewer
    linked = viewer.read(request.tenant, request.parameters["id"])
    printout = linked.printout
    resource = copied(
        LabelDocumentResource,
        printout,
        object="label_document",
        layout=printout.request.layout,
        start_at=printout.request.start_at,
        url=linked.url,
        expires_at=linked.expires_at,
    )
    return answer(resource)


handler = api.handler
