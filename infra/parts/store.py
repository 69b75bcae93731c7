"""The one table, its indexes and stream, and the key that everything of ours is encrypted with."""

from collections.abc import Sequence

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.constructs.access import Access, access, allow
from infra.settings import Settings

_INDEXES = {
    "by_time": ("list_pk", "list_sk"),
    "by_status": ("status_pk", "list_sk"),
    "by_reference": ("reference_pk", "list_sk"),
}
LISTS = tuple(_INDEXES)
"""The indexes that answer a tenant's lists."""
DUE = "due"
"""The index of what somebody must deal with by a certain time."""

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


class Store(Construct):
    """The table. Every role gets exact operations on it through `may`."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self.key = kms.Key(
            self,
            "Key",
            alias=f"alias/{settings.name('data')}",
            description=f"Parcelgate {settings.stage}: the table, and the tokens kept in it",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy[settings.removal_policy],
        )
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=_text("pk"),
            sort_key=_text("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=settings.deletion_protected,
            removal_policy=RemovalPolicy[settings.removal_policy],
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            time_to_live_attribute="expires_at",
        )
        for name, (partition, sort) in _INDEXES.items():
            self.table.add_global_secondary_index(
                index_name=name,
                partition_key=_text(partition),
                sort_key=_text(sort),
                projection_type=dynamodb.ProjectionType.INCLUDE,
                non_key_attributes=["carrier"],
            )
        self.table.add_global_secondary_index(
            index_name=DUE,
            partition_key=_text("due_pk"),
            sort_key=_text("due_at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )

    @property
    def stream_arn(self) -> str:
        """The table's stream."""
        return self.table.table_stream_arn or ""

    def access(self, *operations: str, query: Sequence[str] = ()) -> Access:
        """Operations on the table itself, such as `GetItem`, and queries of these indexes."""
        table = self.table.table_arn
        statements = [allow(*(f"dynamodb:{name}" for name in operations), on=table)]
        if query:
            statements.append(allow("dynamodb:Query", on=[f"{table}/index/{name}" for name in query]))
        return access(*statements, self._through_the_table(*_KEY_OF_TABLE), TABLE=self.table.table_name)

    def stream_access(self) -> Access:
        """Reading the table's stream."""
        reads = ("DescribeStream", "GetRecords", "GetShardIterator")
        return access(
            allow(*(f"dynamodb:{name}" for name in reads), on=self.stream_arn),
            allow("dynamodb:ListStreams", on="*"),
            self._through_the_table("Decrypt", "DescribeKey"),
            because="ListStreams has no resources to name.",
        )

    def key_access(self) -> Access:
        """Encrypting and decrypting what is kept encrypted inside an item."""
        return access(allow("kms:Encrypt", "kms:Decrypt", on=self.key.key_arn), KMS_KEY=self.key.key_arn)

    def _through_the_table(self, *operations: str) -> iam.PolicyStatement:
        """Whoever may use the table may use its key, through DynamoDB and in no other way."""
        return iam.PolicyStatement(
            actions=[f"kms:{name}" for name in operations],
            resources=[self.key.key_arn],
            conditions={
                "StringEquals": {"kms:ViaService": f"dynamodb.{Stack.of(self).region}.amazonaws.com"}
            },
        )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
