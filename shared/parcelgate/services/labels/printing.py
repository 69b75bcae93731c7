"""The worker that makes printouts: looks at the orders, and puts one label after the other on sheets."""

import hashlib
import tempfile
from collections.abc import Iterator
from io import BufferedRandom
from itertools import batched
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import LabelDocument, LabelStatus, Order, OrderStatus
from parcelgate.domain.printouts import Failure, MissingLabel, Printout, PrintoutStatus
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys
from parcelgate.observability.metrics import count
from parcelgate.services.labels.pages import OutOfTimeError, UnreadableLabelError
from parcelgate.services.labels.printouts import FOLDER, LONGEST, TOOK_TOO_LONG
from parcelgate.services.labels.sheets import Sheets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from parcelgate.store.table import Table

MOST_BYTES = 400 * 1024 * 1024
"""Of a PDF: a function has half a gigabyte on its disk."""
_TOGETHER = 50
"""Orders that are read at once."""
_NOT_THERE = frozenset({"NoSuchKey", "404", "AccessDenied", "403"})
"""What S3 says of an object that is not there; the last two to those who may not list the bucket."""

_NO_LABELS = Failure("no_labels", "None of the orders has a label that can be printed; see missing.")
_TOO_LARGE = Failure("too_large", "The document would be too large. Ask for fewer orders at once.")


class PrintoutWorker(msgspec.Struct, frozen=True, kw_only=True):
    """Makes printouts. The same message twice makes the same PDF at the same place."""

    table: "Table"
    s3: "S3Client"
    bucket: str
    clock: Clock = now

    @own_log_keys()
    def work(self, body: str, deadline: Deadline) -> None:
        """Make the printout that a message asks for, unless it is there or was asked for again since.

        One that cannot be made by `deadline` has failed. Raises what the store and S3 raise: the message
        comes again then.
        """
        printout = msgspec.json.decode(body, type=Printout)
        bind_log_keys(tenant=printout.tenant, printout_id=printout.id, correlation_id=printout.correlation_id)
        at = self.clock()
        printouts = self.table.tenant(printout.tenant).printouts
        known = printouts.get(printout.id, now=at)
        if known is not None and (
            known.created_at > printout.created_at or known.status is not PrintoutStatus.PROCESSING
        ):
            log.info("the document is there, or was asked for again")
            return
        if at >= printout.created_at + LONGEST:
            made = printout.failed(TOOK_TOO_LONG)
        else:
            with tempfile.TemporaryFile() as file:
                made = self._made(printout, file, deadline)
        if made.failure is not None:
            log.warning("a label document failed", extra={"reason": made.failure.code})
            count("LabelDocumentsFailed")
        printouts.finish(made)

    def _made(self, printout: Printout, file: BufferedRandom, deadline: Deadline) -> Printout:
        request = printout.request
        sheets = Sheets(file, request.layout, request.start_at)
        missing = []
        for order_id, order, code in self._orders(printout):
            if deadline.passed:
                return printout.failed(TOOK_TOO_LONG)
            if sheets.size > MOST_BYTES:
                return printout.failed(_TOO_LARGE)
            if order is not None and code is None:
                try:
                    code = self._print(order, sheets, deadline)
                except OutOfTimeError:
                    return printout.failed(TOOK_TOO_LONG)
            if code is not None:
                missing.append(MissingLabel(order_id, code))
        pages = sheets.finish()
        if not pages:
            return printout.failed(_NO_LABELS, tuple(missing))
        key = f"{FOLDER}/{printout.tenant}/{printout.id}.pdf"
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=file, ContentType="application/pdf")
        log.info("a label document is ready", extra={"pages": pages, "missing": len(missing)})
        return printout.ready(pages=pages, key=key, sha256=digest, missing=tuple(missing))

    def _orders(self, printout: Printout) -> Iterator[tuple[str, Order | None, str | None]]:
        """Each id with its order and why nothing of it is printed, in the order they were asked for."""
        orders = self.table.tenant(printout.tenant).orders
        seen: set[str] = set()
        for part in batched(printout.request.order_ids, _TOGETHER, strict=False):
            found = {order.id: order for order in orders.many(part)}
            for order_id in part:
                order = found.get(order_id)
                yield order_id, order, "repeated" if order_id in seen else _obstacle(order)
                seen.add(order_id)

    def _print(self, order: Order, sheets: Sheets, deadline: Deadline) -> str | None:
        """Put an order's label on paper; why it is not there. Raises OutOfTimeError."""
        label = order.label
        stored = (label.document,) if label.document is not None else label.parcels
        try:
            sheets.add([self._content(document) for document in stored], label.size, deadline)
        except UnreadableLabelError as error:
            log.warning("a label cannot be printed", extra={"order_id": order.id, "error": str(error)})
            return "label_unreadable"
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code not in _NOT_THERE:
                raise
            log.error("a label is not in its place", extra={"order_id": order.id, "error": code})
            return "label_unavailable"
        return None

    def _content(self, document: LabelDocument) -> bytes:
        content = self.s3.get_object(Bucket=self.bucket, Key=document.key)["Body"].read()
        if hashlib.sha256(content).hexdigest() != document.sha256:
            raise UnreadableLabelError("not what was stored")
        return content


def _obstacle(order: Order | None) -> str | None:
    """Why nothing of an order is printed. The label of one that is being cancelled is not to be used."""
    if order is None:
        return "not_found"
    if order.status in (OrderStatus.FAILED, OrderStatus.CANCELLED, OrderStatus.CANCELLING):
        return "order_not_live"
    if order.label.status is LabelStatus.UNAVAILABLE:
        return "label_unavailable"
    if order.label.status is LabelStatus.PENDING or order.changing_until is not None:
        return "label_pending"
    return "format_left_out" if order.label.format == "zpl" else None
