"""`parcelgate` operates a stack, on AWS or on this machine.

Every command works on the stack that `make up` started, on the one that `parcelgate login` has stored, or,
with `--stack`, on that stack on AWS with the AWS credentials of the environment.
"""

import typer

from local.command.access import example
from local.command.groups import accounts, doctor, inbox, keys, labels, orders, rates

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
for name, module in (
    ("orders", orders),
    ("label", labels),
    ("rates", rates),
    ("inbox", inbox),
    ("accounts", accounts),
    ("keys", keys),
):
    app.add_typer(module.group, name=name, no_args_is_help=True)

app.command(
    "doctor",
    epilog=example("parcelgate doctor", "parcelgate doctor --stack parcelgate-production --tenant acme"),
)(doctor.doctor)
