"""The tables, and the key that everything of ours is encrypted with."""

from collections.abc import Sequence
from dataclasses import replace

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.constructs.access import Access, access, allow
from infra.constructs.table import ProtectedTable
from infra.settings import Settings
from parcelgate.store import keys
from parcelgate.store.limits import DOWN, LOGINS
from parcelgate.store.lists import EVENT_PARTITIONS, PARTITIONS

LISTS = tuple(PARTITIONS)
"""The indexes that answer a tenant's lists."""
EVENT_LISTS = tuple(EVENT_PARTITIONS)
"""The indexes of the events table: each answers a list."""
DUE = "due"
"""The index of what somebody must deal with by a certain time."""
WHEEL = tuple(map(keys.wheel, range(keys.POLL_SHARDS)))
"""The partitions in which parcels wait together for their next polls."""


class Store(Construct):
    """The main table, the events table and the usage table. Every role gets exact operations on them.

    What merchants are told has a table of its own, since who delivers it must not reach orders. So have the
    counts of requests, since who only reads orders must not write them.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._retention_days = settings.retention_days
        self._limits_elsewhere = (
            (settings.limits_table, settings.limits_key) if settings.limits_table else None
        )
        self.key = kms.Key(
            self,
            "Key",
            alias=f"alias/{settings.name('data')}",
            description=f"Parcelgate {settings.stage}: the table, and the tokens kept in it",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy[settings.removal_policy],
        )
        self.table = ProtectedTable(
            self,
            "Table",
            settings=settings,
            key=self.key,
            indexes={name: (partition, "list_sk") for name, partition in PARTITIONS.items()}
            | {DUE: ("due_pk", "due_at")},
            projected={name: ["carrier"] for name in LISTS},
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            instead=settings.table_stream,
        )
        self.events = ProtectedTable(
            self,
            "Events",
            settings=settings,
            key=self.key,
            indexes={name: (partition, "list_sk") for name, partition in EVENT_PARTITIONS.items()},
        )

        self.usage = ProtectedTable(self, "Usage", settings=settings, key=self.key, indexes={})
        self._limits = {
            "REQUESTS_A_MINUTE": str(settings.requests_a_minute),
            "ORDERS_A_MINUTE": str(settings.orders_a_minute),
            "BATCHES_A_MINUTE": str(settings.batches_a_minute),
            "REFRESHES_A_MINUTE": str(settings.refreshes_a_minute),
        }

    @property
    def stream_arn(self) -> str:
        """The stream of the main table, or of the one in its place."""
        return self.table.used.table_stream_arn or ""

    def access(self, *operations: str, query: Sequence[str] = ()) -> Access:
        """Operations on the main table itself, such as `GetItem`, and queries of these indexes."""
        given = self.table.access(*operations, query=query, variable="TABLE")
        kept = access(RETENTION=str(self._retention_days * 86_400))
        return replace(given, environment={**given.environment, **kept.environment})

    def circuits_access(self) -> Access:
        """Reading which carriers are down, and nothing else of the main table."""
        return self.table.partition_access("Query", partitions=[DOWN], variable="TABLE")

    def wheel_access(self) -> Access:
        """Finding the parcels that wait together for their next polls."""
        return self.table.partition_access("Query", partitions=WHEEL, variable="TABLE")

    def events_access(self, *operations: str, query: Sequence[str] = ()) -> Access:
        """Operations on the events table, and queries of these indexes."""
        return self.events.access(*operations, query=query, variable="EVENTS_TABLE")

    def usage_access(self) -> Access:
        """Counting what tenants ask for, and nothing else."""
        given = self.usage.access("UpdateItem", variable="USAGE_TABLE")
        return replace(given, environment={**given.environment, **access(**self._limits).environment})

    def logins_access(self) -> Access:
        """Counting the calls of logins that several accounts have, and nothing else of that table."""
        return self.usage.beginning_access(
            "UpdateItem", beginning=LOGINS, variable="LIMITS_TABLE", instead=self._limits_elsewhere
        )

    def stream_access(self) -> Access:
        """Reading the main table's stream."""
        return self.table.stream_access()

    def key_access(self, *operations: str) -> Access:
        """Encrypting and decrypting what is kept encrypted inside an item, or only the one that is named."""
        actions = (f"kms:{name}" for name in operations or ("Encrypt", "Decrypt"))
        return access(allow(*actions, on=self.key.key_arn), KMS_KEY=self.key.key_arn)
