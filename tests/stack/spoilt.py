"""Calls that go wrong on the running stack: what is tried while other tests run.

Functions that serve several tenants at once are left alone where a fault could be seen by other tests.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from local.command.deployment import Deployment
from local.stack.stack import Stack
from tests.faults.stack import again, pairs
from tests.faults.stack.pairs import Pair, Result
from tests.faults.stack.trials import Ground, merchants

AT_ONCE = 8
SEED, SEEDED = 20, 6
UBI, LME, LSO = "ubi create", "lme create", "lso create"
WRITE = "dynamodb.TransactWriteItems"
UBI_CREATE, UBI_LABEL = "ubi POST /services/shipper/orders", "ubi POST /services/shipper/labels"
LSO_COMMIT = "lso POST /external-interface/lso/orderCommit"
LSO_RESULT = "lso POST /external-interface/common/orderResult"
SHARED = {"deliver_event", "poll_trackings", "process_webhook", "route_changes"}

ROUTER = "route_changes"

GROUPS: dict[str, list[Pair]] = {
    "throttled": [
        Pair(UBI, "create_order", WRITE, 1, "throttle"),
        Pair(UBI, "create_order", "secretsmanager.GetSecretValue", 1, "throttle"),
        Pair(UBI, "label_order", "s3.PutObject", 1, "throttle"),
        Pair(LSO, "create_order", "states.StartExecution", 1, "throttle"),
        Pair(LSO, "submit_order", "kms.Encrypt", 1, "throttle"),
        Pair(UBI, "route_changes", "sqs.SendMessageBatch", 1, "throttle"),
        Pair(LME, "route_changes", "events.PutEvents", 1, "throttle"),
    ],
    "conflict": [
        Pair(UBI, "create_order", WRITE, 1, "conflict"),
        Pair(LME, "create_order", WRITE, 2, "conflict"),
        Pair(UBI, "label_order", WRITE, 1, "conflict"),
    ],
    "twice": [
        Pair(UBI, "route_changes", "sqs.SendMessageBatch", 1, "duplicate"),
        Pair(LSO, "create_order", "states.StartExecution", 1, "duplicate"),
    ],
    "in part": [
        Pair(UBI, "route_changes", "sqs.SendMessageBatch", 1, "partial"),
        Pair(LME, "route_changes", "events.PutEvents", 1, "partial"),
        Pair(LME, "route_changes", "dynamodb.BatchGetItem", 1, "partial"),
    ],
    "frozen": [
        Pair(UBI, "create_order", UBI_CREATE, 1, "freeze"),
        Pair(UBI, "label_order", "s3.PutObject", 1, "freeze"),
        Pair(LSO, "check_order", "dynamodb.GetItem", 1, "freeze"),
    ],
    "gateway": [Pair("ubi hasty", "create_order", UBI_CREATE, 1, "delay")],
    "killed": [
        Pair(UBI, "create_order", UBI_CREATE, 1, "kill_after"),
        Pair(LSO, "submit_order", LSO_COMMIT, 1, "kill_after"),
    ],
    "carrier": [
        Pair(UBI, "create_order", UBI_CREATE, 1, "anothers"),
        Pair(UBI, "create_order", UBI_CREATE, 1, "half_body"),
        Pair(UBI, "create_order", UBI_CREATE, 1, "slow_drip"),
        Pair(UBI, "label_order", UBI_LABEL, 1, "anothers"),
        Pair(LSO, "submit_order", LSO_COMMIT, 1, "reset_after"),
        Pair(LSO, "check_order", LSO_RESULT, 1, "anothers"),
    ],
}
"""What is tried of each difference between AWS, or a carrier, and a day on which nothing goes wrong."""

type Spoilt = Callable[[str], list[Result]]
"""Waits until everything is over and checked, and gives what became of a group; `seeded` is one too."""


@contextmanager
def tried(stack: Stack, deployment: Deployment) -> Iterator[Spoilt]:
    """Try all groups from now on, and some pairs of recorded steps in the sequence of a seed."""
    with merchants() as servers, ThreadPoolExecutor(1) as pool:
        ground = Ground(stack, deployment, servers)

        def work() -> dict[str, list[Result]]:
            steps, clean = pairs.recorded(ground, (UBI, LSO), "clean")
            alone = [pair for pair in steps if pair.function not in SHARED and not _is_slow(pair)]
            seeded = pairs.chosen(alone, seed=SEED, count=SEEDED)
            named = [pair for group in GROUPS.values() for pair in group]
            results = pairs.tried(ground, named + seeded, "spoilt", at_once=AT_ONCE)
            behind = {result.tenant for result in results if result.pair.function == ROUTER}
            again.replay_changes(ground, SEED, behind)
            by_pair = {result.pair: result for result in pairs.checked(ground, clean + results)}
            groups = {name: [by_pair[pair] for pair in group] for name, group in GROUPS.items()}
            return groups | {"seeded": [by_pair[pair] for pair in seeded] + clean}

        done: Future[dict[str, list[Result]]] = pool.submit(work)
        yield lambda group: done.result()[group]


def _is_slow(pair: Pair) -> bool:
    """Whether a pair ends long after the other tests: the message of a dead function stays hidden so long."""
    return pair.function == "label_order" and pair.fault.startswith("kill")
