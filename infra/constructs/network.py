"""The network from which carriers are called, where they let in known addresses alone."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.constructs.access import Access, access, account_arn, acknowledge, allow
from infra.settings import Settings

_BLOCK = "10.80.0.0/24"
"""Nothing else is in this network, and nothing is connected to it: the block may be used elsewhere, too."""


class CarrierNetwork(Construct):
    """Private subnets, each in a zone of its own with a NAT gateway that has a fixed address.

    What goes to DynamoDB and S3 leaves by gateway endpoints, which cost nothing, all else by the gateways.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        zones = settings.fixed_addresses
        # Resources of their own, so that a carrier's list stays valid whatever becomes of the gateways.
        addresses = [ec2.CfnEIP(self, f"Address{number}", domain="vpc") for number in range(zones)]
        self._addresses: Sequence[str] = [address.ref for address in addresses]
        self._vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(_BLOCK),
            max_azs=zones,
            nat_gateways=zones,
            nat_gateway_provider=ec2.NatProvider.gateway(
                eip_allocation_ids=[address.attr_allocation_id for address in addresses]
            ),
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Gateways",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=28,
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(
                    name="Functions", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=26
                ),
            ],
            gateway_endpoints={
                "Tables": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
                "Buckets": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            },
        )
        acknowledge(
            self._vpc,
            "Nothing listens in this network, and each call to a carrier is in the functions' own logs.",
            "AwsSolutions-VPC7",
        )
        self._security_group = ec2.SecurityGroup(
            self,
            "Functions",
            vpc=self._vpc,
            description="Functions that call carriers: out by HTTPS, and nothing in",
            allow_all_outbound=False,
        )
        self._security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "Carriers and AWS")

    @property
    def addresses(self) -> str:
        """The addresses that carriers see, with commas."""
        return Fn.join(",", self._addresses)

    def placement(self) -> dict[str, Any]:
        """What makes a function run in this network."""
        return {
            "vpc": self._vpc,
            "vpc_subnets": ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            "security_groups": [self._security_group],
        }

    def access(self) -> Access:
        """What Lambda does in a function's name to connect it to the network."""
        return access(
            allow(
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:UnassignPrivateIpAddresses",
                # Lambda takes this form, or every interface by its id.
                on=account_arn(self, "ec2", "*/*"),
            ),
            allow("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", on="*"),
            because="Lambda makes network interfaces, whose names nobody knows before.",
        )
