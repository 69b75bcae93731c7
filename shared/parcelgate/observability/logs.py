"""The one logger, and the decorator of every handler except the authorizer."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from traceback import extract_tb
from typing import Any, cast

from aws_lambda_powertools import Logger

log = Logger(utc=True, use_rfc3339=True, log_uncaught_exceptions=False)

# What it warns of it quotes, and labels are full of names and addresses. A logger that merely does not
# propagate would still write to stderr, which is the function's log.
logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)


def _count_errors(record: logging.LogRecord) -> bool:
    """Add the metric `UnexpectedErrors` to the line of an error, in embedded metric format.

    It has no dimension, so that one alarm covers the errors of all functions.
    """
    if record.levelno >= logging.ERROR:
        record.UnexpectedErrors = 1
        record._aws = {
            "Timestamp": int(record.created * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Parcelgate"),
                    "Dimensions": [[]],
                    "Metrics": [{"Name": "UnexpectedErrors", "Unit": "Count"}],
                }
            ],
        }
    return True


log.addFilter(_count_errors)


def bind_log_keys(
    *,
    order_id: str | None = None,
    tenant: str | None = None,
    carrier: str | None = None,
    batch_id: str | None = None,
    printout_id: str | None = None,
    request_id: str | None = None,
    correlation_id: str | None = None,
) -> None:
    """Put these ids on every further log line of this invocation, or of this record of it.

    `correlation_id` is the id of the client's request that caused the work. The first one that is bound
    stays: the request that cancels an order causes the cancellation, not the one that created the order.
    """
    ids = {
        "order_id": order_id,
        "tenant": tenant,
        "carrier": carrier,
        "batch_id": batch_id,
        "printout_id": printout_id,
        "request_id": request_id,
        "correlation_id": bound_correlation_id() or correlation_id,
    }
    log.append_keys(**{key: value for key, value in ids.items() if value is not None})


def bound_correlation_id() -> str | None:
    """The `correlation_id` of this invocation or record, for what it sends and stores."""
    bound: str | None = log.get_current_keys().get("correlation_id")
    return bound


@contextmanager
def own_log_keys() -> Iterator[None]:
    """Remove at the end the log keys that were bound inside: for one record of a batch, say."""
    # A copy: the logger gives the very dictionary to which keys are bound.
    before = dict(log.get_current_keys())
    try:
        yield
    finally:
        log.structure_logs(**before)


def safe_error_fields(error: BaseException) -> dict[str, Any]:
    """What may be logged of an unexpected error: its class and where it came from.

    Its message is left out, because it may quote what a client or a carrier sent. AWS's error code and the
    name of the AWS call quote nobody, so they are logged.
    """
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    # A limit is given here, because `instrumented` sets the limit of the process to none.
    frames = extract_tb(error.__traceback__, limit=-8)
    return {
        "error": type(error).__name__,
        "aws": f"{getattr(error, 'operation_name', '')} {code}" if code else None,
        "cause": type(error.__cause__).__name__ if error.__cause__ else None,
        "where": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }


SMOKE_TEST = {"parcelgate": "smoke test"}
"""The event by which a deployment asks a function whether it can be loaded. It does nothing else."""


class UnexpectedError(Exception):
    """Raised by a handler in place of an unexpected error. Its message is the class of that error."""


def instrumented[**P, R](
    *, expected: tuple[type[BaseException], ...] = ()
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Give each invocation of a handler its own log keys, and one line for whatever it raises.

    `expected` errors are part of the work (an order that is not ready yet): they get a line of level
    info and are raised again, without their message. Anything else becomes an UnexpectedError.

    Lambda's runtime prints the message and the trace of an error that leaves a handler, and a state machine
    stores the message. Both may quote what a client or a carrier sent, so both are removed.

    Examples
    --------
    >>> @instrumented()
    ... def handler(event, context):
    ...     return {}
    """

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        @wraps(handler)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if args and args[0] == SMOKE_TEST:
                return cast(R, SMOKE_TEST)
            context = args[1] if len(args) > 1 else None
            log.structure_logs(function_request_id=getattr(context, "aws_request_id", None))
            try:
                return handler(*args, **kwargs)
            except expected as error:
                log.info("the work ended with an expected error", extra={"error": type(error).__name__})
                error.args = ()
                _print_no_frames()
                raise error from None
            except Exception as error:
                log.error("unexpected error", extra=safe_error_fields(error))
                _print_no_frames()
                raise UnexpectedError(type(error).__name__) from None

        return run

    return decorate


def _print_no_frames() -> None:
    """Make the runtime print no trace: it asks `traceback` for the frames, and gets none."""
    sys.tracebacklimit = 0
