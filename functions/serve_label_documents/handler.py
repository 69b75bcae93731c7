"""`/v1/label-documents`: have the labels of many orders put into one PDF, and get the link that opens it."""

from parcelgate.domain.problems import RETRY_SECONDS
from parcelgate.http.answers import Answer, answer, copied
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.resources.labels import LabelDocumentResource, TakenLabelDocument
from parcelgate.runtime import runtime
from parcelgate.services.labels.printouts import PrintoutDesk, PrintoutViewer

api = Api("serve_label_documents", limits=lambda: runtime.rate_limiter)


@api.route
def create_label_document(request: Request) -> Answer:
    """Ask for a document: 202, whether it is there already or is being made."""
    # Who only reads does not wait for the models of a body.
    from parcelgate.http.requests.label_documents import read_label_document as read_body

    desk: PrintoutDesk = runtime.printout_desk

    def ask() -> Answer:
        printout = desk.ask(request.tenant, read_body(request.body))
        headers = {"location": f"/v1/label-documents/{printout.id}", "retry-after": str(RETRY_SECONDS)}
        return answer(TakenLabelDocument(id=printout.id, status=printout.status), 202, headers)

    return do_once(request, desk.table.tenant(request.tenant), ask)


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
