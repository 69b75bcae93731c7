"""Releases: how the new version of a public function takes over from the one before.

Only the functions that clients call have versions and an alias. All others run as they were deployed last:
see docs/deploy.md.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.access import Access, access, account_arn, acknowledge_patterns, allow
from infra.parts.foundation import Foundation
from infra.settings import ALIAS, CANARIES, PUBLIC, ROLLS_BACK
from parcelgate.http.smoke import AUTHORIZER

CHECKER = "check_release"
"""The function that asks a new version whether it works, before its alias moves."""


class Releases(Construct):
    """The aliases of the public functions, and their deployments by CodeDeploy. Local stacks have neither.

    It is made when all functions of the stack are there.
    """

    def __init__(self, scope: Construct, id: str, base: Foundation) -> None:
        super().__init__(scope, id)
        self._settings = base.settings
        self._functions = base.functions.by_name
        background = sorted(set(self._functions) - PUBLIC)
        self._checker = base.functions.add(CHECKER, *self._check_access(background))
        self._aliases: dict[str, lambda_.Alias] = {}
        if base.settings.local:
            return
        for name in sorted(PUBLIC):
            self._aliases[name] = lambda_.Alias(
                self, name, alias_name=ALIAS, version=self._functions[name].current_version
            )
        # The check that comes with the authorizer asks what runs in the background by then.
        self._wait(self._aliases[AUTHORIZER], [self._functions[name] for name in background])

    @property
    def answering(self) -> Mapping[str, lambda_.IFunction]:
        """What the gateway calls, by the function's name."""
        return {name: self._aliases.get(name, self._functions[name]) for name in PUBLIC}

    def deploy_by_canary(self, alarms: Mapping[str, cloudwatch.IAlarm]) -> None:
        """Have CodeDeploy move the aliases, and move them back if an alarm rings.

        Parameters
        ----------
        alarms
            The stack's alarms by their names.
        """
        if not self._aliases:
            return
        settings = self._settings
        application = codedeploy.LambdaApplication(
            self, "Application", application_name=settings.name("releases")
        )
        role = self._make_role()
        for name, alias in self._aliases.items():
            codedeploy.LambdaDeploymentGroup(
                self,
                f"{name}-Deployment",
                application=application,
                deployment_group_name=settings.name(name),
                alias=alias,
                deployment_config=getattr(
                    codedeploy.LambdaDeploymentConfig, CANARIES[settings.canary_minutes]
                ),
                pre_hook=self._checker,
                alarms=[alarms[name] for name in ROLLS_BACK],
                # Not by leaving them out: CloudFormation would keep those that are there.
                ignore_alarm_configuration=not settings.rollback_on_alarms,
                auto_rollback=codedeploy.AutoRollbackConfig(
                    failed_deployment=True,
                    stopped_deployment=True,
                    deployment_in_alarm=bool(settings.rollback_on_alarms),
                ),
                role=role.without_policy_updates(),
            )
            self._wait(alias, [self._checker])

    def _check_access(self, background: Sequence[str]) -> tuple[Access, ...]:
        settings = self._settings
        application = account_arn(self, "codedeploy", f"deploymentgroup:{settings.name('releases')}/*")
        return (
            access(
                allow(
                    "lambda:InvokeFunction", on=account_arn(self, "lambda", f"function:{settings.name('*')}")
                ),
                because="Every version of every function is asked before it is called by others.",
                FUNCTION_PREFIX=settings.name(""),
                CHECKED_TOGETHER=Stack.of(self).to_json_string({AUTHORIZER: " ".join(background)}),
            ),
            access(
                allow("codedeploy:PutLifecycleEventHookExecutionStatus", on=application),
                because="Each public function has a deployment group of its own.",
            ),
            access(
                allow("codedeploy:BatchGetDeploymentTargets", "codedeploy:ListDeploymentTargets", on="*"),
                because="CodeDeploy has no resources to name for a deployment's targets.",
            ),
        )

    def _make_role(self) -> iam.Role:
        """Let CodeDeploy move the aliases, ask for alarms and call the check, all in one role."""
        functions = account_arn(self, "lambda", f"function:{self._settings.name('*')}")
        aliases = access(
            allow(
                "lambda:GetAlias",
                "lambda:GetProvisionedConcurrencyConfig",
                "lambda:UpdateAlias",
                on=functions,
            ),
            because="Each public function has an alias of its own.",
        )
        alarms = access(
            allow("cloudwatch:DescribeAlarms", on="*"), because="CloudWatch lists alarms for all or for none."
        )
        check = allow("lambda:InvokeFunction", on=self._checker.function_arn)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "codedeploy.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
            inline_policies={
                "deploy": iam.PolicyDocument(statements=[*aliases.statements, *alarms.statements, check])
            },
        )
        for each in (aliases, alarms):
            acknowledge_patterns(role, each)
        return role

    def _wait(self, alias: lambda_.Alias, functions: Sequence[lambda_.Function]) -> None:
        """Let an alias move only after these functions are those of the new release."""
        for function in functions:
            _resource(alias).add_resource_dependency(_resource(function))


def _resource(of: Construct) -> CfnResource:
    return cast(CfnResource, of.node.default_child)
