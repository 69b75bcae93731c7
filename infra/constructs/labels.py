"""The bucket that holds labels."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.policy import Access, access, acknowledge, allow
from infra.settings import Settings


class Labels(Construct):
    """A private bucket. Links signed by one function are the only way to a label from outside."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            # The emulator is spoken to over plain HTTP.
            enforce_ssl=not settings.local,
            minimum_tls_version=None if settings.local else 1.2,
            removal_policy=RemovalPolicy.RETAIN if settings.protect_data else RemovalPolicy.DESTROY,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(settings.label_retention_days),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
        )
        acknowledge(
            self.bucket,
            "Who fetched a label stands in our own logs, without the link; a second bucket of access logs "
            "would hold the signed links themselves.",
            "AwsSolutions-S1",
        )

    def access(self, *operations: str) -> Access:
        """Operations on the objects, such as `GetObject`."""
        actions = (f"s3:{name}" for name in operations)
        return access(
            allow(*actions, on=self.bucket.arn_for_objects("*")),
            because="Every label is an object of its own.",
            LABEL_BUCKET=self.bucket.bucket_name,
        )
