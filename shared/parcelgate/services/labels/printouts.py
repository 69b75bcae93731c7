"""Printouts: asked for by clients, made by a queue's worker, and shown by a link.

The message to the worker holds the whole request and goes out before anything is stored. So whatever dies,
either nothing was done, or the printout is made and the same request finds it.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.printouts import Failure, Printout, PrintoutStatus, PrintRequest
from parcelgate.domain.problems import ProblemError
from parcelgate.observability.logs import bind_log_keys, bound_correlation_id
from parcelgate.services.labels.links import link, link_end

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from parcelgate.store.table import Table

FOLDER = "_documents"
"""What the keys of printouts begin with in the label bucket. No tenant can be called so."""
LONGEST = timedelta(minutes=15)
"""How long a printout may take, waiting and all tries included. Then there is none."""
FRESH = timedelta(minutes=1)
"""As long as this, the same request is given what was made.

Later the orders are looked at again: one may have been cancelled since, or have another label.
"""

TOOK_TOO_LONG = Failure("took_too_long", "The document was not made in time. Ask for fewer orders at once.")


class LinkedPrintout(msgspec.Struct, frozen=True):
    """A printout, and the link that opens it until `expires_at`; None while there is nothing to be opened."""

    printout: Printout
    url: str | None = None
    expires_at: datetime | None = None


class PrintoutDesk(msgspec.Struct, frozen=True, kw_only=True):
    """Takes requests for printouts. Each tenant is a group of its own, so that queueing is fair."""

    table: "Table"
    sqs: "SQSClient"
    queue_url: str
    clock: Clock = now

    def ask(self, tenant: str, request: PrintRequest) -> Printout:
        """The printout of a request. It is made, unless it is there or being made already."""
        printout_id = request.id_for(tenant)
        bind_log_keys(tenant=tenant, printout_id=printout_id)
        at = self.clock()
        printouts = self.table.tenant(tenant).printouts
        known = printouts.get(printout_id, now=at)
        if known is not None and not _to_be_made_anew(known, at):
            return known
        printout = Printout(
            id=printout_id,
            tenant=tenant,
            request=request,
            created_at=at,
            correlation_id=bound_correlation_id(),
        )
        self.sqs.send_message(
            QueueUrl=self.queue_url, MessageBody=msgspec.json.encode(printout).decode(), MessageGroupId=tenant
        )
        printouts.put(printout)
        return printout


class PrintoutViewer(msgspec.Struct, frozen=True, kw_only=True):
    """Shows printouts. Links are made for each answer and are neither stored nor logged."""

    table: "Table"
    s3: "S3Client"
    bucket: str
    clock: Clock = now

    def read(self, tenant: str, printout_id: str) -> LinkedPrintout:
        """The printout as it stands. Raises ProblemError `not_found`, also once its day is over."""
        at = self.clock()
        printout = self.table.tenant(tenant).printouts.get(printout_id, now=at)
        if printout is None:
            raise ProblemError(
                "not_found", "There is no such label document. A document is kept for 24 hours."
            )
        if _is_overdue(printout, at):
            printout = printout.failed(TOOK_TOO_LONG)
        if printout.key is None:
            return LinkedPrintout(printout)
        ends = link_end(at)
        return LinkedPrintout(printout, link(self.s3, self.bucket, printout.key, at, ends), ends)


def _to_be_made_anew(printout: Printout, at: datetime) -> bool:
    if printout.status is PrintoutStatus.PROCESSING:
        return _is_overdue(printout, at)
    return printout.status is PrintoutStatus.FAILED or at >= printout.created_at + FRESH


def _is_overdue(printout: Printout, at: datetime) -> bool:
    return printout.status is PrintoutStatus.PROCESSING and at >= printout.created_at + LONGEST
