"""What settings add to the stack: a name of one's own, and fixed addresses for calls to carriers."""

from typing import Any

import pytest

from infra.settings import ALL_OPTIONS, PUBLIC, settings_for
from parcelgate.store.limits import LOGINS
from tests.infra.conftest import Template, written
from tests.infra.permissions import CALL_NO_CARRIER, COUNT_LOGINS

DOMAIN = "api.example.com"


class TestDomain:
    def test_the_api_answers_under_a_name_that_outlives_it(self, options: Template) -> None:
        domain = options.only("ApiGatewayV2::DomainName")
        assert domain["DomainName"] == DOMAIN
        (configuration,) = domain["DomainNameConfigurations"]
        assert configuration["SecurityPolicy"] == "TLS_1_2"
        mapping = options.only("ApiGatewayV2::ApiMapping")
        (api,) = options.all("ApiGatewayV2::Api")
        (stage,) = options.all("ApiGatewayV2::Stage")
        assert (mapping["ApiId"], mapping["Stage"]) == ({"Ref": api}, {"Ref": stage})

    def test_webhook_addresses_and_links_bear_it(self, options: Template) -> None:
        """A carrier has them entered; under AWS's name they would end with the API."""
        outputs = {name: each["Value"] for name, each in options.json["Outputs"].items()}
        assert outputs["ApiUrl"] == outputs["WebhookBaseUrl"] == f"https://{DOMAIN}"
        told = {
            name: variables[key]
            for name, function in options.functions.items()
            for key in ("PARCELGATE_WEBHOOK_BASE_URL", "PARCELGATE_PUBLIC_URL")
            if key in (variables := function["Environment"]["Variables"])
        }
        assert {"submit_order", "route_changes"} <= set(told)
        assert set(told.values()) == {f"https://{DOMAIN}"}
        assert "RegionalDomainName" in written(outputs["DomainTarget"])

    def test_the_name_that_aws_gives_goes_on(self, aws: Template, options: Template) -> None:
        api = options.only("ApiGatewayV2::Api")
        assert not api.get("DisableExecuteApiEndpoint")
        assert "GatewayUrl" in options.json["Outputs"]
        assert not aws.all("ApiGatewayV2::DomainName")

    def test_it_takes_a_certificate(self) -> None:
        with pytest.raises(ValueError, match="together"):
            settings_for("production", domain=DOMAIN)


class TestFixedAddresses:
    def test_who_calls_carriers_runs_behind_them_and_nobody_else(self, options: Template) -> None:
        """What is sent to merchants is not: from outside the network nothing in it can be reached."""
        inside = {name for name, each in options.functions.items() if "VpcConfig" in each}
        readers = {
            name
            for name, each in options.functions.items()
            if "PARCELGATE_SECRET_PREFIX" in each["Environment"]["Variables"]
        }
        assert inside == readers - CALL_NO_CARRIER
        assert "deliver_event" not in inside

    def test_each_zone_has_a_gateway_with_an_address(self, options: Template) -> None:
        gateways = options.properties("EC2::NatGateway")
        addresses = {each["AllocationId"]["Fn::GetAtt"][0] for each in gateways}
        assert addresses == set(options.all("EC2::EIP"))
        assert len({written(each["SubnetId"]) for each in gateways}) == len(gateways) == 2
        told = written(options.json["Outputs"]["OutgoingAddresses"]["Value"])
        assert set(told.split(",")) == {f"<{each}>" for each in addresses}

    def test_functions_are_in_subnets_whose_only_way_out_is_a_gateway(self, options: Template) -> None:
        tables = {
            written(each["RouteTableId"]): each
            for each in options.properties("EC2::Route")
            if each["DestinationCidrBlock"] == "0.0.0.0/0"
        }
        ways = {
            written(each["SubnetId"]): tables[written(each["RouteTableId"])]
            for each in options.properties("EC2::SubnetRouteTableAssociation")
        }
        for function in options.functions.values():
            for subnet in function.get("VpcConfig", {}).get("SubnetIds", []):
                assert "NatGatewayId" in ways[written(subnet)]

    def test_nothing_comes_in_and_https_alone_goes_out(self, options: Template) -> None:
        group = options.only("EC2::SecurityGroup")
        assert "SecurityGroupIngress" not in group
        assert not options.all("EC2::SecurityGroupIngress")
        (way,) = group["SecurityGroupEgress"]
        assert (way["IpProtocol"], way["FromPort"], way["ToPort"]) == ("tcp", 443, 443)

    def test_tables_and_buckets_are_reached_without_a_gateways_charge(self, options: Template) -> None:
        services = {written(each["ServiceName"]) for each in options.properties("EC2::VPCEndpoint")}
        assert {service.rpartition(".")[2] for service in services} == {"dynamodb", "s3"}
        assert {each["VpcEndpointType"] for each in options.properties("EC2::VPCEndpoint")} == {"Gateway"}

    def test_roles_get_what_the_network_takes_and_only_there(self, aws: Template, options: Template) -> None:
        for name, function in options.functions.items():
            more = actions(options, name) - actions(aws, name)
            assert {action.partition(":")[0] for action in more} == (
                {"ec2"} if "VpcConfig" in function else set()
            )

    def test_off_unless_told_otherwise(self, aws: Template) -> None:
        assert not [each for each in aws.json["Resources"].values() if each["Type"].startswith("AWS::EC2")]
        with pytest.raises(ValueError, match="0, 1 or 2"):
            settings_for("production", fixed_addresses=3)


class TestSnapStart:
    def test_who_may_starts_from_a_snapshot_of_its_published_version(self, options: Template) -> None:
        started = {
            name
            for name, each in options.functions.items()
            if each.get("SnapStart") == {"ApplyOn": "PublishedVersions"}
        }
        assert started == PUBLIC

    def test_off_unless_told_otherwise(self, aws: Template) -> None:
        assert not [name for name, each in aws.functions.items() if "SnapStart" in each]

    def test_for_some_functions(self) -> None:
        started = settings_for("production", snap_start="authorize, create_order").snap_started
        assert started == {"authorize", "create_order"}

    def test_a_function_without_versions_cannot(self) -> None:
        with pytest.raises(ValueError, match="no versions: sweep"):
            settings_for("production", snap_start="authorize,sweep")


class TestLimitsTable:
    """The calls of logins that stages have in common are counted in the table of one of them."""

    TABLE, KEY = ALL_OPTIONS["limits_table"], ALL_OPTIONS["limits_key"]

    def test_who_calls_carriers_counts_in_it_and_nobody_else(self, options: Template) -> None:
        named = {
            name: each["Environment"]["Variables"]["PARCELGATE_LIMITS_TABLE"]
            for name, each in options.functions.items()
            if "PARCELGATE_LIMITS_TABLE" in each["Environment"]["Variables"]
        }
        assert named == dict.fromkeys(COUNT_LOGINS, "parcelgate-staging-usage")

    def test_roles_write_logins_in_it_and_use_its_key_through_it_alone(self, options: Template) -> None:
        for name in options.functions:
            theirs = [
                each
                for each in options.statements(name)
                if any(one in (self.TABLE, self.KEY) for one in _each(each["Resource"]))
            ]
            if name not in COUNT_LOGINS:
                assert not theirs
                continue
            table, key = theirs
            assert (table["Action"], table["Resource"]) == ("dynamodb:UpdateItem", self.TABLE)
            condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{LOGINS}*"]}}
            assert table["Condition"] == condition
            assert key["Resource"] == self.KEY
            assert written(key["Condition"]["StringEquals"]["kms:ViaService"]).startswith("dynamodb.")

    def test_a_stage_has_its_own_unless_told_otherwise(self, aws: Template) -> None:
        assert self.TABLE not in written(aws.json)
        with pytest.raises(ValueError, match="together"):
            settings_for("production", limits_table=self.TABLE)
        with pytest.raises(ValueError, match="limits_table is an ARN"):
            settings_for("production", limits_table="parcelgate-staging-usage", limits_key=self.KEY)


def test_traces_can_be_switched_off(options: Template) -> None:
    """What is called by something that is traced still joins the trace."""
    assert {each["TracingConfig"]["Mode"] for each in options.functions.values()} == {"PassThrough"}
    machines = options.properties("StepFunctions::StateMachine")
    assert not any(each.get("TracingConfiguration", {}).get("Enabled") for each in machines)


def test_what_no_client_calls_begins_traces_only_when_it_is_told_to() -> None:
    usual, told, none = (
        settings_for("production", **given) for given in ({}, {"worker_traces": 1}, {"traces": 0})
    )
    assert (usual.begins_traces("create_order"), usual.begins_traces("deliver_event")) == (True, False)
    assert (told.begins_traces("create_order"), told.begins_traces("deliver_event")) == (True, True)
    assert not none.begins_traces("create_order")


def actions(template: Template, function: str) -> set[str]:
    return {action for statement in template.statements(function) for action in _each(statement["Action"])}


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
