"""What each function may do, and what of it no test uses."""

from collections.abc import Mapping

from parcelgate.http.routes import FUNCTIONS

READ = {"dynamodb:GetItem"}
WRITE = {"dynamodb:GetItem", "dynamodb:PutItem"}
"""Changing an order: it is written whole."""
CHANGE = WRITE | {"dynamodb:UpdateItem"}
"""Changing also what is claimed for a while: a carrier's token, an idempotency key, a webhook."""
SETTLE = CHANGE | {"dynamodb:DeleteItem"}
"""Letting go as well: of the reference of an order at its end, or of a key without an answer."""
JOIN = SETTLE | {"dynamodb:BatchGetItem"}
"""Reading several things at once as well: parcels of orders or that are due, orders of a manifest."""
READ_ACCOUNT = {"accounts": {"secretsmanager:GetSecretValue"}}
"""Enough for an aggregator, which has no token to be kept."""
CALL_CARRIER = {**READ_ACCOUNT, "key": {"kms:Encrypt", "kms:Decrypt"}}
SEND = {"sqs:SendMessage"}
BATCHES = {
    "route_changes",
    "sweep",
    "create_batch",
    "work_batch",
    "manage_endpoints",
    "deliver_event",
}
"""Those who send many messages in one call."""
LOOK = {"sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
"""Counting dead letters, and looking at some of them."""
WORK = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}

MAY: dict[str, dict[str, set[str]]] = {
    "authorize": {"table": READ},
    "create_order": {
        "table": SETTLE,
        "accounts": {"secretsmanager:GetSecretValue"},
        "order flow": {"states:StartExecution"},
        "retry queue": SEND,
    },
    "create_batch": {
        "table": JOIN | {"dynamodb:Query"},
        "batch bodies": {"s3:PutObject"},
        **READ_ACCOUNT,
        "batch queue": SEND,
    },
    "read_batch": {"table": {"dynamodb:Query"}},
    "work_batch": {
        "table": SETTLE | {"dynamodb:Query"},
        "batch bodies": {"s3:GetObject"},
        "batch queue": WORK | SEND,
        "accounts": {"secretsmanager:GetSecretValue"},
        "order flow": {"states:StartExecution"},
        "retry queue": SEND,
    },
    "read_orders": {
        "table": READ | {"dynamodb:BatchGetItem", "dynamodb:Query"},
        "table by_time": {"dynamodb:Query"},
        "table by_status": {"dynamodb:Query"},
        "table by_reference": {"dynamodb:Query"},
    },
    "get_label": {"table": CHANGE, "labels": {"s3:GetObject", "s3:PutObject"}, **CALL_CARRIER},
    "serve_label_documents": {
        "table": SETTLE,
        "print queue": SEND,
        "label documents": {"s3:GetObject"},
    },
    "print_labels": {
        "table": WRITE | {"dynamodb:BatchGetItem"},
        "labels": {"s3:GetObject"},
        "label documents": {"s3:PutObject"},
        "print queue": WORK,
    },
    "cancel_order": {"table": JOIN, "retry queue": SEND, **CALL_CARRIER},
    "quote_rates": {"table": SETTLE | {"dynamodb:Query"}, **CALL_CARRIER},
    "manage_rate_cards": {
        "table": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"},
        **READ_ACCOUNT,
    },
    "check_accounts": {"table": SETTLE | {"dynamodb:Query"}, **CALL_CARRIER},
    "operate": {
        "table": JOIN | {"dynamodb:Query"},
        "table by_time": {"dynamodb:Query"},
        "events table": {"dynamodb:Query"},
        "inbox queue": SEND,
        "label queue": SEND,
        "print queue": SEND,
        "nudge queue": SEND,
        "delivery queue": SEND,
        "batch queue": SEND,
        "retry queue": SEND,
        "delivery dead letters": LOOK | {"sqs:DeleteMessage"},
        "changes dead letters": LOOK,
        "order flow dead letters": LOOK,
        "sweep dead letters": LOOK,
        "poll dead letters": LOOK | {"sqs:DeleteMessage"},
        "inbox dead letters": LOOK | {"sqs:DeleteMessage"},
        "label dead letters": LOOK | {"sqs:DeleteMessage"},
        "batch dead letters": LOOK | {"sqs:DeleteMessage"},
        "retry dead letters": LOOK | {"sqs:DeleteMessage"},
    },
    "erase_order": {
        "table": JOIN | {"dynamodb:Query"},
        "events table": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        "events table by_order": {"dynamodb:Query"},
        "labels": {"s3:DeleteObjectVersion"},
        "list of labels": {"s3:ListBucketVersions"},
        "batch bodies": {"s3:DeleteObject"},
    },
    "manage_settings": {"table": WRITE},
    "change_order": {"table": JOIN, **CALL_CARRIER},
    "close_manifest": {"table": JOIN, **CALL_CARRIER},
    "validate_address": {"table": SETTLE, **CALL_CARRIER},
    "list_services": {"table": CHANGE, **CALL_CARRIER},
    "follow_parcels": {"table": JOIN, **READ_ACCOUNT},
    "change_trackings": {
        "table": JOIN,
        "nudge queue": SEND,
        **READ_ACCOUNT,
    },
    "ask_aggregator": {"table": SETTLE, **READ_ACCOUNT},
    "read_trackings": {
        "table": READ | {"dynamodb:BatchGetItem", "dynamodb:Query"},
        "table by_time": {"dynamodb:Query"},
        "table by_status": {"dynamodb:Query"},
        "table by_reference": {"dynamodb:Query"},
    },
    "read_events": {
        "table": READ,
        "events table": READ | {"dynamodb:BatchGetItem"},
        "events table by_time": {"dynamodb:Query"},
        "events table by_topic": {"dynamodb:Query"},
        "events table by_type": {"dynamodb:Query"},
        "events table by_order": {"dynamodb:Query"},
        "events table by_order_type": {"dynamodb:Query"},
        "events table by_subject": {"dynamodb:Query"},
        "events table by_tracking_type": {"dynamodb:Query"},
    },
    "manage_endpoints": {
        "table": SETTLE,
        "events table": JOIN | {"dynamodb:Query"},
        "events table by_time": {"dynamodb:Query"},
        "key": {"kms:Encrypt", "kms:Decrypt"},
        "delivery queue": SEND,
        "event bus": {"events:PutEvents"},
    },
    "deliver_event": {
        "events table": CHANGE | {"dynamodb:Query"},
        "key": {"kms:Decrypt"},
        "delivery queue": WORK | SEND | {"sqs:ChangeMessageVisibility"},
        "event bus": {"events:PutEvents"},
    },
    "show_tracking_page": {"table": READ | {"dynamodb:BatchGetItem"}},
    "describe_service": {"table": {"dynamodb:Query"}},
    "serve_pages": {},
    "ingest_webhook": {"table": CHANGE, "accounts": {"secretsmanager:GetSecretValue"}},
    "process_webhook": {
        "table": CHANGE | {"dynamodb:BatchGetItem"},
        "accounts": {"secretsmanager:GetSecretValue"},
        "inbox queue": WORK,
        "nudge queue": SEND,
        "order flow": {"states:SendTaskSuccess"},
        "retry queue": SEND,
    },
    "submit_order": {
        "table": SETTLE,
        "order flow": {"states:SendTaskFailure", "states:SendTaskHeartbeat"},
        **CALL_CARRIER,
    },
    "check_order": {"table": CHANGE, "labels": {"s3:PutObject"}, **CALL_CARRIER},
    "fetch_label": {"table": CHANGE, "labels": {"s3:PutObject"}, **CALL_CARRIER},
    "compensate_order": {"table": SETTLE, **CALL_CARRIER},
    "check_release": {
        "any function": {"lambda:InvokeFunction"},
        "deployments": {"codedeploy:PutLifecycleEventHookExecutionStatus"},
        "*": {"codedeploy:BatchGetDeploymentTargets", "codedeploy:ListDeploymentTargets"},
    },
    "escalate_order": {"table": WRITE},
    "close_order_flow": {"table": WRITE, "order flow dead letters": SEND},
    "sweep": {
        "table": CHANGE | {"dynamodb:Query"},
        "table due": {"dynamodb:Query"},
        "order flow": {"states:StartExecution"},
        "executions": {"states:DescribeExecution"},
        "inbox queue": SEND,
        "retry queue": SEND,
        "batch queue": SEND,
    },
    "route_changes": {
        "stream": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
        "*": {"dynamodb:ListStreams"},
        "inbox queue": SEND,
        "label queue": SEND,
        "table": {
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:Query",
            # Orders, parcels and webhooks are counted.
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        },
        "events table": {"dynamodb:PutItem", "dynamodb:Query"},
        "delivery queue": SEND,
        "event bus": {"events:PutEvents"},
        "changes dead letters": SEND,
    },
    "label_order": {
        "table": CHANGE,
        "labels": {"s3:PutObject"},
        "label queue": WORK | SEND | {"sqs:ChangeMessageVisibility"},
        **CALL_CARRIER,
    },
    "poll_trackings": {"table": JOIN | {"dynamodb:Query"}, "table due": {"dynamodb:Query"}, **CALL_CARRIER},
    "poll_nudged": {
        "table": JOIN,
        "nudge queue": WORK | SEND | {"sqs:ChangeMessageVisibility"},
        **CALL_CARRIER,
    },
    "retry_order": {
        "table": SETTLE,
        "labels": {"s3:PutObject"},
        "retry queue": WORK | SEND | {"sqs:ChangeMessageVisibility"},
        "retry dead letters": SEND,
        **CALL_CARRIER,
    },
}
for _name, _function in FUNCTIONS.items():
    if any(not route.open for route in _function.routes):
        # Whoever answers clients counts what each asks for.
        MAY[_name]["usage table"] = {"dynamodb:UpdateItem"}
CALL_NO_CARRIER = {"create_batch", "ingest_webhook", "manage_rate_cards", "process_webhook"}
"""They read an account, to check an order, a webhook or the account's name by what its secret says."""
COUNT_LOGINS = {name for name, things in MAY.items() if "accounts" in things} - CALL_NO_CARRIER
"""Whoever calls carriers counts the calls of logins that several accounts have, in the same table."""
COUNT_LOGINS_ALONE = {name for name in COUNT_LOGINS if "usage table" not in MAY[name]}
for _name in COUNT_LOGINS_ALONE:
    MAY[_name]["usage table"] = {"dynamodb:UpdateItem"}
USE_THE_TABLES_KEY = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
"""What everybody may who uses the table, and through DynamoDB alone."""
OWN = {
    "own logs": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "*": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
}
"""What every function may do besides."""
ASKED_BY_LAMBDA = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
}
"""What the service does in a function's name to bring it its messages."""
_TOKEN = (
    "Whoever calls a carrier renews its token when it is due and keeps it encrypted. In process a test has a "
    "valid token at hand; on the stack it depends on who comes first."
)
_ACCOUNT = "In process these tests hand the accounts in. On the stack each call reads the secret."
_CLAIM = (
    "An idempotency key or a claim of the carrier's rate is taken and let go in the frame, for each function."
)
_NO_CODEDEPLOY = "There is no CodeDeploy here. A test gives its answers, in the form that botocore knows."
_SHARED = (
    "Most accounts have a login of their own. That the calls of a shared one are counted is tested below."
)
_HELD_BELOW = "The part below is tested by itself, with its own table or queue."


def _excused(reason: str, functions: str, *what: tuple[str, str]) -> dict[tuple[str, str, str], str]:
    return {(name, thing, action): reason for name in functions.split() for thing, action in what}


_DECRYPT, _ENCRYPT = ("key", "kms:Decrypt"), ("key", "kms:Encrypt")
_WORKFLOW = "check_order fetch_label compensate_order poll_trackings poll_nudged"
NOT_USED_BY_TESTS: dict[tuple[str, str, str], str] = {
    **_excused(
        _TOKEN,
        f"get_label cancel_order change_order close_manifest validate_address list_services label_order "
        f"retry_order {_WORKFLOW}",
        _DECRYPT,
        _ENCRYPT,
    ),
    **_excused(_TOKEN, "quote_rates check_accounts submit_order", _DECRYPT),
    **_excused(_ACCOUNT, f"submit_order {_WORKFLOW}", ("accounts", "secretsmanager:GetSecretValue")),
    **_excused(
        _CLAIM,
        "create_batch serve_label_documents check_accounts validate_address ask_aggregator poll_trackings",
        ("table", "dynamodb:DeleteItem"),
    ),
    **_excused(_CLAIM, "serve_label_documents manage_endpoints", ("table", "dynamodb:UpdateItem")),
    **_excused(
        _TOKEN,
        "list_services poll_trackings poll_nudged",
        ("table", "dynamodb:GetItem"),
        ("table", "dynamodb:PutItem"),
    ),
    **_excused(
        _NO_CODEDEPLOY,
        "check_release",
        ("any function", "lambda:InvokeFunction"),
        ("deployments", "codedeploy:PutLifecycleEventHookExecutionStatus"),
        ("*", "codedeploy:BatchGetDeploymentTargets"),
        ("*", "codedeploy:ListDeploymentTargets"),
    ),
    **_excused(_SHARED, " ".join(COUNT_LOGINS_ALONE), ("usage table", "dynamodb:UpdateItem")),
    **_excused(_HELD_BELOW, "work_batch", ("retry queue", "sqs:SendMessage")),
    **_excused(
        "Versions of the release before read it while a canary runs.",
        "read_events",
        ("events table by_order_type", "dynamodb:Query"),
        ("events table by_tracking_type", "dynamodb:Query"),
    ),
    **_excused(_HELD_BELOW, "deliver_event", _DECRYPT),
    **_excused(_HELD_BELOW, "close_order_flow", ("order flow dead letters", "sqs:SendMessage")),
    **_excused(_HELD_BELOW, "route_changes", ("changes dead letters", "sqs:SendMessage")),
    **_excused(_HELD_BELOW, "poll_nudged", ("nudge queue", "sqs:ChangeMessageVisibility")),
}
"""Why a permission stays though a run may pass without using it: function, thing, action.

Some are used by chance (whose token is due, who runs out of time), so that a run that uses one is no fault.
"""


def differences(calls: Mapping[str, set[tuple[str, str]]]) -> list[str]:
    """What roles allow that `calls` do not show, and what they show that no role allows, a line for each.

    Parameters
    ----------
    calls
        For each function what it was seen to ask of AWS: on what, which action.
    """
    lines = []
    for function, things in MAY.items():
        may = {(thing, action) for thing, actions in things.items() for action in actions}
        allowed = {(thing, action) for thing, action in may if action not in ASKED_BY_LAMBDA}
        excused = {(thing, action) for name, thing, action in NOT_USED_BY_TESTS if name == function}
        seen = calls.get(function, set())
        lines += [f"{function} may {a} on {t}: no test uses it" for t, a in sorted(allowed - excused - seen)]
        lines += [f"{function} used {a} on {t}: it may not" for t, a in sorted(seen - may)]
        lines += [f"{function} may not {a} on {t}: no excuse needed" for t, a in sorted(excused - allowed)]
    return lines
