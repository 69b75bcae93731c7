"""Checks label documents, joins them into one in parcel order, and stores them once.

The check needs no rendering. The first bytes of each document must be those of a kind of label, there must be
one document for each parcel, and none may be too large. A bad document counts as not ready, because the
carrier may give a good one later.
"""

import hashlib
import io
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.errors import LabelPendingError
from parcelgate.carriers.results import LabelFile
from parcelgate.carriers.toolkit.documents import document_format
from parcelgate.domain.orders import Label, LabelDocument, LabelStatus, Order

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_BYTES = 10 * 1024 * 1024
"""The size of the largest label document, in bytes."""

_CONTENT_TYPES = {
    "pdf": "application/pdf",
    "jpg": "image/jpeg",
    "png": "image/png",
    "zpl": "application/zpl",
}


def in_parcel_order(order: Order, files: list[LabelFile]) -> list[LabelFile]:
    """Return the files, one for each parcel, in parcel order. Raises LabelPendingError if one is no label."""
    by_reference = {file.reference: file for file in files}
    references = [parcel.reference for parcel in order.parcels]
    if len(files) != len(references) or set(by_reference) != set(references):
        raise LabelPendingError("not one label for each parcel")
    kinds = {document_format(file.content) for file in files}
    if None in kinds or len(kinds) != 1:
        raise LabelPendingError("not documents of one kind")
    if sum(len(file.content) for file in files) > MOST_BYTES:
        raise LabelPendingError("too large")
    return [by_reference[reference] for reference in references]


def joined(files: list[LabelFile]) -> bytes | None:
    """Return all parcels' labels in one document, in the order given; None for several images.

    Raises LabelPendingError for a PDF that cannot be read.
    """
    if len(files) == 1:
        return files[0].content
    kind = document_format(files[0].content)
    if kind == "zpl":
        return b"\n".join(file.content for file in files)
    if kind != "pdf":
        return None
    # Only this place needs the library, and only for several parcels.
    from pypdf import PdfWriter

    from parcelgate.services.labels.memory import limit_memory

    limit_memory()
    out = io.BytesIO()
    try:
        with PdfWriter() as writer:
            for file in files:
                before = len(writer.pages)
                writer.append(io.BytesIO(file.content), import_outline=False)
                if len(writer.pages) == before:
                    raise LabelPendingError("a document without a page")
            writer.write(out)
    except LabelPendingError:
        raise
    except Exception as error:
        # For a broken document it raises errors of many kinds, also AssertionError and RecursionError.
        raise LabelPendingError("a document that cannot be read") from error
    return out.getvalue()


class LabelStore(msgspec.Struct, frozen=True):
    """The S3 bucket of labels."""

    s3: "S3Client"
    bucket: str

    def keep(self, order: Order, files: list[LabelFile]) -> Label:
        """Check, join and store the labels of an order; return the order's label with its documents.

        Keys are made from tenant, order and content. So storing the same labels again changes nothing, and
        no label replaces another. Raises LabelPendingError for bad documents.
        """
        files = in_parcel_order(order, files)
        whole = joined(files)
        kind = document_format(files[0].content) or order.label.format
        parcels = tuple(
            self._put(order, f"parcel-{place}", kind, file.content) for place, file in enumerate(files, 1)
        )
        document = None if whole is None else parcels[0]
        if whole is not None and len(files) > 1:
            document = self._put(order, "all", kind, whole)
        return msgspec.structs.replace(
            order.label, status=LabelStatus.READY, format=kind, document=document, parcels=parcels
        )

    def erase(self, order: Order) -> None:
        """Delete every version of every label of an order. May be repeated."""
        left: dict[str, str] = {}
        while True:
            page = self.s3.list_object_versions(
                Bucket=self.bucket,
                Prefix=f"{order.tenant}/{order.id}/",
                **left,  # type: ignore[arg-type]
            )
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                self.s3.delete_object(Bucket=self.bucket, Key=each["Key"], VersionId=each["VersionId"])
            if not page.get("IsTruncated"):
                return
            left = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def _put(self, order: Order, name: str, kind: str, content: bytes) -> LabelDocument:
        digest = hashlib.sha256(content).hexdigest()
        key = f"{order.tenant}/{order.id}/{name}-{digest[:16]}.{kind}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=_CONTENT_TYPES[kind])
        return LabelDocument(key=key, sha256=digest)
