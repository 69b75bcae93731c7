"""The HTTP API: its routes, authorizer, rate limits and functions."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.access import Access, acknowledge, allow
from infra.constructs.functions import LambdaFunctions
from infra.parts.batches import Batches
from infra.parts.deliveries import Deliveries
from infra.parts.foundation import Foundation
from infra.parts.labels import Labels, PrintQueue
from infra.parts.retries import RetryQueues
from infra.parts.store import EVENT_LISTS, LISTS
from infra.parts.tracking_polls import TrackingPolls
from infra.settings import Settings, Throttle
from infra.watching.dead_letters import DeadLetters
from parcelgate.http.routes import FUNCTIONS, Route, function_of
from parcelgate.http.smoke import AUTHORIZER

_ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "route": "$context.routeKey",
    "status": "$context.status",
    "response_bytes": "$context.responseLength",
    "response_ms": "$context.responseLatency",
    "integration_ms": "$context.integrationLatency",
    "integration_status": "$context.integrationStatus",
    "error": "$context.error.responseType",
}
"""The route and never the path, which holds order ids and webhook tokens; nothing about the caller."""


def add_api_functions(
    base: Foundation,
    *,
    labels: Labels,
    prints: PrintQueue,
    retries: RetryQueues,
    batches: Batches,
    polls: TrackingPolls,
    dead_letters: DeadLetters,
    deliveries: Deliveries,
) -> None:
    """Make the functions behind the API, each with what it may use."""
    table, accounts, timings = base.store.access, base.account_access(), base.timings()
    accounts_alone = base.account_access(calls=False)
    changes = table("GetItem", "PutItem", "UpdateItem")
    settles = table("GetItem", "PutItem", "UpdateItem", "DeleteItem")
    joins = table("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")
    carrier = (base.store.key_access(), accounts, timings)
    given: dict[str, Sequence[Access]] = {
        AUTHORIZER: [table("GetItem")],
        "create_order": [
            settles,
            accounts,
            base.order_flow_access("StartExecution"),
            retries.send_access(),
            timings,
        ],
        "create_batch": [
            table("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            accounts_alone,
            batches.body_access("PutObject"),
            batches.send_access(),
            timings,
        ],
        "read_batch": [table("Query")],
        "read_orders": [table("GetItem", "BatchGetItem", "Query", query=LISTS)],
        "get_label": [changes, *carrier, labels.access("GetObject", "PutObject")],
        "serve_label_documents": [settles, prints.send_access(), labels.printout_access("GetObject")],
        "cancel_order": [joins, *carrier, retries.send_access()],
        "quote_rates": [table("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"), *carrier],
        "manage_rate_cards": [table("GetItem", "PutItem", "DeleteItem"), accounts_alone],
        "operate": [
            table(
                "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", query=("by_time",)
            ),
            base.store.events_access("Query"),
            retries.send_access(),
            dead_letters.operator_access(),
        ],
        "erase_order": [
            table("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            base.store.events_access("GetItem", "UpdateItem", query=("by_order",)),
            labels.erase_access(),
            batches.body_access("DeleteObject"),
        ],
        "check_accounts": [
            table("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            *carrier,
        ],
        "manage_settings": [table("GetItem", "PutItem")],
        "change_order": [joins, *carrier],
        "close_manifest": [joins, *carrier],
        "validate_address": [settles, *carrier],
        "list_services": [changes, *carrier],
        "follow_parcels": [joins, accounts],
        "change_trackings": [joins, accounts, polls.nudge_access(), polls.pace()],
        "ask_aggregator": [settles, accounts],
        "read_trackings": [table("GetItem", "BatchGetItem", "Query", query=LISTS)],
        "read_events": [
            base.store.events_access("GetItem", "BatchGetItem", query=EVENT_LISTS),
            table("GetItem"),
        ],
        "manage_endpoints": [
            settles,
            base.store.events_access(
                "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", query=["by_time"]
            ),
            base.store.key_access(),
            deliveries.send_access(),
            deliveries.anywhere(),
            base.bus_access(),
        ],
        "show_tracking_page": [table("GetItem", "BatchGetItem")],
        "describe_service": [base.store.circuits_access()],
        "serve_pages": [labels.links()],
        "ingest_webhook": [changes, accounts_alone],
    }
    for name, accesses in given.items():
        has_keys = name in FUNCTIONS and any(not route.open for route in FUNCTIONS[name].routes)
        base.functions.add(name, *accesses, *([base.store.usage_access()] if has_keys else []))


class HttpApi(Construct):
    """The API of one environment. `url` is its address, without a slash at its end."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        functions: LambdaFunctions,
    ) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self._functions = functions
        self._routes: Sequence[Route] = ()
        self.domain: apigateway.DomainName | None = None
        self.http = apigateway.HttpApi(
            self, "Http", api_name=settings.name("api"), create_default_stage=False
        )

    def serve(self, routes: Sequence[Route], answering: Mapping[str, lambda_.IFunction]) -> None:
        """Have the functions answer these routes. Parts that need the API's address are made before.

        Parameters
        ----------
        routes
            All routes of the API.
        answering
            For each function, by its name, what is called: its alias, where it has one.
        """
        self._routes = routes
        self._add_stage(self._add_routes(answering))

    @property
    def url(self) -> str:
        """The address under which `/v1` and `/webhooks` begin."""
        if self._settings.local:
            port = self._settings.gateway_port
            return f"http://localhost:{port}/_aws/execute-api/{self.http.api_id}/$default"
        return f"https://{self._settings.domain}" if self._settings.domain else self.http.api_endpoint

    def _add_routes(self, answering: Mapping[str, lambda_.IFunction]) -> list[apigateway.HttpRoute]:
        authorizer = authorizers.HttpLambdaAuthorizer(
            "Authorizer",
            answering[AUTHORIZER],
            authorizer_name=self._settings.name("keys"),
            response_types=[authorizers.HttpLambdaResponseType.SIMPLE],
            identity_source=["$request.header.Authorization"],
            results_cache_ttl=Duration.seconds(30),
        )
        names = list(dict.fromkeys(function_of(route.key) for route in self._routes))
        role = self._make_role([answering[name] for name in names])
        behind = {name: _Integration(f"To-{name}", answering[name], role) for name in names}
        if self._settings.local:
            # The emulator's addresses have a path prefix that is not in the request.
            for name in behind:
                self._functions.by_name[name].add_environment("PARCELGATE_PUBLIC_URL", self.url)
        routes = []
        for route in self._routes:
            method, path = route.key.split(" ")
            added = self.http.add_routes(
                path=path,
                methods=[apigateway.HttpMethod[method]],
                integration=behind[function_of(route.key)],
                authorizer=None if route.open else authorizer,
            )
            routes += added
            if route.open:
                acknowledge(added[0], "Open by contract, and throttled.", "AwsSolutions-APIG4")
        return routes

    def _make_role(self, functions: Sequence[lambda_.IFunction]) -> iam.Role:
        """Let the gateway call these functions: one role in place of a permission on each function."""
        statement = allow("lambda:InvokeFunction", on=[function.function_arn for function in functions])
        return iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "apigateway.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
            inline_policies={"invoke": iam.PolicyDocument(statements=[statement])},
        )

    def _add_stage(self, routes: Sequence[apigateway.HttpRoute]) -> None:
        settings = self._settings
        self.access_log = logs.LogGroup(
            self,
            "AccessLog",
            retention=logs.RetentionDays[settings.log_retention],
            removal_policy=RemovalPolicy[settings.removal_policy],
        )
        stage = apigateway.CfnStage(
            self,
            "Stage",
            api_id=self.http.api_id,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=settings.default_throttle.rate,
                throttling_burst_limit=settings.default_throttle.burst,
            ),
            route_settings={
                route.key: _limits(self._throttle(route)) for route in self._routes if route.open
            },
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=self.access_log.log_group_arn,
                format=Stack.of(self).to_json_string(_ACCESS_LOG),
            ),
        )
        for route in routes:
            # API Gateway refuses a limit for a route that does not exist yet.
            stage.node.add_dependency(route)
        if settings.domain:
            self.domain = self._add_domain(stage)

    def _add_domain(self, stage: apigateway.CfnStage) -> apigateway.DomainName:
        """Have the API answer under a name of its own, which outlives it. AWS's name goes on."""
        certificate = acm.Certificate.from_certificate_arn(self, "Certificate", self._settings.certificate)
        domain = apigateway.DomainName(
            self,
            "Domain",
            domain_name=self._settings.domain,
            certificate=certificate,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )
        apigateway.CfnApiMapping(
            self, "Mapping", api_id=self.http.api_id, domain_name=domain.name, stage=stage.ref
        )
        return domain

    def _throttle(self, route: Route) -> Throttle:
        limit: Throttle = getattr(self._settings, f"{route.throttle}_throttle")
        return limit


class _Integration(apigateway.HttpRouteIntegration):
    """A function behind routes, which the gateway calls in a role of its own.

    CDK's integration of a function has no role: it adds a permission to the function.
    """

    def __init__(self, id: str, function: lambda_.IFunction, role: iam.Role) -> None:
        super().__init__(id)
        self._function = function
        self._credentials = apigateway.IntegrationCredentials.from_role(role)

    def bind(
        self,
        *,
        route: apigateway.IHttpRoute,  # noqa: ARG002 - CDK gives it
        scope: Construct,  # noqa: ARG002 - CDK gives it
    ) -> apigateway.HttpRouteIntegrationConfig:
        return apigateway.HttpRouteIntegrationConfig(
            type=apigateway.HttpIntegrationType.AWS_PROXY,
            payload_format_version=apigateway.PayloadFormatVersion.VERSION_2_0,
            uri=self._function.function_arn,
            credentials=self._credentials,
        )


def _limits(throttle: Throttle) -> dict[str, int]:
    return {"ThrottlingRateLimit": throttle.rate, "ThrottlingBurstLimit": throttle.burst}
