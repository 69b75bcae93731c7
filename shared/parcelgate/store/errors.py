"""The errors of the store. Callers catch them by meaning, never by an AWS error code."""


class StoreError(Exception):
    """Any trouble with the store. The message names no data of a tenant."""


class OrderNotFoundError(StoreError):
    """The tenant has no such order."""


class BatchNotFoundError(StoreError):
    """The tenant has no such batch."""


class ManifestNotFoundError(StoreError):
    """The tenant has no such manifest."""


class RowTakenError(StoreError):
    """The entry of the batch was given up before its order was stored; nothing was written."""


class TrackingNotFoundError(StoreError):
    """The tenant has no such tracking."""


class PageNotFoundError(StoreError):
    """The token leads to no recipient's page, or to one that is not shown."""


class EventNotFoundError(StoreError):
    """The tenant has no such event, or it happened too long ago."""


class EndpointNotFoundError(StoreError):
    """The tenant has no such webhook endpoint."""


class TooManyEndpointsError(StoreError):
    """The tenant has as many webhook endpoints as it may have; nothing was written."""


class DeliveryNotFoundError(StoreError):
    """The tenant has no such delivery, or its event happened too long ago."""


class AlreadyFollowedError(StoreError):
    """The tenant follows the parcel already, as `tracking_id` if that is known."""

    def __init__(self, tracking_id: str | None) -> None:
        super().__init__("the parcel is followed already")
        self.tracking_id = tracking_id


class ProofTakenError(StoreError):
    """The proof of a webhook was used by another webhook before. It is good for one only."""

    def __init__(self) -> None:
        super().__init__("another webhook came with this proof")


class KeyNotFoundError(StoreError):
    """The tenant has no such API key."""


class VersionConflictError(StoreError):
    """Somebody else has written the item since it was read. Read it again and decide again."""


class ReferenceTakenError(StoreError):
    """Another order that is not final holds the reference.

    `order_id` is that order. It is None only when the two creates were still colliding after all retries, so
    that nobody can tell yet which of them was stored.
    """

    def __init__(self, order_id: str | None) -> None:
        super().__init__("another order uses this reference")
        self.order_id = order_id


class CarrierNumberTakenError(StoreError):
    """The carrier's order number already belongs to another order of ours, `order_id`."""

    def __init__(self, order_id: str | None) -> None:
        super().__init__("the carrier's order number belongs to another order")
        self.order_id = order_id


class ClaimTakenError(StoreError):
    """Another request holds the idempotency key. Call `begin` again: it returns the state of that request."""


class BadCursorError(StoreError):
    """The cursor is malformed, belongs to another list, or was given to somebody else."""


class TokenBusyError(StoreError):
    """Another function is getting a new platform token, and did not finish while we waited."""


class ThrottledError(StoreError):
    """The store takes no more calls for the moment. The write did not happen."""


class StoreUnavailableError(StoreError):
    """The store gave no usable answer. A write may or may not have happened."""


class ItemTooLargeError(StoreError):
    """The item does not fit (400 KB). The write did not happen."""
