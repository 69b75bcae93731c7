"""An S3 bucket that only our own functions can read."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.access import Access, access, acknowledge, allow
from infra.settings import Settings


class PrivateBucket(s3.Bucket):
    """Encrypted, closed to the public, over TLS alone; what is in it is deleted after `kept_days`.

    Parameters
    ----------
    kept_days
        How long an object is kept, in days.
    undo_days
        How long an overwritten or deleted object can be restored, in days; 0: not at all.
    no_access_log_because
        Why there is no log of who read it.
    kept_a_day
        What the keys of objects begin with that are kept for one day only and cannot be brought back.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        kept_days: int,
        undo_days: int = 0,
        no_access_log_because: str,
        kept_a_day: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            # The emulator is spoken to over plain HTTP.
            enforce_ssl=not settings.local,
            minimum_tls_version=None if settings.local else 1.2,
            removal_policy=RemovalPolicy[settings.removal_policy],
            versioned=undo_days > 0,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(kept_days),
                    noncurrent_version_expiration=Duration.days(undo_days) if undo_days else None,
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                ),
                *([_one_day(kept_a_day, undo=undo_days > 0)] if kept_a_day else []),
            ],
        )
        acknowledge(self, no_access_log_because, "AwsSolutions-S1")

    def object_access(self, *operations: str, because: str, under: str = "", **environment: str) -> Access:
        """Operations on the objects whose keys begin with `under`, such as `GetObject`.

        `because` says why on all of them.
        """
        actions = (f"s3:{name}" for name in operations)
        return access(allow(*actions, on=self.arn_for_objects(f"{under}*")), because=because, **environment)


def _one_day(prefix: str, *, undo: bool) -> s3.LifecycleRule:
    """Of two rules that hold for an object S3 follows the one that ends earlier."""
    day = Duration.days(1)
    return s3.LifecycleRule(
        prefix=prefix, expiration=day, noncurrent_version_expiration=day if undo else None
    )
