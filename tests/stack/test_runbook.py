"""Every shell command of the runbook is run on the local stack: by a drill, or here by its row in `ROWS`."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from local.drills import runbook
from local.drills.scene import Scene
from parcelgate.services.accounts import webhook_urls
from parcelgate.store.credentials.webhook_tokens import Hook
from tests.stack.drills import BESIDE_OTHERS, Drills


@dataclass(frozen=True)
class Row:
    """A block of commands, by words that only it has, and what is particular about it.

    `ends` are the exit codes that it may have; `says` must stand in what it prints. `not_here` says why it
    cannot be run on this stack.
    """

    section: str
    words: str
    ends: tuple[int, ...] = (0,)
    says: str = ""
    not_here: str = ""


ROWS = (
    # Others have the stack meanwhile, and the doctor may find what their tests broke.
    Row("Look at everything at once", "parcelgate doctor", ends=(0, 1), says="functions answer"),
    Row("", "parcelgate logs"),
    Row("Whose trouble it is", "parcelgate tenants", says="runbook-"),
    Row("Dead letters", "sqs delete-message"),
    Row("Oldest message", "list-event-source-mappings"),
    Row("Oldest message", "update-event-source-mapping", says="Enabled"),
    Row("Oldest message", "logs --function deliver_event"),
    Row("Oldest message", "make deploy", not_here="It deploys to AWS."),
    Row("Carrier down", "attention resolve --all"),
    Row("Pause a carrier account", "accounts pause", says="moves its platform"),
    Row("Pause a carrier account", "accounts resume"),
    Row("Orders need attention", "orders list", says="confirmed"),
    Row("Parked webhooks", "accounts webhook-url", says="/webhooks/lme/"),
    Row("Parked webhooks", "inbox list", says="not JSON"),
    Row("Parked webhooks", "inbox dismiss"),
    Row(
        "Credentials refused",
        "accounts rotate CARRIER --tenant",
        not_here="It asks for secrets on a terminal.",
    ),
    # The account has the same login as before.
    Row("Credentials refused", "accounts rotate CARRIER --back", ends=(1,), says="Nothing is changed"),
    Row("Restore", "describe-continuous-backups", says="PointInTimeRecoveryStatus"),
    Row("Restore", "restore-table-to-point-in-time", says="ACTIVE"),
    Row("Restore", "create-backup", says="arn:aws:dynamodb"),
    Row("Restore", "restore-table-from-backup", says="ACTIVE"),
    Row("Restore", "update-time-to-live", says="/stream/"),
    Row("Restore", "make deploy", not_here="It deploys to AWS; the drill `restore` deploys by `make up`."),
)


@pytest.fixture
def scene(stack_state: Path, tmp_path: Path) -> Iterator[Scene]:
    """A tenant with an order that is confirmed, and a webhook that is parked."""
    with ExitStack() as undo:
        made = Scene(stack_state, f"runbook-{uuid4().hex[:8]}", tmp_path, print, True, undo)
        made.put_account("lme")
        made.put_account("lme")  # so that there is one before it
        made.post("lme")
        url = webhook_urls.webhook_url(
            made.table,
            made.client("secretsmanager"),
            Hook(made.tenant, "lme", "default"),
            secret_prefix=made.outputs["SecretPrefix"],
            base_url=made.outputs["WebhookBaseUrl"],
        )
        httpx.post(url, content=b"not JSON", timeout=60).raise_for_status()
        made.until(lambda: bool(made.get("/v1/inbox")["data"]), "a parked webhook")
        made.until(lambda: not [*made.open_orders()], "the order")
        yield made


@pytest.fixture
def values(scene: Scene) -> Iterator[dict[str, str]]:
    """What the placeholders stand for; the tables and the backup that a test makes are deleted."""
    table = scene.outputs["TableName"]
    given = {
        **scene.names,
        "CARRIER": "lme",
        "ORDER_ID": scene.orders[0]["id"],
        "QUEUE": "retries-lme",
        "WEBHOOK": scene.get("/v1/inbox")["data"][0]["id"],
        "TABLE": table,
        # One that is enabled: no test of this stack may be without its functions.
        "MAPPING": scene.client("lambda").list_event_source_mappings()["EventSourceMappings"][0]["UUID"],
        "TIME": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    yield given
    client = scene.client("dynamodb")
    for name in client.list_tables()["TableNames"]:
        if name.startswith(f"{table}-{scene.tenant}"):
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
            client.delete_table(TableName=name)
    if "BACKUP" in given:
        client.delete_backup(BackupArn=given["BACKUP"])


def put_letter(scene: Scene) -> None:
    """Put a message that names the scene's order into the dead-letter queue of `changes`."""
    body = json.dumps({"keys": {"pk": f"T#{scene.tenant}#ORDER#{scene.orders[0]['id']}"}, "reason": "a test"})
    scene.client("sqs").send_message(QueueUrl=url_of_changes(scene), MessageBody=body)


def letters(scene: Scene) -> list[str]:
    """The messages in that queue that name the scene's order."""
    answer = scene.client("sqs").receive_message(
        QueueUrl=url_of_changes(scene), MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [each["Body"] for each in answer.get("Messages", ()) if scene.orders[0]["id"] in each["Body"]]


def url_of_changes(scene: Scene) -> str:
    """The address of that queue."""
    prefix = f"parcelgate-{scene.names['STAGE']}-EventsDeadLetters"
    (url,) = scene.client("sqs").list_queues(QueueNamePrefix=prefix)["QueueUrls"]
    return str(url)


def test_every_command_of_the_page_runs(scene: Scene, values: dict[str, str], drills: Drills) -> None:
    """In the page's sequence. What a drill has run already is not run again."""
    practised = {block for kind in BESIDE_OTHERS for block in drills(kind).result.commands}
    used = set()
    for number, block in enumerate(runbook.blocks()):
        rows = [row for row in ROWS if (row.section, row.words in block.text) == (block.section, True)]
        if not rows:
            assert block in practised, f"neither a drill nor a row runs this: {block}"
            continue
        (row,) = rows
        used.add(row)
        if row.not_here:
            continue
        if row.words == "inbox dismiss":
            # It was replayed just before, and is parked again.
            path = f"/v1/inbox/{values['WEBHOOK']}"
            scene.until(lambda path=path: scene.get(path)["state"] == "parked", "the webhook")
        if row.words == "sqs delete-message":
            put_letter(scene)
        if "restore-table" in block.text:
            values["NEW_TABLE"] = f"{values['TABLE']}-{scene.tenant}-{number}"
        done = runbook.run(block.filled(values), endpoint=scene.stack.aws_endpoint_url, folder=scene.folder)
        said = done.stdout + done.stderr
        assert done.returncode in row.ends, f"{block.text}\n{said}"
        assert row.says in said, f"{block.text}\n{said}"
        if row.words == "sqs delete-message":
            assert letters(scene) == []
        if row.words == "create-backup":
            values["BACKUP"] = done.stdout.strip()
    assert used == {*ROWS}, "a row whose command is no longer there"
