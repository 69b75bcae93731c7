"""`parcelgate` operates a stack, on AWS or on this machine.

Every command works on the stack that `make up` started, on the one that `parcelgate login` has stored, or,
with `--stack`, on that stack on AWS with the AWS credentials of the environment.
"""

import sys

import typer

from local.command.access import api_command, example
from local.command.groups import (
    accounts,
    doctor,
    inbox,
    keys,
    labels,
    logs,
    operator,
    orders,
    privacy,
    rates,
    stacks,
    tracking,
    webhooks,
)

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(orders.group, name="orders", no_args_is_help=True)
app.add_typer(labels.group, name="label", no_args_is_help=True)
api_command(
    app,
    "track",
    "parcelgate track ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ --watch",
    "parcelgate track LK664578623CN",
    scopes=tracking.SCOPES,
)(tracking.track)
app.add_typer(rates.group, name="rates", no_args_is_help=True)
app.add_typer(webhooks.events, name="events", no_args_is_help=True)
app.add_typer(webhooks.webhooks, name="webhooks", no_args_is_help=True)
app.add_typer(operator.attention, name="attention", no_args_is_help=True)
app.add_typer(inbox.group, name="inbox", no_args_is_help=True)
app.add_typer(operator.letters, name="dlq", no_args_is_help=True)
api_command(
    app,
    "stats",
    "parcelgate stats --from 2026-11-01 --to 2026-11-30 --by carrier,service",
    scopes=operator.STATS_SCOPES,
)(operator.stats)
app.add_typer(privacy.group, name="privacy", no_args_is_help=True)
app.add_typer(accounts.group, name="accounts", no_args_is_help=True)
app.add_typer(keys.group, name="keys", no_args_is_help=True)
app.command(
    "tenants",
    epilog=example("parcelgate tenants", "parcelgate tenants --stack parcelgate-production --json"),
)(keys.tenants)
app.command(
    "doctor",
    epilog=example("parcelgate doctor", "parcelgate doctor --stack parcelgate-production --tenant acme"),
)(doctor.doctor)
app.command("logs", epilog=logs.EXAMPLES)(logs.logs)
app.command("login", epilog=example("parcelgate login staging --url https://api.staging.example.com"))(
    stacks.login
)
app.add_typer(stacks.group, name="profiles", no_args_is_help=True)


def main() -> None:
    """Run the command. What AWS refuses ends it in words; its errors do not."""
    try:
        app(prog_name="parcelgate")
    except Exception as error:
        # It takes a third of a second to load, so it is only asked when there is something to ask.
        from botocore.exceptions import BotoCoreError, ClientError

        from local.command.rendering import NO_ANSWER, note

        if not isinstance(error, BotoCoreError | ClientError):
            raise
        note(f"AWS: {error}")
        sys.exit(NO_ANSWER)
