"""By when somebody must have dealt with an order again: what `watch_at` is set to, stage by stage.

Whoever moves an order on sets its next time in the same write. The sweep takes whatever is overdue. So
each time here is later than the regular machinery can take, and an order that needs nobody has none.
"""

from datetime import datetime, timedelta

from parcelgate.services.settings import Settings

RETRY_LIFE = timedelta(hours=12)
"""How long a retry queue tries before it gives up."""


def accepted(settings: Settings, at: datetime) -> datetime:
    """A new order must have been sent by then, or its workflow must have begun to."""
    return at + settings.watch_margin


def retrying(settings: Settings, since: datetime, at: datetime) -> datetime:
    """An order in the retry queue must be settled by then; it is tried from `since` on, and still at `at`."""
    return max(since + RETRY_LIFE, at) + settings.watch_margin


def processing(settings: Settings, at: datetime) -> datetime:
    """The workflow must have ended by then, whichever way."""
    return at + settings.order_deadline + settings.watch_margin


def label(settings: Settings, at: datetime) -> datetime:
    """A confirmed order's label must have come by then."""
    return at + settings.order_deadline + settings.watch_margin


def label_queued(settings: Settings, at: datetime) -> datetime:
    """A label that the retry queue fetches must have come by then; `at` is when it went there."""
    return at + RETRY_LIFE + settings.watch_margin


def refund(settings: Settings, at: datetime) -> datetime:
    """A failed order's refund must have been accepted, or given up, by then; `at` is its beginning."""
    return at + settings.refund_deadline + settings.watch_margin


def cancelling(settings: Settings, at: datetime) -> datetime:
    """A cancellation that was just begun must be in the retry queue, or over, by then."""
    return at + settings.watch_margin


def cancelling_queued(settings: Settings, at: datetime) -> datetime:
    """A cancellation that is in the retry queue must be over by then; `at` is when it went there."""
    return at + RETRY_LIFE + settings.watch_margin
