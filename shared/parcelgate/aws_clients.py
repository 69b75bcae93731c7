"""The one place where AWS clients are made.

botocore alone makes them: boto3 adds nothing but resources, which nobody here uses. A client is made
when it is first asked for and kept for the life of the environment.
"""

import os
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

CONNECT_TIMEOUT = 2.0
"""Seconds."""
READ_TIMEOUT = 2.0
"""The time-out in seconds. Every call here is answered in milliseconds; a longer wait would not help."""
S3_READ_TIMEOUT = 5.0
"""Seconds. S3 answers a whole document, or takes one."""
INVOKE_READ_TIMEOUT = 35.0
"""Seconds. A function behind the gateway answers within 30."""
EMULATOR_READ_TIMEOUT = 30.0
"""Seconds, where `AWS_ENDPOINT_URL` names an emulator, which shares its processor with all functions."""
ATTEMPTS = 3
"""The first one included."""
CONNECTIONS = 32
"""Kept open at once: as many threads as ever call side by side have one each."""

_USER_AGENT = "parcelgate"
"""botocore makes its own one anew for every call, of what never changes: a tenth of a call's work."""

_made: dict[str, Any] = {}
_making = Lock()
"""A session makes one client at a time: threads that ask for their first ones together would disturb it."""
_session: "Session | None" = None


@overload
def client(service: Literal["codedeploy", "lambda"]) -> Any: ...
@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["events"]) -> "EventBridgeClient": ...
@overload
def client(service: Literal["kms"]) -> "KMSClient": ...
@overload
def client(service: Literal["s3"]) -> "S3Client": ...
@overload
def client(service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
@overload
def client(service: Literal["sqs"]) -> "SQSClient": ...
@overload
def client(service: Literal["stepfunctions"]) -> "SFNClient": ...


def client(service: str) -> Any:
    """The environment's client of an AWS service, with short time-outs and few attempts.

    `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` are honoured, by botocore itself.
    """
    if service not in _made:
        with _making:
            if service not in _made:
                _made[service] = _make(service)
    return _made[service]


def put(service: str, fake: Any) -> None:
    """Have `client(service)` return `fake` from now on. For tests; `forget` undoes it."""
    _made[service] = fake


def forget() -> None:
    """Forget all clients; each is made anew at its next use. For tests."""
    global _session
    _made.clear()
    _session = None


def close_connections() -> None:
    """Close the connections of all clients. Each opens a new one at its next call."""
    for made in _made.values():
        made.close()


def _make(service: str) -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    global _session
    if _session is None:
        _session = get_session()
    emulated = "AWS_ENDPOINT_URL" in os.environ
    patience = {"s3": S3_READ_TIMEOUT, "lambda": INVOKE_READ_TIMEOUT}.get(service, READ_TIMEOUT)
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=EMULATOR_READ_TIMEOUT if emulated else patience,
        # `standard`, not `adaptive`: the latter slows every call of the environment down by itself.
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        max_pool_connections=CONNECTIONS,
        # Types check what is sent. AWS checks it anyway, and doing so here takes a sixth of a call's work.
        parameter_validation=False,
        user_agent=_USER_AGENT,
        # Links to a bucket begin alike in every region, so that a page's policy can name where labels are.
        s3={"addressing_style": "path"}
        if emulated
        else {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
        signature_version="s3v4" if service == "s3" else None,
    )
    made = _session.create_client(service, config=config)
    if service == "s3":
        made.meta.events.register("before-parameter-build.s3", _refuse_an_empty_key)
    return made


def _refuse_an_empty_key(params: dict[str, Any], **_: object) -> None:
    """Raise ValueError for the key of no object: S3 would take the call for one about the whole bucket."""
    if "Key" in params and not params["Key"]:
        raise ValueError("the key of an S3 object is empty")
