"""The alarms. Each names the section of the runbook that says what to do."""

from collections.abc import Mapping

from aws_cdk import Duration
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

from infra.constructs.function import Functions
from infra.constructs.queues import WorkQueue
from infra.settings import Settings

EXPECTED_ERRORS = ("check_order", "fetch_label", "compensate_order")
"""Functions that raise as part of their work. Lambda counts that as errors, so only their logs are asked."""
LOGLESS = ("authorize",)
"""Functions without a logger: whatever they raise, Lambda counts."""

CALLED_AGAIN = (
    "label_order",
    "poll_nudged",
    "poll_trackings",
    "process_webhook",
    "retry_order",
    "route_changes",
    "sweep",
    "work_batch",
)
"""Functions for whose answer nobody waits. That they are turned away is no loss; that it lasts is told by
the age of what waits for them, or by their runs that are missing."""

TROUBLES = {
    "needs_attention": ("orders-need-attention", "An order waits for a person."),
    "refund_given_up": ("refunds-given-up", "The carrier holds money that it does not give back."),
    "late_success": ("late-success", "The carrier has carried out an order that has failed here."),
    "label_unavailable": ("labels-unavailable", "A confirmed order never got its label."),
    "credentials_refused": ("credentials-refused", "A carrier does not accept an account's credentials."),
}
"""What the router counts of orders, with each one's alarm, which is also its section of the runbook."""

_TURNS = 10
"""How often, for each call that a function may do at once, it may be turned away in five minutes."""
_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


class Alarms(Construct):
    """Every alarm of the stack, and the one topic that tells people."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, key: kms.Key) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.topic = sns.Topic(
            self, "Topic", topic_name=settings.name("alarms"), master_key=key, enforce_ssl=not settings.local
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
            )
        )

    def watch_dead_letters(self, queues: Mapping[str, sqs.IQueue]) -> None:
        """Alarm as soon as anything was given up."""
        for name, queue in queues.items():
            self._alarm(
                f"dead-letters-{name}",
                queue.metric_approximate_number_of_messages_visible(
                    period=Duration.minutes(1), statistic="Maximum"
                ),
                "dead-letters",
                f"Something was given up and waits in the dead-letter queue of: {name}.",
            )

    def watch_queue(self, name: str, work: WorkQueue, *, oldest: Duration, in_flight: int) -> None:
        """Alarm when work waits for too long, or too much of it is being tried at once."""
        self._alarm(
            f"oldest-message-{name}",
            work.queue.metric_approximate_age_of_oldest_message(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            "oldest-message",
            f"Work has been waiting for too long in the queue: {name}.",
            threshold=oldest.to_seconds(),
        )
        self._alarm(
            f"in-flight-{name}",
            work.queue.metric_approximate_number_of_messages_not_visible(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            "in-flight",
            f"Too many messages are being tried at once in the queue: {name}.",
            threshold=in_flight,
        )

    def watch_functions(self, functions: Functions) -> None:
        """Alarm on errors that nobody expected, and on calls that Lambda turned away.

        Most functions answer whatever happens, so Lambda sees no error: their logs tell. What dies, or
        cannot even start, tells nobody: Lambda does.
        """
        period = Duration.minutes(5)
        for name, function in functions.by_name.items():
            if name not in LOGLESS:
                self._alarm(
                    f"errors-{name}",
                    self._logged_errors(name, functions),
                    "errors",
                    f"This function met an error that nobody expected: {name}.",
                )
            if name not in EXPECTED_ERRORS:
                self._alarm(
                    f"failures-{name}",
                    function.metric_errors(period=period),
                    "errors",
                    f"This function failed, timed out or died: {name}.",
                )
            if name in CALLED_AGAIN:
                continue
            reserved = self._settings.reserved_concurrency.get(name)
            self._alarm(
                f"throttles-{name}",
                function.metric_throttles(period=period),
                "throttles",
                f"Lambda turned calls of this function away: {name}.",
                # One with a limit of its own is turned away as part of its work, and called again.
                threshold=_TURNS * reserved if reserved else 1,
            )

    def watch_orders(self) -> None:
        """Alarm on every kind of trouble with an order that a person must look at."""
        for kind, (name, text) in TROUBLES.items():
            metric = cloudwatch.Metric(
                namespace=self._settings.metrics_namespace,
                metric_name="OrdersInTrouble",
                dimensions_map={"service": "route_changes", "kind": kind},
                period=Duration.minutes(5),
                statistic="Sum",
            )
            self._alarm(name, metric, name, text)

    def watch_stream(self, function: lambda_.Function) -> None:
        """Alarm when changes of the table are not passed on: they are tried for as long as they last."""
        self._alarm(
            "oldest-change",
            function.metric("IteratorAge", period=Duration.minutes(5), statistic="Maximum"),
            "oldest-message",
            "Changes of the table wait for too long to be passed on.",
            threshold=Duration.minutes(10).to_milliseconds(),
        )

    def watch_order_flow(self, machine: sfn.StateMachine) -> None:
        """Alarm when an execution ends in a way that the flow does not know."""
        period = Duration.minutes(5)
        ends = {
            "failed": machine.metric_failed(period=period),
            "timed-out": machine.metric_timed_out(period=period),
            "aborted": machine.metric_aborted(period=period),
        }
        for end, metric in ends.items():
            self._alarm(f"order-flow-{end}", metric, "order-flow", f"An execution of the order flow {end}.")

    def watch_sweep(self, function: lambda_.Function) -> None:
        """Alarm when nobody looks for what is overdue any more."""
        self._alarm(
            "sweep-missing",
            function.metric_invocations(period=Duration.minutes(3 * self._settings.sweep_minutes)),
            "sweep-missing",
            "The sweep has not run.",
            when=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def watch_polls(self, function: lambda_.Function) -> None:
        """Alarm when parcels are asked about late, or not at all: by nobody, or not for some account."""
        self._alarm(
            "polls-missing",
            function.metric_invocations(period=Duration.minutes(3 * self._settings.poll_minutes)),
            "polls-missing",
            "Nobody asks carriers about parcels any more.",
            when=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

        def told(metric: str, statistic: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace=self._settings.metrics_namespace,
                metric_name=metric,
                dimensions_map={"service": "poll_trackings"},
                period=Duration.minutes(15),
                statistic=statistic,
            )

        self._alarm(
            "polls-late",
            told("PollLag", "Maximum"),
            "polls-late",
            "Parcels are asked about much later than planned.",
            threshold=Duration.hours(1).to_seconds(),
        )
        self._alarm(
            "polls-not-allowed",
            told("PollsNotAllowed", "Sum"),
            "polls-not-allowed",
            "An account cannot be used to ask about its parcels.",
        )

    def _logged_errors(self, name: str, functions: Functions) -> cloudwatch.Metric:
        metric_name = f"UnexpectedErrors-{name}"
        namespace = self._settings.metrics_namespace
        patterns = {"Logged": logs.FilterPattern.string_value("$.level", "=", "ERROR")}
        if name in EXPECTED_ERRORS:
            patterns["Died"] = logs.FilterPattern.any_term(
                "Task timed out", "Runtime exited", "Runtime.ImportModuleError"
            )
        for kind, pattern in patterns.items():
            logs.MetricFilter(
                self,
                f"{name}-{kind}",
                log_group=functions.log_groups[name],
                filter_pattern=pattern,
                metric_namespace=namespace,
                metric_name=metric_name,
                metric_value="1",
            )
        return cloudwatch.Metric(
            namespace=namespace, metric_name=metric_name, period=Duration.minutes(5), statistic="Sum"
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.Metric,
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
