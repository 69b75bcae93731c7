"""Two dashboards, for business and for operation, and the saved queries of the logs.

A graph of business figures asks for a metric by its name and dimensions (SEARCH), so that a new carrier is on
it by itself. Every figure's name stands in `BUSINESS`, and a test holds it to the code that writes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.functions import LambdaFunctions
from infra.settings import Settings

_FIVE_MINUTES = Duration.minutes(5)
_WIDTH = 24
_HEIGHT = 6


@dataclass(frozen=True)
class Figure:
    """One graph: a metric of ours, its dimensions besides `service`, and how values are put together."""

    title: str
    metric: str
    dimensions: Sequence[str]
    statistic: str = "Sum"


BUSINESS: Mapping[str, Sequence[Figure]] = {
    "**Orders.** How many were accepted, how they ended, and how many need a person.": (
        Figure("Orders accepted", "OrdersAccepted", ["carrier"]),
        Figure("Orders by result", "OrderOutcomes", ["carrier", "problem", "status"]),
        Figure("Orders that need a person", "OrdersInTrouble", ["kind"]),
    ),
    "**Speed.** Seconds from the order to its confirmation, and to its label. Nine in ten are faster.": (
        Figure("Time to confirm (p90, s)", "TimeToConfirm", ["carrier"], "p90"),
        Figure("Time to label (p90, s)", "TimeToLabel", ["carrier"], "p90"),
        Figure("Refunds outstanding", "RefundsOutstanding", ["carrier"]),
    ),
    "**Parcels.** Statuses that they reached, the source of the events, and codes that are in no table.": (
        Figure("Parcels that reached a status", "ParcelsMoved", ["carrier", "status"]),
        Figure("Tracking events by source", "TrackingEvents", ["carrier", "source"]),
        Figure("Unknown tracking codes", "CodesUnmapped", ["carrier"]),
    ),
    "**Carriers.** Webhooks that came in, webhooks that were parked, and calls delayed by rate limits.": (
        Figure("Webhooks received", "WebhooksReceived", ["carrier", "repeat"]),
        Figure("Webhooks parked", "WebhooksParked", ["carrier"]),
        Figure("Calls delayed by rate limits", "CallsHeldBack", ["carrier", "reason"]),
    ),
}
"""Each row of the business dashboard: the words over it, and its graphs."""

QUERIES: Mapping[str, str] = {
    "one order": (
        'fields @timestamp, service, level, message, error\n| filter order_id = "ord_..."\n| sort @timestamp'
    ),
    "one request": (
        "fields @timestamp, service, order_id, message, error\n"
        '| filter correlation_id like "..."\n'
        "| sort @timestamp"
    ),
    "unexpected errors": (
        'fields @timestamp, service, message, error, where\n| filter level = "ERROR"\n| sort @timestamp desc'
    ),
    "orders in trouble": (
        "fields @timestamp, trouble, tenant, carrier, order_id\n"
        "| filter ispresent(trouble)\n"
        "| sort @timestamp desc"
    ),
    "carriers that are down": (
        "fields @timestamp, service, carrier, call, last\n"
        '| filter message = "the carrier counts as down"\n'
        "| sort @timestamp desc"
    ),
    "failed requests": (
        "fields @timestamp, route, status, integration_status, error, response_ms\n"
        "| filter status >= 500\n"
        "| sort @timestamp desc"
    ),
    "slow requests": (
        "stats pct(response_ms, 50) as half, pct(response_ms, 95) as p95, count() as requests by route\n"
        "| sort p95 desc"
    ),
}
"""The runbook's queries, by the name under which CloudWatch Logs Insights lists them."""
_OF_THE_ACCESS_LOG = ("failed requests", "slow requests")


class Dashboards(Construct):
    """The dashboards `<stage>-business` and `<stage>-machinery`, and the saved queries."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        functions: LambdaFunctions,
        access_log: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self._functions = functions
        self._access_log = access_log

    def show_business(self) -> None:
        """Make the dashboard of business figures."""
        dashboard = self._dashboard("business")
        dashboard.add_widgets(
            _words(
                "# Parcels and orders\n"
                "Every figure is of this stage alone, in steps of five minutes, and none is personal. An "
                "empty graph means that nothing of the kind has happened. What to do when something looks "
                "wrong stands in `docs/runbook.md`.",
                height=3,
            )
        )
        for text, figures in BUSINESS.items():
            dashboard.add_widgets(_words(text))
            dashboard.add_widgets(*(self._figure(figure, _WIDTH // len(figures)) for figure in figures))

    def show_machinery(
        self,
        *,
        api: apigateway.HttpApi,
        table: dynamodb.ITable,
        machine: sfn.StateMachine,
        queues: Mapping[str, sqs.IQueue],
        dead_letters: Mapping[str, sqs.IQueue],
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        """Make the dashboard that an operator looks at after an alarm."""
        by_name = self._functions.by_name
        dashboard = self._dashboard("machinery")
        dashboard.add_widgets(
            _words(
                "# The machine\n"
                "From the outside in: what clients get, the functions, the queues between them, the table. "
                "A red alarm names its section of `docs/runbook.md`.",
                height=2,
            )
        )
        dashboard.add_widgets(
            cloudwatch.AlarmStatusWidget(alarms=alarms, width=_WIDTH, height=4, title="Alarms")
        )
        dashboard.add_widgets(
            *_row(
                {
                    "Requests and failed requests": [
                        api.metric_count(period=_FIVE_MINUTES, statistic="Sum", label="all"),
                        api.metric_client_error(
                            period=_FIVE_MINUTES, statistic="Sum", label="4xx: errors of clients"
                        ),
                        api.metric_server_error(
                            period=_FIVE_MINUTES, statistic="Sum", label="5xx: errors of ours"
                        ),
                    ],
                    "Time to answer (ms)": [
                        api.metric_latency(period=_FIVE_MINUTES, statistic=each, label=each)
                        for each in ("p50", "p95", "p99")
                    ],
                    "Executions of the order flow": [
                        machine.metric_started(period=_FIVE_MINUTES, label="started"),
                        machine.metric_succeeded(period=_FIVE_MINUTES, label="ended well"),
                        machine.metric_failed(period=_FIVE_MINUTES, label="failed"),
                    ],
                }
            )
        )
        dashboard.add_widgets(
            *_row(
                {
                    "Errors of functions": [self._of_functions("Errors", "Sum")],
                    "Throttled calls": [self._of_functions("Throttles", "Sum")],
                    "Duration of functions (p95, ms)": [self._of_functions("Duration", "p95")],
                    "Concurrent executions": [self._of_functions("ConcurrentExecutions", "Maximum")],
                }
            )
        )
        dashboard.add_widgets(
            *_row(
                {
                    "Waiting messages": [
                        queue.metric_approximate_number_of_messages_visible(
                            period=_FIVE_MINUTES, statistic="Maximum", label=name
                        )
                        for name, queue in queues.items()
                    ],
                    "Messages in work, or waiting for their retry": [
                        queue.metric_approximate_number_of_messages_not_visible(
                            period=_FIVE_MINUTES, statistic="Maximum", label=name
                        )
                        for name, queue in queues.items()
                    ],
                    "Messages in dead-letter queues": [
                        queue.metric_approximate_number_of_messages_visible(
                            period=_FIVE_MINUTES, statistic="Maximum", label=name
                        )
                        for name, queue in dead_letters.items()
                    ],
                }
            )
        )
        dashboard.add_widgets(
            *_row(
                {
                    "Delay of the stream router (ms)": [
                        by_name["route_changes"].metric(
                            "IteratorAge", period=_FIVE_MINUTES, statistic="Maximum"
                        )
                    ],
                    "Delay of tracking polls (s)": [
                        self._ours("PollLag", "Maximum", service="poll_trackings")
                    ],
                    "Capacity units of the table": [
                        table.metric_consumed_read_capacity_units(period=_FIVE_MINUTES, label="read"),
                        table.metric_consumed_write_capacity_units(period=_FIVE_MINUTES, label="written"),
                    ],
                    "Throttled requests of the table": [
                        table.metric(
                            "ReadThrottleEvents",
                            period=_FIVE_MINUTES,
                            statistic="Sum",
                            label="reads throttled",
                        ),
                        table.metric(
                            "WriteThrottleEvents",
                            period=_FIVE_MINUTES,
                            statistic="Sum",
                            label="writes throttled",
                        ),
                    ],
                }
            )
        )

    def save_queries(self) -> None:
        """Save the runbook's queries in CloudWatch Logs Insights, under the name of the stage."""
        groups = [group.log_group_name for group in self._functions.log_groups.values()]
        for name, query in QUERIES.items():
            over = [self._access_log.log_group_name] if name in _OF_THE_ACCESS_LOG else groups
            logs.CfnQueryDefinition(
                self,
                f"Query-{name.replace(' ', '-')}",
                name=f"{self._settings.name('logs')}/{name}",
                query_string=query,
                log_group_names=over,
            )

    def _dashboard(self, name: str) -> cloudwatch.Dashboard:
        return cloudwatch.Dashboard(
            self,
            name.capitalize(),
            dashboard_name=self._settings.name(name),
            default_interval=Duration.days(1),
        )

    def _figure(self, figure: Figure, width: int) -> cloudwatch.GraphWidget:
        dimensions = ",".join(sorted(["service", *figure.dimensions]))
        schema = f"{{{self._settings.metrics_namespace},{dimensions}}}"
        search = f"SEARCH('{schema} MetricName=\"{figure.metric}\"', '{figure.statistic}', 300)"
        label = " ".join(f"${{PROP('Dim.{name}')}}" for name in figure.dimensions)
        return cloudwatch.GraphWidget(
            title=figure.title,
            width=width,
            height=_HEIGHT,
            left=[
                cloudwatch.MathExpression(
                    expression=search, using_metrics={}, label=label, period=_FIVE_MINUTES
                )
            ],
        )

    def _of_functions(self, metric: str, statistic: str) -> cloudwatch.MathExpression:
        prefix = self._settings.name("")
        search = (
            f"SEARCH('{{AWS/Lambda,FunctionName}} MetricName=\"{metric}\" \"{prefix}\"', '{statistic}', 300)"
        )
        return cloudwatch.MathExpression(
            expression=search, using_metrics={}, label="${PROP('Dim.FunctionName')}", period=_FIVE_MINUTES
        )

    def _ours(self, name: str, statistic: str, **dimensions: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self._settings.metrics_namespace,
            metric_name=name,
            dimensions_map=dimensions,
            period=_FIVE_MINUTES,
            statistic=statistic,
        )


def _row(graphs: Mapping[str, Sequence[cloudwatch.IMetric]]) -> list[cloudwatch.IWidget]:
    """Put graphs side by side, by their titles."""
    return [
        cloudwatch.GraphWidget(title=title, left=list(metrics), height=_HEIGHT, width=_WIDTH // len(graphs))
        for title, metrics in graphs.items()
    ]


def _words(text: str, *, height: int = 1) -> cloudwatch.TextWidget:
    return cloudwatch.TextWidget(markdown=text, width=_WIDTH, height=height)
