"""The guards: for each promise of the design at least two places without which it would not be kept."""

from typing import NamedTuple

S = "shared/parcelgate"
U = "tests/unit"


class Guard(NamedTuple):
    """One guard, and the tree without it.

    `old` stands in `path` exactly once, and `new` in its place takes the guard out. One of `tests` is to fail
    then. `pairs` names pairs of `make faults` that show its absence on a running stack, where a merchant's
    calls can show it.
    """

    promise: int
    what: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    pairs: str = ""


GUARDS = (
    Guard(
        1,
        "the sweep takes what is overdue",
        f"{S}/services/operator/sweep.py",
        "        if not self._overdue(order):\n            return\n        log.info",
        "        return\n        log.info",
        (f"{U}/services/operator/test_sweep.py", "tests/faults/test_death.py"),
        pairs="sweep: sweep",
    ),
    Guard(
        1,
        "an order is stored with the time by which somebody must look after it",
        f"{S}/services/orders/create.py",
        "watch_at=transitions.soon(self.settings, at),",
        "watch_at=None,",
        (f"{U}/functions/orders/test_create_order.py",),
    ),
    Guard(
        1,
        "an order whose refund cannot be named goes to a person",
        f"{S}/services/orders/submission.py",
        "            return self._needs_attention(order, problems.not_taken_back(order))\n        try:",
        "            return order\n        try:",
        (f"{U}/services/orders/test_submission.py", "tests/faults/test_flow.py"),
    ),
    Guard(
        2,
        "the mark is claimed by one sender alone",
        f"{S}/services/orders/submission.py",
        "return None if order.submission.sending_at else self._marking(order, sender, caller)",
        "return self._marking(order, sender, caller)",
        (f"{U}/services/orders/test_submission.py", "tests/faults/test_sending.py"),
    ),
    Guard(
        2,
        "nobody asks while the sender may still be alive",
        f"{S}/services/orders/submission.py",
        "if unanswered and alive is not None and at < alive:",
        "if False and unanswered and alive is not None:",
        (f"{U}/services/orders/test_submission.py", "tests/faults/test_sending.py"),
    ),
    Guard(
        2,
        "not found is believed only when it was said twice",
        f"{S}/services/orders/submission.py",
        "            order = self._change_mine(order, lambda order: transitions.not_found(order, at=at))\n"
        "            raise NotSettledError(order, interval)",
        "            order = self._change_mine(order, lambda order: transitions.not_found(order, at=at))",
        ("tests/faults/test_sending.py",),
    ),
    Guard(
        2,
        "a create whose answer broke off is of unknown outcome",
        f"{S}/carriers/toolkit/transport.py",
        "return TransientError(text) if self._request.safe else UnknownOutcomeError(text)",
        "return TransientError(text)",
        ("tests/faults/test_sending.py",),
        pairs="ubi create: create_order POST reset_after|"
        "ubi create: create_order POST half_body|"
        "lme create: create_order POST reset_after|"
        "lso create: submit_order POST reset_after",
    ),
    Guard(
        2,
        "what may buy is never sent over a connection that was kept",
        f"{S}/carriers/toolkit/transport.py",
        "keeps = request.safe and not request.public_only",
        "keeps = not request.public_only",
        ("tests/sandbox_wire/test_kept_connections.py",),
    ),
    Guard(
        3,
        "a refund is tried until its own deadline",
        f"{S}/services/orders/order_flow/workflow.py",
        "if held or since is None or self.clock() < submission.began(since) + settings.refund_deadline:",
        "if held or since is None:",
        ("tests/faults/test_flow.py",),
    ),
    Guard(
        3,
        "an order that failed is called so only after its refund",
        f"{S}/services/orders/submission.py",
        "            cancellation = carrier.cancel(order, at=self.clock())\n        except",
        "            cancellation = Cancellation()\n        except",
        ("tests/faults/test_flow.py",),
        pairs="lso refund: compensate_order lso",
    ),
    Guard(
        4,
        "a webhook that could not be stored is not acknowledged",
        f"{S}/services/webhooks/receive.py",
        "            return _LATER\n        except _NoAccountError",
        "            return Answer(200, answer)\n        except _NoAccountError",
        ("tests/faults/test_callbacks.py",),
        pairs="lme webhook: ingest_webhook dynamodb|trackingmore webhook: ingest_webhook dynamodb",
    ),
    Guard(
        4,
        "a push whose signature is wrong is not believed",
        f"{S}/carriers/lme/signing.py",
        "    except (InvalidSignature, binascii.Error, ValueError):\n        return False",
        "    except (InvalidSignature, binascii.Error, ValueError):\n        return True",
        ("tests/property/test_outside_bytes.py",),
    ),
    Guard(
        5,
        "an order moves by the table alone",
        f"{S}/domain/orders.py",
        "if to not in _FOLLOWS[self.status]:",
        "if False:",
        (f"{U}/domain/test_order_status.py",),
    ),
    Guard(
        5,
        "an order that was settled while it was taken back is left alone",
        f"{S}/services/orders/submission.py",
        "            among=(*OPEN, OrderStatus.NEEDS_ATTENTION),\n        )[0]",
        "            among=OrderStatus,\n        )[0]",
        ("tests/model/test_order_life.py",),
    ),
    Guard(
        3,
        "a cancellation to which the carrier agreed counts, whatever was written meanwhile",
        f"{S}/services/orders/transitions.py",
        "agreed = isinstance(answer, Cancellation)",
        "agreed = False",
        ("tests/faults/test_refused_cancellations.py",),
    ),
    Guard(
        5,
        "a timeline is in the order of its events' own times",
        f"{S}/domain/trackings.py",
        "return sorted(by_code, key=lambda event: (event.at, -_rank(event.status)))",
        "return by_code",
        ("tests/property/test_timelines.py",),
        pairs="ubi disorder: poll_trackings dynamodb|lme disorder: process_webhook dynamodb",
    ),
    Guard(
        6,
        "a change that cannot be read is set aside",
        f"{S}/services/events/stream_router.py",
        "                    outbox.rejects.append(_reject(record, error))",
        "                    raise",
        (f"{U}/services/events/test_stream_router.py",),
    ),
    Guard(
        6,
        "what the sweep cannot deal with leaves the rest alone",
        f"{S}/services/operator/sweep.py",
        "                except Exception as error:\n                    log.error(\n"
        '                        "an overdue item could not be handled; it is postponed",',
        "                except ZeroDivisionError as error:\n                    log.error(\n"
        '                        "an overdue item could not be handled; it is postponed",',
        (f"{U}/services/operator/test_sweep.py",),
    ),
    Guard(
        7,
        "a key must have the scope of the call",
        f"{S}/http/api.py",
        "if scopes and self.scopes.isdisjoint(scopes):",
        "if False:",
        (f"{U}/http/test_tenants_and_keys.py",),
    ),
    Guard(
        7,
        "every key of the store begins with the tenant",
        f"{S}/store/keys.py",
        'return f"T#{tenant}#"',
        'return "T#acme#"',
        (f"{U}/http/test_tenants_and_keys.py",),
    ),
    Guard(
        7,
        "without a valid key a request is nobody's",
        f"{S}/http/api.py",
        'if self._key.get("auth") != "ok" or not tenant:',
        "if not tenant:",
        (f"{U}/http/test_tenants_and_keys.py",),
    ),
    Guard(
        8,
        "an unexpected error is logged without its message",
        f"{S}/observability/logs.py",
        '        "error": type(error).__name__,\n        "aws"',
        '        "error": str(error),\n        "aws"',
        ("tests/faults/test_marked_data.py",),
    ),
    Guard(
        8,
        "what leaves a handler says its class alone",
        f"{S}/observability/logs.py",
        "                raise UnexpectedError(type(error).__name__) from None",
        "                raise",
        ("tests/faults/test_marked_data.py",),
    ),
    Guard(
        9,
        "a token bucket holds no more calls than its burst",
        f"{S}/store/limits.py",
        "slack = math.floor((burst - 1) * interval)",
        "slack = math.floor((burst - 1) * interval) * 1000",
        (f"{U}/services/accounts/test_limits_of_calls.py",),
    ),
    Guard(
        9,
        "a courier is asked about one parcel once in two hours",
        f"{S}/store/trackings.py",
        '"attribute_not_exists(realtime_at) OR realtime_at <= :before"',
        '"attribute_exists(pk) OR realtime_at <= :before"',
        (f"{U}/store/test_trackings.py", f"{U}/functions/trackings/test_change_trackings.py"),
    ),
    Guard(
        10,
        "a function may do exact operations of the table",
        "infra/constructs/table.py",
        'allow(*(f"dynamodb:{name}" for name in operations), on=self.used.table_arn)',
        'allow("dynamodb:*", on=self.used.table_arn)',
        ("tests/infra/test_permissions.py", "tests/infra/test_stack.py"),
    ),
    Guard(
        10,
        "a function may do them on exact resources",
        "infra/constructs/access.py",
        "resources=[on] if isinstance(on, str) else on)",
        'resources=["*"])',
        ("tests/infra/test_permissions.py", "tests/infra/test_stack.py"),
    ),
    Guard(
        11,
        "a status is announced when it has changed",
        f"{S}/services/events/news.py",
        "moved = before is None or before.status is not after.status",
        "moved = True",
        (f"{U}/services/events/test_news.py", f"{U}/services/events/test_stream_router.py"),
        pairs="ubi create: route_changes dynamodb|lso create: route_changes events",
    ),
    Guard(
        11,
        "an event that the bus refused is sent again",
        f"{S}/services/event_bus.py",
        'if "ErrorCode" in result]',
        'if "NoError" in result]',
        (f"{U}/services/events/test_announcer.py", f"{U}/services/events/test_stream_router.py"),
        pairs="route_changes events.PutEvents partial|route_changes events.PutEvents",
    ),
    Guard(
        12,
        "a cancelled order of a batch is not counted as confirmed",
        f"{S}/domain/batches.py",
        'OrderStatus.CANCELLED: "failed",',
        'OrderStatus.CANCELLED: "confirmed",',
        (f"{U}/services/batches", f"{U}/store/test_batches.py", f"{U}/functions/orders/test_batches.py"),
    ),
    Guard(
        12,
        "an order shows the parcel that is furthest behind",
        f"{S}/domain/trackings.py",
        "def furthest_behind(statuses: Iterable[TrackingStatus]) -> TrackingStatus:",
        "def furthest_behind(statuses: Iterable[TrackingStatus]) -> TrackingStatus:\n"
        "    return TrackingStatus.DELIVERED\n\n\n"
        "def _was(statuses: Iterable[TrackingStatus]) -> TrackingStatus:",
        (f"{U}/functions/trackings/test_delivery_status.py",),
    ),
    Guard(
        12,
        "a recipient is shown only the events that are for recipients",
        f"{S}/domain/trackings.py",
        "(event for event in tracking.events if event.visible_to_recipient)",
        "(event for event in tracking.events)",
        (f"{U}/functions/test_show_tracking_page.py",),
    ),
    Guard(
        12,
        "a place that may be a door or a telephone is not shown to whoever has the link",
        f"{S}/http/recipient/view.py",
        " or _NOT_IN_PLACES.search(_plain(text))",
        "",
        (f"{U}/functions/test_show_tracking_page.py",),
    ),
)
