"""An order's time is cut into pieces that add up to it, and each moment is somebody's."""

import pytest

from bench.order_to_label import MissingError, Order, Run, Timed, _cut, _drawn

ORDER = Order("ord_1", 0.0, 0.5, 3.0)
CALLED_BACK = 1.6
RUNS = [
    Run("authorize", 0.05, 0.10),
    Run("create_order", 0.2, 0.5),
    Run("submit_order", 0.7, 1.2),
    Run("ingest_webhook", 1.7, 1.8),
    Run("route_changes", 1.85, 1.95),
    Run("process_webhook", 2.0, 2.2),
    Run("check_order", 2.3, 2.9),
]
CALLS = [
    Timed("authorize", "dynamodb.GetItem", 0.06, 0.08),
    Timed("create_order", "dynamodb.TransactWriteItems", 0.25, 0.35),
    Timed("create_order", "states.StartExecution", 0.38, 0.40),
    Timed("create_order", "dynamodb.PutItem", 0.42, 0.45),
    Timed("submit_order", "lso POST /external-interface/lso/orderCommit", 0.9, 1.0),
    Timed("submit_order", "dynamodb.TransactWriteItems", 1.1, 1.15),
    Timed("ingest_webhook", "dynamodb.PutItem", 1.72, 1.78),
    Timed("route_changes", "sqs.SendMessageBatch", 1.90, 1.92),
    Timed("process_webhook", "states.SendTaskSuccess", 2.1, 2.15),
    Timed("check_order", "lso POST /external-interface/common/orderResult", 2.35, 2.40),
    Timed("check_order", "lso POST /external-interface/common/label", 2.6, 2.7),
    Timed("check_order", "s3.PutObject", 2.75, 2.8),
]


def test_the_pieces_follow_one_another_and_add_up() -> None:
    pieces = _cut(ORDER, CALLS, RUNS, CALLED_BACK)
    assert (pieces[0].began, pieces[-1].ended) == (ORDER.posted, ORDER.ready)
    assert [each.ended for each in pieces[:-1]] == [each.began for each in pieces[1:]]
    assert sum(sum(each.seconds().values()) for each in pieces) == pytest.approx(3.0)


def test_each_moment_is_somebodys() -> None:
    shares = {piece.name: piece.seconds() for piece in _cut(ORDER, CALLS, RUNS, CALLED_BACK)}
    expected = {
        "gateway, authorizer": (0, 0.17, 0.03),
        "create_order, until the flow starts": (0, 0.12, 0.08),
        "start of the flow": (0, 0.3, 0),
        "submit_order, until the commit": (0.1, 0, 0.2),
        "the carrier decides": (0.6, 0, 0),
        "its callback: gateway": (0, 0.1, 0),
        "ingest_webhook": (0, 0.06, 0.04),
        "stream, route_changes, queue": (0, 0.12, 0.08),
        "process_webhook, until the flow wakes": (0, 0.05, 0.1),
        "the flow goes on": (0, 0.15, 0),
        "check_order, the carrier's result": (0.05, 0, 0.25),
        "check_order, the label": (0.1, 0.05, 0.15),
        "until the client has seen it": (0, 0.1, 0),
    }
    assert {name: (each["carrier"], each["aws"], each["ours"]) for name, each in shares.items()} == {
        name: pytest.approx(share) for name, share in expected.items()
    }


def test_a_trace_that_is_missing_is_named() -> None:
    with pytest.raises(MissingError, match="check_order"):
        _cut(ORDER, CALLS, RUNS[:-1], CALLED_BACK)


def test_a_row_is_drawn_for_each_piece() -> None:
    pieces = _cut(ORDER, CALLS, RUNS, CALLED_BACK)
    picture = _drawn(pieces)
    assert all(piece.name.replace("'", "&#x27;") in picture for piece in pieces)
