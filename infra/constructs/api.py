"""The HTTP API: its routes, who may pass, how fast, and the functions behind it."""

from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.accounts import account_access
from infra.constructs.batches import Batches
from infra.constructs.carrier_queues import CarrierQueues
from infra.constructs.function import Functions
from infra.constructs.labels import Labels
from infra.constructs.order_flow import order_flow_access, timings
from infra.constructs.policy import acknowledge
from infra.constructs.store import LISTS, Store
from infra.constructs.tracking_polls import TrackingPolls
from infra.settings import Settings, Throttle


class Route(NamedTuple):
    """One route: who serves it, and whether it is open to those without a key."""

    key: str
    function: str
    open: bool = False


ROUTES: Sequence[Route] = (
    Route("POST /v1/orders", "create_order"),
    Route("POST /v1/orders/batch", "create_batch"),
    Route("GET /v1/batches/{id}", "read_batch"),
    Route("GET /v1/orders", "read_orders"),
    Route("GET /v1/orders/{id}", "read_orders"),
    Route("GET /v1/orders/{id}/events", "read_orders"),
    Route("GET /v1/orders/{id}/tracking", "read_orders"),
    Route("GET /v1/orders/{id}/label", "get_label"),
    Route("POST /v1/orders/{id}/cancel", "cancel_order"),
    Route("PATCH /v1/orders/{id}", "change_order"),
    Route("POST /v1/orders/{id}/hold", "hold_order"),
    Route("POST /v1/manifests", "close_manifest"),
    Route("POST /v1/addresses/validate", "validate_address"),
    Route("POST /v1/rates", "quote_rates"),
    Route("POST /v1/trackings", "follow_parcels"),
    Route("GET /v1/trackings", "read_trackings"),
    Route("GET /v1/trackings/{id}", "read_trackings"),
    Route("PATCH /v1/trackings/{id}", "change_trackings"),
    Route("DELETE /v1/trackings/{id}", "change_trackings"),
    Route("POST /v1/trackings/{id}/pause", "change_trackings"),
    Route("POST /v1/trackings/{id}/refresh", "change_trackings"),
    Route("POST /v1/trackings/update", "change_trackings"),
    Route("POST /v1/trackings/delete", "change_trackings"),
    Route("POST /v1/trackings/transit-times", "ask_aggregator"),
    Route("POST /v1/trackings/remote-areas", "ask_aggregator"),
    Route("POST /v1/trackings/detect", "ask_aggregator"),
    Route("GET /v1/trackings/air-cargo/{awb}", "ask_aggregator"),
    Route("GET /v1/trackings/usage", "ask_aggregator"),
    Route("GET /v1/trackings/summary", "ask_aggregator"),
    Route("GET /v1/carriers", "describe_service"),
    Route("GET /v1/carriers/{carrier}/services", "list_services"),
    Route("GET /v1/health", "describe_service", open=True),
    Route("GET /v1/openapi.json", "describe_service", open=True),
    Route("GET /docs", "describe_service", open=True),
    Route("GET /problems/{code}", "describe_service", open=True),
    Route("POST /webhooks/{carrier}/{account}/{token}", "ingest_webhook", open=True),
)

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


class Api(Construct):
    """The API of one environment. `url` is its address, without a slash at its end."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        functions: Functions,
        store: Store,
        labels: Labels,
        carrier_queues: CarrierQueues,
        batches: Batches,
        polls: TrackingPolls,
    ) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self._functions = functions
        self.http = apigateway.HttpApi(
            self, "Http", api_name=settings.name("api"), create_default_stage=False
        )
        accounts = account_access(self, settings)
        functions.add("authorize", store.access("GetItem"))
        functions.add(
            "create_order",
            store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
            accounts,
            order_flow_access(self, settings, "StartExecution"),
            carrier_queues.send_access(),
            timings(settings),
        )
        functions.add(
            "create_batch",
            store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            accounts,
            batches.body_access("PutObject"),
            batches.send_access(),
            timings(settings),
        )
        functions.add("read_batch", store.access("Query"))
        functions.add("read_orders", store.access("GetItem", "BatchGetItem", "Query", query=LISTS))
        functions.add(
            "get_label",
            store.access("GetItem", "PutItem", "UpdateItem"),
            store.key_access(),
            accounts,
            labels.access("GetObject", "PutObject"),
            timings(settings),
        )
        functions.add(
            "cancel_order",
            store.access("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
            store.key_access(),
            accounts,
            carrier_queues.send_access(),
            timings(settings),
        )
        functions.add(
            "quote_rates",
            store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
            store.key_access(),
            accounts,
            timings(settings),
        )
        settles = store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem")
        joins = store.access("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")
        with_carrier = (store.key_access(), accounts, timings(settings))
        functions.add("change_order", joins, *with_carrier)
        functions.add("hold_order", joins, *with_carrier)
        functions.add("close_manifest", joins, *with_carrier)
        functions.add("validate_address", settles, *with_carrier)
        functions.add("list_services", store.access("GetItem", "PutItem", "UpdateItem"), *with_carrier)
        functions.add("follow_parcels", joins, accounts)
        functions.add("change_trackings", joins, accounts, polls.nudge_access(), polls.pace())
        functions.add("ask_aggregator", settles, accounts)
        functions.add(
            "read_trackings", store.access("GetItem", "BatchGetItem", query=("by_time", "by_status"))
        )
        functions.add("describe_service")
        functions.add("ingest_webhook", store.access("GetItem", "PutItem", "UpdateItem"), accounts)
        self._add_routes()
        self._add_stage()

    @property
    def url(self) -> str:
        """The address under which `/v1` and `/webhooks` begin."""
        if self._settings.local:
            port = self._settings.gateway_port
            return f"http://localhost:{port}/_aws/execute-api/{self.http.api_id}/$default"
        return self.http.api_endpoint

    def _add_routes(self) -> None:
        authorizer = authorizers.HttpLambdaAuthorizer(
            "Authorizer",
            self._functions.by_name["authorize"],
            authorizer_name=self._settings.name("keys"),
            response_types=[authorizers.HttpLambdaResponseType.SIMPLE],
            identity_source=["$request.header.Authorization"],
            results_cache_ttl=Duration.seconds(30),
        )
        behind = {
            name: integrations.HttpLambdaIntegration(f"To-{name}", self._functions.by_name[name])
            for name in dict.fromkeys(route.function for route in ROUTES)
        }
        if self._settings.local:
            # The emulator's addresses have a path, which no request tells of.
            for name in behind:
                self._functions.by_name[name].add_environment("PARCELGATE_PUBLIC_URL", self.url)
        self._routes = []
        for route in ROUTES:
            method, path = route.key.split(" ")
            added = self.http.add_routes(
                path=path,
                methods=[apigateway.HttpMethod[method]],
                integration=behind[route.function],
                authorizer=None if route.open else authorizer,
            )
            self._routes += added
            if route.open:
                acknowledge(added[0], "Open by contract, and throttled.", "AwsSolutions-APIG4")

    def _add_stage(self) -> None:
        settings = self._settings
        log_group = logs.LogGroup(
            self,
            "AccessLog",
            retention=logs.RetentionDays[settings.log_retention],
            removal_policy=RemovalPolicy.RETAIN if settings.protect_data else RemovalPolicy.DESTROY,
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
            route_settings={route.key: _limits(self._throttle(route)) for route in ROUTES if route.open},
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=log_group.log_group_arn,
                format=Stack.of(self).to_json_string(_ACCESS_LOG),
            ),
        )
        for route in self._routes:
            # A limit for a route that does not exist yet is refused.
            stage.node.add_dependency(route)

    def _throttle(self, route: Route) -> Throttle:
        is_webhook = route.function == "ingest_webhook"
        return self._settings.webhook_throttle if is_webhook else self._settings.open_throttle


def _limits(throttle: Throttle) -> dict[str, int]:
    return {"ThrottlingRateLimit": throttle.rate, "ThrottlingBurstLimit": throttle.burst}
