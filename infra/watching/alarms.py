"""The alarms. Each is a symptom that a person must act on, and names its section of the runbook.

Few alarms watch many things: a metric without a function's name that the logger itself writes, or one
expression over the metrics of all queues or functions of a kind. CloudWatch takes at most ten metrics in an
alarm's expression, no SEARCH, and its queries know no pattern of names. It bills ten cents a month for each
metric that an alarm reads, whichever way they are put together.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import batched

from aws_cdk import CfnCondition, CfnParameter, Duration, Fn, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.functions import LambdaFunctions
from infra.constructs.queue_worker import QueueWorker
from infra.settings import ASK_CARRIERS, Settings
from parcelgate.http.smoke import AUTHORIZER

RAISES = ("check_order", "fetch_label", "compensate_order")
"""Functions that raise as part of their work. Lambda counts that as errors: deaths are read in their logs."""
IN_THE_BACKGROUND = (
    "deliver_event",
    "escalate_order",
    "label_order",
    "poll_nudged",
    "poll_trackings",
    "process_webhook",
    "retry_order",
    "route_changes",
    "submit_order",
    "sweep",
    "work_batch",
)
"""Functions that no client waits for, and that raise no exception in their normal work.

`close_order_flow` is missing: whatever fails there becomes a dead letter. What fails behind the API is seen
at the gateway.
"""

TROUBLES = {
    "needs_attention": ("orders-need-attention", "An order needs a person."),
    "refund_given_up": ("refunds-given-up", "A carrier has not given back the money of an order."),
    "late_success": ("late-success", "A carrier has an order that failed here."),
    "label_unavailable": ("labels-unavailable", "A confirmed order did not get its label in time."),
    "credentials_refused": ("credentials-refused", "A carrier does not accept an account's credentials."),
}
"""What the router counts of orders, with each one's alarm, which is also its section of the runbook."""

_DEATHS = ("Task timed out", "Runtime exited", "Runtime.ImportModuleError")
"""What Lambda writes into a function's log when the function itself cannot write any more."""
_TURNS = 10
"""How often, for each call that a function may do at once, it may be turned away in five minutes."""
_METRICS = 10
"""The largest number of metrics in one alarm's expression (CloudWatch)."""
_UNMATCHED = 10
"""Histories that match no parcel, within an hour. One or two may be a mistake of the carrier."""
_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
_FIVE_MINUTES = Duration.minutes(5)

_OLDEST = {
    "inbox": Duration.minutes(10),
    "labels": Duration.hours(1),
    "label-documents": Duration.minutes(10),
    "nudges": Duration.minutes(30),
    # A delivery waits for its endpoint up to half an hour each time; SQS counts the first two times.
    "deliveries": Duration.hours(2),
    "retries": Duration.hours(2),
    "batches": Duration.hours(1),
}
_BACKS_OFF = {"retries": "retry_order", "labels": "label_order"}
"""Queues whose messages are retried often, with the function that reports their age."""
_LONGEST_TRIED = Duration.hours(1)
_SLOW = Duration.seconds(10)
"""As long as a create waits for its carrier."""
_ENOUGH = 20
"""With fewer requests, a single slow one would already be one in twenty."""


class Alarms(Construct):
    """All alarms of the stack, and the topic that they notify."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, key: kms.Key) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.by_name: dict[str, cloudwatch.IAlarm] = {}
        self.topic = sns.Topic(
            self, "Topic", topic_name=settings.name("alarms"), master_key=key, enforce_ssl=not settings.local
        )
        self._key = key
        self._let_publish("cloudwatch.amazonaws.com")

    def _let_publish(self, service: str) -> None:
        """Let a service of AWS tell the topic; it needs the topic's key for that.

        A policy of its own replaces the one that SNS gives a topic, which would have let it in.
        """
        principal = iam.ServicePrincipal(service)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[principal],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        self._key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[principal],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
            )
        )

    def alarm_on_budget(self) -> None:
        """Tell when the AWS account's bill comes near the monthly budget, where there is one."""
        dollars = self._settings.monthly_budget
        if not dollars or self._settings.local:
            return
        self._let_publish("budgets.amazonaws.com")
        subscriber = budgets.CfnBudget.SubscriberProperty(
            subscription_type="SNS", address=self.topic.topic_arn
        )
        limits = (("ACTUAL", 80), ("FORECASTED", 100))
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=self._settings.name("budget"),
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=dollars, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in limits
            ],
        )

    def alarm_on_dead_letters(
        self,
        queues: Mapping[str, sqs.IQueue],
        *,
        retries: Mapping[str, QueueWorker],
        batches: Mapping[str, QueueWorker],
    ) -> None:
        """Alarm as soon as a message is in a dead-letter queue."""
        of_carriers = {
            "-retries": {f"retries-{name}": worker.dead_letters for name, worker in retries.items()},
            "-batches": {f"batches-{name}": worker.dead_letters for name, worker in batches.items()},
        }
        for suffix, watched in {"": queues, **of_carriers}.items():
            metrics = {
                name: queue.metric_approximate_number_of_messages_visible(
                    period=Duration.minutes(1), statistic="Maximum"
                )
                for name, queue in watched.items()
            }
            text = "A message could not be processed and is in the dead-letter queue of"
            self._sum(f"dead-letters{suffix}", metrics, "dead-letters", text)

    def alarm_on_queues(
        self,
        *,
        inbox: QueueWorker,
        labels: QueueWorker,
        prints: QueueWorker,
        nudges: QueueWorker,
        deliveries: QueueWorker,
        retries: Mapping[str, QueueWorker],
        batches: Mapping[str, QueueWorker],
    ) -> None:
        """Alarm if a queue is not worked off, and if a message is retried for too long.

        SQS leaves out of a queue's age what was received three times and more. Where messages back off, in
        retries and labels, their worker tells how old they are. All others are dead letters by then.
        """
        oldest = {
            "inbox": (inbox, _OLDEST["inbox"]),
            "labels": (labels, _OLDEST["labels"]),
            "label-documents": (prints, _OLDEST["label-documents"]),
            "nudges": (nudges, _OLDEST["nudges"]),
            "deliveries": (deliveries, _OLDEST["deliveries"]),
            **{f"retries-{carrier}": (worker, _OLDEST["retries"]) for carrier, worker in retries.items()},
            **{f"batches-{carrier}": (worker, _OLDEST["batches"]) for carrier, worker in batches.items()},
        }
        self._any_over(
            "oldest-message",
            {name: (_age(worker), limit.to_seconds()) for name, (worker, limit) in oldest.items()},
            "oldest-message",
            "Messages have waited too long in the queue of",
        )
        ages = {
            what: self._metric("WorkAge", period=_FIVE_MINUTES, statistic="Maximum", service=service)
            for what, service in _BACKS_OFF.items()
        }
        self._worst(
            "work-waits",
            ages,
            "work-waits",
            "The same message has been retried for too long, in the queue of",
            threshold=_LONGEST_TRIED.to_seconds(),
        )

    def alarm_on_carriers(self, carriers: Sequence[str]) -> None:
        """Alarm within minutes if all calls to a carrier fail."""
        down = {
            carrier: self._metric("CarrierDown", period=_FIVE_MINUTES, carrier=carrier)
            for carrier in carriers
        }
        self._sum("carrier-down", down, "carrier-down", "A carrier does not answer, or fails every call")

    def alarm_on_functions(self, functions: LambdaFunctions) -> None:
        """Alarm on unexpected errors, on functions that died, and on calls that Lambda throttled.

        Most functions answer whatever happens, so Lambda sees no error: their logger counts. What dies, or
        cannot even start, tells nobody: Lambda does.
        """
        self._alarm(
            "errors",
            self._metric("UnexpectedErrors", period=_FIVE_MINUTES),
            "errors",
            "A function logged an unexpected error.",
        )
        self._alarm(
            "authorizer",
            # It has no logger, and every call with a key passes it, so it has an alarm of its own.
            functions.by_name[AUTHORIZER].metric_errors(period=_FIVE_MINUTES),
            "errors",
            "Calls with an API key fail, because the function that checks keys fails.",
        )
        errors = {
            name: functions.by_name[name].metric_errors(period=_FIVE_MINUTES) for name in IN_THE_BACKGROUND
        }
        self._sum("failures", errors, "errors", "A function raised an error, timed out or died. It is one of")
        self._watch_deaths(functions)
        throttles = {
            name: (functions.by_name[name].metric_throttles(period=_FIVE_MINUTES), _TURNS * reserved)
            for name, reserved in self._settings.reserved_concurrency.items()
            if name not in ASK_CARRIERS  # The alarm on the API tells of these.
        }
        if throttles:
            text = "Lambda throttles calls of the order flow. The function is one of"
            self._any_over("throttles", throttles, "throttles", text)

    def _watch_deaths(self, functions: LambdaFunctions) -> None:
        for name in RAISES:
            logs.MetricFilter(
                self,
                f"{name}-Died",
                log_group=functions.log_groups[name],
                filter_pattern=logs.FilterPattern.any_term(*_DEATHS),
                metric_namespace=self._settings.metrics_namespace,
                metric_name="FunctionsDied",
                metric_value="1",
            )
        self._alarm(
            "deaths",
            self._metric("FunctionsDied", period=_FIVE_MINUTES),
            "errors",
            f"A function of the order flow timed out or died. It is one of: {', '.join(RAISES)}.",
        )

    def alarm_on_api(self, api: apigateway.HttpApi) -> None:
        """Alarm if clients get errors. Functions behind the API that die or are throttled are seen here only.

        A single 5xx is no reason to get up, and a carrier that is down makes some (503) on a busy day.
        """
        period = Duration.minutes(15)
        metrics: dict[str, cloudwatch.IMetric] = {
            "failed": api.metric_server_error(period=period, statistic="Sum"),
            "requests": api.metric_count(period=period, statistic="Sum"),
        }
        self._alarm(
            "api-failures",
            cloudwatch.MathExpression(
                expression="IF(failed >= 3, 100 * failed / requests, 0)", using_metrics=metrics, period=period
            ),
            "api-failures",
            "More than 2 % of the requests, and at least three, were answered with 5xx.",
            threshold=2,
        )
        slow: dict[str, cloudwatch.IMetric] = {
            "slow": api.metric_latency(period=period, statistic="p95"),
            "requests": api.metric_count(period=period, statistic="Sum"),
        }
        self._alarm(
            "api-slow",
            cloudwatch.MathExpression(
                expression=f"IF(requests >= {_ENOUGH}, slow, 0)", using_metrics=slow, period=period
            ),
            "api-slow",
            "One request in twenty takes ten seconds or more.",
            threshold=_SLOW.to_milliseconds(),
        )

    def alarm_on_orders(self) -> None:
        """Alarm on each kind of trouble with an order that a person must look at."""
        for kind, (name, text) in TROUBLES.items():
            metric = self._metric("OrdersInTrouble", period=_FIVE_MINUTES, service="route_changes", kind=kind)
            self._alarm(name, metric, name, text)

    def alarm_on_stream(self, function: lambda_.Function) -> None:
        """Alarm if changes of the table are not processed. They are retried until the stream drops them."""
        self._alarm(
            "oldest-change",
            function.metric("IteratorAge", period=_FIVE_MINUTES, statistic="Maximum"),
            "oldest-message",
            "The stream router is late: changes of the table have waited too long.",
            threshold=Duration.minutes(10).to_milliseconds(),
        )

    def alarm_on_order_flow(self, machine: sfn.StateMachine) -> None:
        """Alarm if an execution of the order flow is ended by something other than the flow."""
        ends = {
            "failed": machine.metric_failed(period=_FIVE_MINUTES),
            "timed-out": machine.metric_timed_out(period=_FIVE_MINUTES),
            "aborted": machine.metric_aborted(period=_FIVE_MINUTES),
        }
        self._sum("order-flow", ends, "order-flow", "An execution of the order flow ended by itself")

    def alarm_on_sweep(self, function: lambda_.Function) -> None:
        """Alarm if the sweep does not run, so that overdue orders are not found."""
        self._missing("sweep-missing", function, self._settings.sweep_minutes, "The sweep has not run.")

    def alarm_on_polls(self, function: lambda_.Function) -> None:
        """Alarm if parcels are polled late or not at all, as a whole or for one account."""
        self._missing(
            "polls-missing",
            function,
            self._settings.poll_minutes,
            "The tracking polls have stopped.",
        )
        period = Duration.minutes(15)
        self._alarm(
            "polls-late",
            self._metric("PollLag", period=period, statistic="Maximum", service="poll_trackings"),
            "polls-late",
            "Parcels are polled much later than planned.",
            threshold=Duration.hours(1).to_seconds(),
        )
        self._alarm(
            "polls-unmatched",
            self._metric("HistoriesUnmatched", period=Duration.hours(1), service="poll_trackings"),
            "polls-unmatched",
            "A carrier's histories match none of the parcels that were polled, so timelines stay empty.",
            threshold=_UNMATCHED,
        )
        self._alarm(
            "polls-not-allowed",
            self._metric("PollsNotAllowed", period=period, service="poll_trackings"),
            "polls-not-allowed",
            "A carrier account cannot be used, so its parcels are not polled.",
        )

    # How alarms are made

    @cached_property
    def _on_aws(self) -> CfnCondition:
        where = CfnParameter(self, "RunsOn", default="emulator")
        return CfnCondition(self, "OnAws", expression=Fn.condition_equals(where, "aws"))

    def _metric(
        self, name: str, *, period: Duration, statistic: str = "Sum", **dimensions: str
    ) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self._settings.metrics_namespace,
            metric_name=name,
            dimensions_map=dimensions or None,
            period=period,
            statistic=statistic,
        )

    def _missing(self, name: str, function: lambda_.Function, minutes: int, text: str) -> None:
        self._alarm(
            name,
            function.metric_invocations(period=Duration.minutes(3 * minutes)),
            name,
            text,
            when=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _sum(self, name: str, metrics: Mapping[str, cloudwatch.IMetric], section: str, text: str) -> None:
        """Alarm if the sum is at least 1. A queue without traffic has no metric, which counts as 0."""
        self._over(name, "SUM(FILL(METRICS(), 0))", metrics, section, text, threshold=1)

    def _worst(
        self,
        name: str,
        metrics: Mapping[str, cloudwatch.IMetric],
        section: str,
        text: str,
        *,
        threshold: float,
    ) -> None:
        """Alarm if one of the metrics reaches the common threshold."""
        self._over(name, "MAX(FILL(METRICS(), 0))", metrics, section, text, threshold=threshold)

    def _over(
        self,
        name: str,
        expression: str,
        metrics: Mapping[str, cloudwatch.IMetric],
        section: str,
        text: str,
        *,
        threshold: float,
    ) -> None:
        for number, part in enumerate(batched(metrics.items(), _METRICS, strict=False)):
            named = [each for each, _ in part]
            self._alarm(
                f"{name}-{number + 1}" if number else name,
                _expression(expression, [metric for _, metric in part]),
                section,
                f"{text}: {', '.join(named)}.",
                threshold=threshold,
            )

    def _any_over(
        self,
        name: str,
        limits: Mapping[str, tuple[cloudwatch.IMetric, float]],
        section: str,
        text: str,
    ) -> None:
        """Alarm if one of the metrics reaches its own limit."""
        for number, part in enumerate(batched(limits.items(), _METRICS, strict=False)):
            over = [f"(FILL(m{place}, 0) >= {limit:g})" for place, (_, (_, limit)) in enumerate(part)]
            self._alarm(
                f"{name}-{number + 1}" if number else name,
                _expression(f"IF({' OR '.join(over)}, 1, 0)", [metric for _, (metric, _) in part]),
                section,
                f"{text}: {', '.join(each for each, _ in part)}.",
            )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        section: str,
        text: str,
        *,
        threshold: float = 1,
        when: cloudwatch.ComparisonOperator = _AT_LEAST,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._settings.name(name),
            alarm_description=f"{text} See docs/runbook.md#{section}",
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=when,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        if self._settings.local and isinstance(metric, cloudwatch.MathExpression):
            # The emulator takes no expressions, and refuses the whole stack for one. So it makes none of
            # these alarms; the template has them, and drills read there when they would ring.
            alarm.node.default_child.cfn_options.condition = self._on_aws  # type: ignore[union-attr]
        self.by_name[name] = alarm


def _age(worker: QueueWorker) -> cloudwatch.Metric:
    return worker.queue.metric_approximate_age_of_oldest_message(period=_FIVE_MINUTES, statistic="Maximum")


def _expression(expression: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.MathExpression:
    """An expression over metrics that are called m0, m1 and so on in it."""
    period = next(metric for metric in metrics if isinstance(metric, cloudwatch.Metric)).period
    return cloudwatch.MathExpression(
        expression=expression,
        using_metrics={f"m{number}": metric for number, metric in enumerate(metrics)},
        period=period,
    )
