"""`make differences`: for each row of docs/aws-differences.md takes the row's guard out, and runs its tests.

    make differences                      all of them; each about the template synthesizes the stack
    make differences ONLY=index           those whose row or guard has this word

The guard is taken out of a copy of the tree. A test that the row names must fail then, and pass with the
guard; tests of the running stack are left out. Ends with 1 when nobody misses a guard.
"""

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.mutants import __main__ as mutants
from tests.mutants.guards import Guard as OfPromise
from tests.support.pages import named_tests, rows

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "aws-differences.md"
S = "shared/parcelgate"


class Change(NamedTuple):
    """`old` stands in `path` exactly once; `new` in its place takes a guard out."""

    path: str
    old: str
    new: str


class Guard(NamedTuple):
    """A guard of the row that begins with `row`, and the changes that take it out together."""

    row: str
    what: str
    changes: tuple[Change, ...]


def named_by(row: str) -> tuple[str, ...]:
    """What the row's tests are for pytest: their files, and an expression of their names."""
    (cells,) = [cells for cells in rows(PAGE, "| on AWS") if cells[0].startswith(row)]
    named = [each for each in named_tests(cells[2]) if not each.startswith("tests/stack/")]
    files = dict.fromkeys(each.partition("::")[0] for each in named)
    names = [each.partition("::")[2] or Path(each).stem for each in named]
    return (*files, "-k", " or ".join(names))


def judged(guard: Guard, tree: Path) -> tuple[bool, str]:
    """Whether a test notices that the guard is gone, and which."""
    tests = named_by(guard.row)
    with ExitStack() as taken_out:
        for change in guard.changes:
            one = OfPromise(0, guard.what, *change, tests)
            taken_out.enter_context(mutants.taken_out(one, tree))
        code, printed = mutants.tried(tree, tests)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - .*)?$", printed, re.MULTILINE)
    if code != 1 or failed is None:
        return False, "NOT NOTICED" if code == 0 else f"pytest ended with {code}: {printed.strip()[-300:]}"
    code, _ = mutants.tried(tree, (failed[1],))
    return code == 0, failed[1] if code == 0 else f"{failed[1]} fails with the guard too"


def chosen(only: str) -> list[Guard]:
    """The guards that have this word in their row or their name."""
    return [guard for guard in GUARDS if only.lower() in f"{guard.row} {guard.what}".lower()]


def main() -> int:
    """Try the guards that ONLY names; return the exit code."""
    guards = chosen(os.environ.get("ONLY", ""))
    if not guards:
        print("No row has these words: see the first column of docs/aws-differences.md.", file=sys.stderr)
        return 2
    results: list[bool] = []
    with tempfile.TemporaryDirectory(prefix="parcelgate-differences-") as folder:
        mutants.copied(Path(folder))
        for guard in guards:
            noticed, by = judged(guard, Path(folder))
            results.append(noticed)
            print(f"{guard.row}: {guard.what}: {by}", flush=True)
    print(f"{sum(results)} of {len(results)} guards were caught by a test of their row")
    return 0 if all(results) else 1


GUARDS: Sequence[Guard] = (
    Guard(
        "Lambda takes 6 MB of request",
        "bodies over the limit are refused",
        (
            Change(
                f"{S}/http/requests/formats/reading.py",
                "    if len(raw) > most:\n",
                "    if False:\n",
            ),
        ),
    ),
    Guard(
        "Lambda takes 6 MB of answer",
        "a page is cut where an answer would be too large",
        (
            Change(
                f"{S}/http/answers.py",
                "    return sum(size <= LARGEST_PAGE for size in "
                "accumulate(len(encode(each)) for each in resources))",
                "    return sum(1 for _ in resources)",
            ),
        ),
    ),
    Guard(
        "An item of the table",
        "an answer is measured before it is sent",
        (
            Change(
                f"{S}/store/idempotency.py",
                "        if len(body) > LARGEST_BODY:\n            return False\n",
                "",
            ),
        ),
    ),
    Guard(
        "An item of the table",
        "an answer that the table refuses is not kept",
        (
            Change(
                f"{S}/store/idempotency.py",
                "        except (ConditionFailedError, ItemTooLargeError):\n"
                "            return False\n        return True",
                "        except ConditionFailedError:\n            return False\n        return True",
            ),
        ),
    ),
    Guard(
        "The gateway waits",
        "a create gives its carrier ten seconds",
        (
            Change(
                "functions/create_order/handler.py",
                "CARRIER_SECONDS = 10.0",
                "CARRIER_SECONDS = 25.0",
            ),
        ),
    ),
    Guard(
        "Webhooks of up to 10 MB",
        "a webhook that is too large is kept as its size and hash",
        (
            Change(
                f"{S}/services/webhooks/receive.py",
                "            body = kept(body)\n",
                "",
            ),
        ),
    ),
    Guard(
        "An execution's history",
        "the back-off of a refund grows to an hour",
        (
            Change(
                "infra/state_machines/order_flow.py",
                'retry(["RefundPending"], back_off | {"MaxDelaySeconds": settings.refund_retry_cap})',
                'retry(["RefundPending"], back_off | {"MaxDelaySeconds": 2})',
            ),
        ),
    ),
    Guard(
        "An execution's history",
        "rounds have a pause between them",
        (
            Change(
                "infra/state_machines/order_flow.py",
                '"SubmitLater": {"Type": "Wait", "Seconds": settings.retry_cap,',
                '"SubmitLater": {"Type": "Wait", "Seconds": 1,',
            ),
        ),
    ),
    Guard(
        "CloudFormation takes 500",
        "`make deploy` looks at the indexes",
        (
            Change(
                "local/deploy/command.py",
                "    seen.findings += changes.index_findings(old, new)\n",
                "",
            ),
        ),
    ),
    Guard(
        "Lambda refuses a reservation",
        "a hundred executions are left to others",
        (
            Change(
                "infra/settings.py",
                "_UNRESERVED = 100",
                "_UNRESERVED = 0",
            ),
        ),
    ),
    Guard(
        "Alarms read at most",
        "the local template has expressions under a condition",
        (
            Change(
                "infra/watching/alarms.py",
                "            alarm.node.default_child.cfn_options.condition = self._on_aws  "
                "# type: ignore[union-attr]\n",
                "            pass\n",
            ),
        ),
    ),
    Guard(
        "Two transactions on one item",
        "a conflict is tried again",
        (
            Change(
                f"{S}/store/calls.py",
                "            return write.refusal(None), False\n",
                "            return write.refusal(None), True\n",
            ),
        ),
    ),
    Guard(
        "A write whose answer is lost",
        "it is sent again",
        (
            Change(
                f"{S}/store/calls.py",
                "ASKED = 2",
                "ASKED = 1",
            ),
        ),
    ),
    Guard(
        "SQS delivers a message",
        "the mark is claimed by one sender alone",
        (
            Change(
                f"{S}/services/orders/submission.py",
                "return None if order.submission.sending_at else self._marking(order, sender, caller)",
                "return self._marking(order, sender, caller)",
            ),
        ),
    ),
    Guard(
        "SQS delivers a message",
        "a parcel is claimed by one worker alone",
        (
            Change(
                f"{S}/store/trackings.py",
                '"due_at <= :at AND (attribute_not_exists(claim_until) OR claim_until <= :at)"',
                '"due_at <= :at"',
            ),
        ),
    ),
    Guard(
        "Lambda, Step Functions and the scheduler",
        "a submission is claimed before it is made",
        (
            Change(
                f"{S}/services/orders/order_flow/workflow.py",
                "        if order.submission.sending_at is not None or order.status not in "
                "OPEN:\n            return _ending_of(order)\n",
                "",
            ),
            Change(
                f"{S}/services/orders/submission.py",
                "        if order.status not in OPEN or order.submission.sending_at is not "
                "None:\n            return order\n        if (held",
                "        if order.status not in OPEN:\n            return order\n        if (held",
            ),
            Change(
                f"{S}/services/orders/submission.py",
                "return None if order.submission.sending_at else self._marking(order, sender, caller)",
                "return self._marking(order, sender, caller)",
            ),
        ),
    ),
    Guard(
        "After a failure the stream",
        "events carry their sequence",
        (
            Change(
                f"{S}/services/event_bus.py",
                '"sequence": event.sequence}',
                '"sequence": 0}',
            ),
        ),
    ),
    Guard(
        "After a failure the stream",
        "an older state does not count after a newer one",
        (
            Change(
                f"{S}/store/tenants/stats.py",
                'if before is not None and before["version"] >= thing.version:',
                "if False:",
            ),
        ),
    ),
    Guard(
        "After a failure the stream",
        "an event that is made again has the same id",
        (
            Change(
                f"{S}/domain/merchants/events.py",
                '    return fixed_id("evt", at, tenant, subject_id, sequence, kind)',
                "    from uuid import uuid4\n\n"
                '    return fixed_id("evt", at, tenant, subject_id, sequence, kind, '
                "uuid4().hex)",
            ),
        ),
    ),
    Guard(
        "Lambda brings again",
        "a batch of messages that was not sent is reported",
        (
            Change(
                f"{S}/services/events/stream_router.py",
                "                refused = list(batch)\n",
                "                refused = []\n",
            ),
        ),
    ),
    Guard(
        "Lambda brings again",
        "the handler reports what was not sent on",
        (
            Change(
                "functions/route_changes/handler.py",
                '[{"itemIdentifier": number} for number in failed]',
                '[{"itemIdentifier": number} for number in failed[:0]]',
            ),
        ),
    ),
    Guard(
        "Webhooks and polls arrive",
        "the newest event by its own time decides",
        (
            Change(
                f"{S}/domain/trackings.py",
                "    by_code = sorted(events, key=lambda event: (event.code, event.id), "
                "reverse=True)\n    return sorted(by_code, key=lambda event: (event.at, "
                "-_rank(event.status)))",
                "    return list(events)",
            ),
        ),
    ),
    Guard(
        "A callback may come",
        "it is noted before the flow is woken",
        (
            Change(
                f"{S}/services/webhooks/process.py",
                "            order = self._note_callback(order)\n",
                "            pass\n",
            ),
        ),
    ),
    Guard(
        "Indexes lag",
        "the present status of an order decides",
        (
            Change(
                f"{S}/store/orders.py",
                "status in (None, order.status)\n",
                "True\n",
            ),
        ),
    ),
    Guard(
        "Indexes lag",
        "the present status of a parcel decides",
        (
            Change(
                f"{S}/store/trackings.py",
                "status in (None, tracking.status)\n",
                "True\n",
            ),
        ),
    ),
    Guard(
        "Indexes lag",
        "what is gone is left out",
        (
            Change(
                f"{S}/store/calls.py",
                "return [items[place] for place in places if place in items]",
                "return [items[place] for place in places]",
            ),
        ),
    ),
    Guard(
        "A batch read",
        "what was left out is read again",
        (
            Change(
                f"{S}/store/calls.py",
                'left = list(unprocessed["Keys"]) if unprocessed else []',
                "left = []",
            ),
        ),
    ),
    Guard(
        "The table throttles",
        "a throttled transaction is tried again",
        (
            Change(
                f"{S}/store/calls.py",
                "return ThrottledError(code), False",
                "return ThrottledError(code), True",
            ),
        ),
    ),
    Guard(
        "The table throttles",
        "a busy table is no error of the webhook receiver",
        (
            Change(
                f"{S}/services/webhooks/receive.py",
                "passing = isinstance(error, ThrottledError)",
                "passing = False",
            ),
        ),
    ),
    Guard(
        "SQS, the bus, S3",
        "a queue that is down brings its messages back",
        (
            Change(
                f"{S}/services/events/stream_router.py",
                "refused = list(batch)",
                "refused = []",
            ),
        ),
    ),
    Guard(
        "SQS, the bus, S3",
        "a carrier's answer that cannot be stored is no error",
        (
            Change(
                f"{S}/services/orders/submission.py",
                "AWS_TROUBLE = (StoreError, BotoCoreError, ClientError)",
                "AWS_TROUBLE = ()",
            ),
        ),
    ),
    Guard(
        "Lambda throttles a state",
        "the state is called again",
        (
            Change(
                "infra/state_machines/order_flow.py",
                '    "Lambda.TooManyRequestsException",\n',
                "",
            ),
        ),
    ),
    Guard(
        "A function is killed",
        "an order is marked with the time by which it is looked after",
        (
            Change(
                f"{S}/services/orders/submission.py",
                "return transitions.marked(order, submission, at=at, watch_at=due)",
                "return transitions.marked(order, submission, at=at, watch_at=None)",
            ),
        ),
    ),
    Guard(
        "A function is killed",
        "so is a batch",
        (
            Change(
                f"{S}/services/batches/batches.py",
                "due_at=at + self.settings.deadline_margin, claim",
                "due_at=at + 9999 * self.settings.deadline_margin, claim",
            ),
        ),
    ),
    Guard(
        "The token of a state",
        "nobody waits for a token that is gone",
        (
            Change(
                f"{S}/services/webhooks/process.py",
                "            if is_gone(error):\n                return False",
                "            if is_gone(error):\n                return True",
            ),
        ),
    ),
    Guard(
        "The token of a state",
        "the refusal of a token is known",
        (
            Change(
                f"{S}/services/orders/order_flow/task_tokens.py",
                'frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})',
                "frozenset()",
            ),
        ),
    ),
    Guard(
        "SQS no longer reports",
        "the worker reports the age",
        (
            Change(
                f"{S}/services/redelivery.py",
                '    duration("WorkAge", age.total_seconds())\n',
                "",
            ),
        ),
    ),
    Guard(
        "Our clock and a carrier's",
        "a webhook of another time is not believed (TrackingMore)",
        (
            Change(
                f"{S}/carriers/trackingmore/signing.py",
                "    return abs((time if time.tzinfo else time.replace(tzinfo=UTC)) - now) <= tolerance",
                "    return True",
            ),
        ),
    ),
    Guard(
        "Our clock and a carrier's",
        "the same (LME)",
        (
            Change(
                f"{S}/carriers/lme/signing.py",
                "    if abs(now - (_EPOCH + timedelta(milliseconds=int(timestamp)))) > tolerance:",
                "    if False:",
            ),
        ),
    ),
    Guard(
        "The clocks of two of our functions",
        "a sender's mark ends some seconds late",
        (
            Change(
                f"{S}/services/orders/submission.py",
                "_AFTERLIFE = timedelta(seconds=5)",
                "_AFTERLIFE = timedelta(seconds=0)",
            ),
        ),
    ),
    Guard(
        "The clocks of two of our functions",
        "a worker's place ends some seconds late",
        (
            Change(
                f"{S}/services/accounts/places.py",
                "_AFTERLIFE = timedelta(seconds=5)",
                "_AFTERLIFE = timedelta(seconds=0)",
            ),
        ),
    ),
    Guard(
        "The clocks of two of our functions",
        "a claim of a parcel ends some seconds late",
        (
            Change(
                f"{S}/services/trackings/polls.py",
                "_AFTERLIFE = timedelta(seconds=5)",
                "_AFTERLIFE = timedelta(seconds=0)",
            ),
        ),
    ),
    Guard(
        "The clocks of two of our functions",
        "so does the lease of an idempotency key",
        (
            Change(
                f"{S}/services/idempotency.py",
                "LEASE = timedelta(minutes=2)",
                "LEASE = timedelta(seconds=28)",
            ),
        ),
    ),
    Guard(
        "An environment is frozen",
        "what may buy goes over no kept connection",
        (
            Change(
                f"{S}/carriers/toolkit/transport.py",
                "keeps = request.safe and not request.public_only",
                "keeps = not request.public_only",
            ),
        ),
    ),
    Guard(
        "An environment is frozen",
        "a question is asked again",
        (
            Change(
                f"{S}/carriers/toolkit/transport.py",
                "if not (keeps and attempt.was_cut(error)):",
                "if True:",
            ),
        ),
    ),
    Guard(
        "An environment is frozen",
        "a connection to AWS is replaced",
        (
            Change(
                f"{S}/aws_clients.py",
                "ATTEMPTS = 3",
                "ATTEMPTS = 1",
            ),
        ),
    ),
    Guard(
        "An environment is frozen",
        "a claim is held against the present time",
        (
            Change(
                f"{S}/services/trackings/polls.py",
                "or any(parcel.claim.until <= self._clock() for parcel in parcels)",
                "or False",
            ),
        ),
    ),
    Guard(
        "An environment serves",
        "a call begins without the keys of the one before",
        (
            Change(
                f"{S}/observability/logs.py",
                "log.structure_logs(function_request_id=getattr(context",
                "log.append_keys(function_request_id=getattr(context",
            ),
        ),
    ),
    Guard(
        "An environment serves",
        "a record ends with the keys that it found",
        (
            Change(
                f"{S}/observability/logs.py",
                "        log.structure_logs(**before)",
                "        pass",
            ),
        ),
    ),
    Guard(
        "An environment serves",
        "an idempotency key counts within its tenant",
        (
            Change(
                f"{S}/store/idempotency.py",
                "keys.key(self._tenant, _KIND, key_hash)",
                'keys.key("any", _KIND, key_hash)',
            ),
        ),
    ),
    Guard(
        "Cold starts",
        "a handler loads only what it needs",
        (
            Change(
                "functions/read_orders/handler.py",
                "from parcelgate.domain.orders import Order\n",
                "import httpx  # noqa: F401\nfrom parcelgate.domain.orders import Order\n",
            ),
        ),
    ),
    Guard(
        "A policy that we set",
        "CloudWatch may publish alarms",
        (
            Change(
                "infra/watching/alarms.py",
                '        self._let_publish("cloudwatch.amazonaws.com")\n',
                "",
            ),
        ),
    ),
    Guard(
        "A function that may query one partition",
        "the policy names the partition",
        (
            Change(
                "infra/constructs/table.py",
                '            conditions={"ForAllValues:StringEquals": '
                '{"dynamodb:LeadingKeys": [*partitions]}},\n',
                "",
            ),
        ),
    ),
    Guard(
        "Only a function with rights",
        "only the local settings say `*`",
        (
            Change(
                "infra/parts/foundation.py",
                'if operation.startswith("SendTask") and self.settings.local:',
                'if operation.startswith("SendTask"):',
            ),
        ),
    ),
    Guard(
        "Using the table",
        "roles have rights on its key",
        (
            Change(
                "infra/constructs/table.py",
                "            *statements, self._through_the_table(*_KEY_OF_TABLE), **{variable",
                "            *statements, **{variable",
            ),
        ),
    ),
    Guard(
        "Plain HTTP is refused",
        "queues have the policy",
        (
            Change(
                "infra/constructs/queue_worker.py",
                "*([] if settings.local else [_over_tls_alone(queues)])",
                "*[]",
            ),
        ),
    ),
    Guard(
        "Protected resources",
        "nothing is protected in the first pass",
        (
            Change(
                "infra/settings.py",
                "return self.protect_data and not self.first_deployment",
                "return self.protect_data",
            ),
        ),
    ),
    Guard(
        "CloudFormation may do only",
        "the role may make schedules",
        (
            Change(
                "infra/policies/cloudformation.json",
                '"Action": "scheduler:*"',
                '"Action": "scheduler:CreateSchedule"',
            ),
        ),
    ),
    Guard(
        "Functions run on ARM",
        "wheels are for ARM",
        (
            Change(
                "infra/bundle.py",
                '"aarch64-manylinux2014"',
                '"x86_64-manylinux2014"',
            ),
        ),
    ),
    Guard(
        "The ARM bundle",
        "a version that fails is refused",
        (
            Change(
                f"{S}/services/operator/releases.py",
                'status="Succeeded" if works else "Failed"',
                'status="Succeeded"',
            ),
        ),
    ),
    Guard(
        "The ARM bundle",
        "`make deploy` asks every function",
        (
            Change(
                "local/deploy/command.py",
                'faults = list(smoke.ask(account.client("lambda", region), settings, _functions(template)))',
                "faults = []",
            ),
        ),
    ),
    Guard(
        "A version keeps its code",
        "another layer makes another version",
        (
            Change(
                "infra/app.py",
                'FLAGS = {"@aws-cdk/aws-lambda:recognizeLayerVersion": True}',
                'FLAGS = {"@aws-cdk/aws-lambda:recognizeLayerVersion": False}',
            ),
        ),
    ),
    Guard(
        "CodeDeploy moves the calls",
        "alarms take a release back",
        (
            Change(
                "infra/parts/releases.py",
                "deployment_in_alarm=bool(settings.rollback_on_alarms)",
                "deployment_in_alarm=False",
            ),
        ),
    ),
    Guard(
        "A table is restored",
        "the stack runs on the table that a setting names",
        (
            Change(
                "infra/constructs/table.py",
                '*(f"dynamodb:{name}" for name in operations), on=self.used.table_arn',
                '*(f"dynamodb:{name}" for name in operations), on=self.table_arn',
            ),
        ),
    ),
    Guard(
        "The gateway has its own limits",
        "a request fits with its parameters at their longest",
        (
            Change(
                f"{S}/http/requests/queries/reading.py",
                '"maxLength": 4096}',
                '"maxLength": 8192}',
            ),
        ),
    ),
    Guard(
        "The gateway has its own limits",
        "a batch fits into what Lambda takes",
        (
            Change(
                f"{S}/http/routes.py",
                "MAX_BATCH_BYTES = 4 * 1024 * 1024",
                "MAX_BATCH_BYTES = 5 * 1024 * 1024",
            ),
        ),
    ),
)
"""At least one for each row. A row of several guards has each of them."""
