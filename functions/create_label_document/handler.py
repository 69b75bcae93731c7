"""`POST /v1/label-documents`: have the labels of many orders put into one PDF."""

from parcelgate.domain.problems import RETRY_SECONDS
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.forms import read_label_document
from parcelgate.http.resources.labels import TakenLabelDocument
from parcelgate.runtime import runtime
from parcelgate.services.labels.printouts import PrintoutDesk

api = Api("create_label_document")


@api.route
def create_label_document(request: Request) -> Answer:
    """Ask for a document: 202, whether it is there already or is being made."""
    desk: PrintoutDesk = runtime.printout_desk

    def ask() -> Answer:
        printout = desk.ask(request.tenant, read_label_document(request.body))
        headers = {"location": f"/v1/label-documents/{printout.id}", "retry-after": str(RETRY_SECONDS)}
        return answer(TakenLabelDocument(id=printout.id, status=printout.status), 202, headers)

    return do_once(request, desk.table.tenant(request.tenant), ask)


handler = api.handler
