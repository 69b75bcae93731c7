"""The one place that makes a Lambda function: its own role, log group, tracing and environment."""

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import AssetHashType, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.bundle import Bundle, BundleError
from infra.constructs.access import (
    JOINS_TRACES,
    UNTRACED,
    Access,
    access,
    acknowledge,
    acknowledge_patterns,
    allow,
)
from infra.constructs.network import CarrierNetwork
from infra.settings import Settings


class LambdaFunctions(Construct):
    """Makes every function of the stack, and remembers them by name.

    A role gets the statements that are given here and nothing else: CDK's grants do not reach it, so
    whoever reads a call of `add` has read everything the function may do.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        bundle: Bundle,
        network: CarrierNetwork | None = None,
    ) -> None:
        super().__init__(scope, id)
        self._network = network
        self.by_name: dict[str, lambda_.Function] = {}
        self.log_groups: dict[str, logs.LogGroup] = {}
        self._settings = settings
        self._bundle = bundle
        self._layers = [] if settings.local else [self._make_layer()]
        acknowledge(
            self,
            "Python 3.13 starts faster than 3.14, and is what everything is tested with.",
            "AwsSolutions-L1",
            "Serverless-LambdaLatestVersion",
        )
        acknowledge(
            self,
            "Queues and the stream have dead-letter queues of their own, the backstop has a destination "
            "for failures, the sweep's next run does the work of a failed one, and all others have a "
            "caller who waits.",
            "Serverless-LambdaDLQ",
        )
        acknowledge(
            self,
            "Every pattern is acknowledged by itself, under AwsSolutions-IAM5.",
            "Serverless-LambdaStarPermissions",
        )

        if not settings.traces:
            acknowledge(self, UNTRACED, "Serverless-LambdaTracing")

    def add(
        self,
        name: str,
        *given: Access,
        on_failure: lambda_.IDestination | None = None,
        retry_attempts: int | None = None,
    ) -> lambda_.Function:
        """Make the function whose handler is `functions/<name>/handler.py`.

        Parameters
        ----------
        name
            The folder's name, also the service name in logs and metrics.
        given
            All that it may use, besides its own logs and traces.
        on_failure, retry_attempts
            For functions that are called asynchronously.
        """
        settings = self._settings
        placement = {}
        if self._network is not None and any(each.calls_carriers for each in given):
            placement = self._network.placement()
            given = (*given, self._network.access())
        home = Construct(self, _camel(name))
        log_group = logs.LogGroup(
            home,
            "Logs",
            retention=logs.RetentionDays[settings.log_retention],
            removal_policy=RemovalPolicy[settings.removal_policy],
        )
        function = lambda_.Function(
            home,
            "Function",
            function_name=settings.name(name),
            runtime=lambda_.Runtime.PROVIDED_AL2023 if settings.local else lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.X86_64 if settings.local else lambda_.Architecture.ARM_64,
            handler=f"functions.{name}.handler.handler",
            code=self._code(name),
            layers=self._layers,
            memory_size=settings.size(name).memory,
            timeout=Duration.seconds(settings.size(name).timeout),
            reserved_concurrent_executions=settings.reserved_concurrency.get(name),
            # Without policy updates: CDK would add statements of its own, wider than ours.
            role=self._make_role(home, log_group, given).without_policy_updates(),
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE if settings.begins_traces(name) else lambda_.Tracing.PASS_THROUGH,
            environment={
                "LOG_LEVEL": settings.log_level,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": settings.metrics_namespace,
                # Looking for plugins reads the metadata of every library at import.
                "PYDANTIC_DISABLE_PLUGINS": "__all__",
                **{key: value for access in given for key, value in access.environment.items()},
            },
            on_failure=on_failure,
            retry_attempts=retry_attempts,
            snap_start=self._snap_start(name),
            **placement,
        )
        if settings.traces and not settings.begins_traces(name):
            acknowledge(function, JOINS_TRACES, "Serverless-LambdaTracing")
        self.by_name[name] = function
        self.log_groups[name] = log_group
        return function

    def _make_role(self, home: Construct, log_group: logs.LogGroup, given: Sequence[Access]) -> iam.Role:
        own = [
            allow("logs:CreateLogStream", "logs:PutLogEvents", on=log_group.log_group_arn),
            allow("xray:PutTraceSegments", "xray:PutTelemetryRecords", on="*"),
        ]
        theirs = [statement for access in given for statement in access.statements]
        role = iam.Role(
            home,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"function": iam.PolicyDocument(statements=own + theirs)},
        )
        nameless = access(*own, because="X-Ray has no resources to name.")
        for what in (nameless, *given):
            acknowledge_patterns(role, what)
        return role

    def _snap_start(self, name: str) -> lambda_.SnapStartConf | None:
        starts = name in self._settings.snap_started and not self._settings.local
        return lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if starts else None

    def _make_layer(self) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            "Layer",
            code=_asset(self._bundle.layer_zip, self._bundle.layer_hash),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            compatible_architectures=[lambda_.Architecture.ARM_64],
            description="Parcelgate's carrier layer and its libraries",
        )

    def _code(self, name: str) -> lambda_.Code:
        if name not in self._bundle.function_hashes:
            raise BundleError(f"functions/{name}/handler.py is missing")
        return _asset(self._bundle.function_zip(name), self._bundle.function_hashes[name])


def _asset(path: Path, content_hash: str) -> lambda_.Code:
    """A zip of ours, known to CDK by what went into it rather than by its bytes."""
    return lambda_.Code.from_asset(str(path), asset_hash=content_hash, asset_hash_type=AssetHashType.CUSTOM)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
