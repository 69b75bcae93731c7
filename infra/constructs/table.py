"""A table that nobody but our own functions uses, and that cannot be lost."""

from collections.abc import Mapping, Sequence

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.constructs.access import Access, access, allow
from infra.settings import Settings

_KEY_OF_TABLE = (
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)
"""What DynamoDB does with the table's key in the name of whoever uses the table."""


class ProtectedTable(dynamodb.Table):
    """On demand, encrypted under our own key, brought back to any second of 35 days; items expire.

    Parameters
    ----------
    key
        The key that it is encrypted under.
    indexes
        Partition and sort key of each index, by its name.
    projected
        Attributes that are read from an index beside its keys, by the index's name.
    stream
        What the table's stream tells of a change; None for no stream.
    instead
        ARN of the stream of the table that is used in place of this one, with the same keys, indexes and
        encryption: one that was restored from a backup. This one is kept, and nobody has rights on it.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        key: kms.Key,
        indexes: Mapping[str, tuple[str, str]],
        projected: Mapping[str, Sequence[str]] | None = None,
        stream: dynamodb.StreamViewType | None = None,
        instead: str = "",
    ) -> None:
        super().__init__(
            scope,
            id,
            partition_key=_text("pk"),
            sort_key=_text("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=settings.deletion_protected,
            removal_policy=RemovalPolicy[settings.removal_policy],
            stream=stream,
            time_to_live_attribute="expires_at",
        )
        self._key = key
        self.used: dynamodb.ITable = self
        """The table that functions use."""
        if instead:
            self.used = dynamodb.Table.from_table_attributes(
                self, "Instead", table_arn=instead.partition("/stream/")[0], table_stream_arn=instead
            )
        for name, (partition, sort) in indexes.items():
            attributes = (projected or {}).get(name)
            self.add_global_secondary_index(
                index_name=name,
                partition_key=_text(partition),
                sort_key=_text(sort),
                projection_type=dynamodb.ProjectionType.INCLUDE
                if attributes
                else dynamodb.ProjectionType.KEYS_ONLY,
                non_key_attributes=list(attributes) if attributes else None,
            )

    def access(self, *operations: str, query: Sequence[str] = (), variable: str) -> Access:
        """Operations on the table itself, such as `GetItem`, and queries of these indexes.

        `variable` is the one that names the table to the function, without our prefix.
        """
        statements = []
        if operations:
            statements.append(allow(*(f"dynamodb:{name}" for name in operations), on=self.used.table_arn))
        if query:
            statements.append(
                allow("dynamodb:Query", on=[f"{self.used.table_arn}/index/{name}" for name in query])
            )
        return access(
            *statements, self._through_the_table(*_KEY_OF_TABLE), **{variable: self.used.table_name}
        )

    def partition_access(self, operation: str, *, partitions: Sequence[str], variable: str) -> Access:
        """One operation on the items of these partitions, and on no others."""
        read = iam.PolicyStatement(
            actions=[f"dynamodb:{operation}"],
            resources=[self.used.table_arn],
            conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [*partitions]}},
        )
        return access(read, self._through_the_table(*_KEY_OF_TABLE), **{variable: self.used.table_name})

    def beginning_access(
        self, operation: str, *, beginning: str, variable: str, instead: tuple[str, str] | None = None
    ) -> Access:
        """One operation on the items of the partitions with this beginning, and on no others.

        `instead`: the ARNs of the table that it is for in place of this one, and of its key.
        """
        table_arn, key_arn = instead or (self.used.table_arn, self._key.key_arn)
        name = table_arn.rpartition("/")[2] if instead else self.used.table_name
        write = iam.PolicyStatement(
            actions=[f"dynamodb:{operation}"],
            resources=[table_arn],
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{beginning}*"]}},
        )
        return access(write, self._through_the_table(*_KEY_OF_TABLE, key_arn=key_arn), **{variable: name})

    def stream_access(self) -> Access:
        """Reading the table's stream."""
        reads = ("DescribeStream", "GetRecords", "GetShardIterator")
        return access(
            allow(*(f"dynamodb:{name}" for name in reads), on=self.used.table_stream_arn or ""),
            allow("dynamodb:ListStreams", on="*"),
            self._through_the_table("Decrypt", "DescribeKey"),
            because="ListStreams has no resources to name.",
        )

    def _through_the_table(self, *operations: str, key_arn: str | None = None) -> iam.PolicyStatement:
        """Whoever may use the table may use its key, through DynamoDB and in no other way."""
        return iam.PolicyStatement(
            actions=[f"kms:{name}" for name in operations],
            resources=[key_arn or self._key.key_arn],
            conditions={
                "StringEquals": {"kms:ViaService": f"dynamodb.{Stack.of(self).region}.amazonaws.com"}
            },
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
