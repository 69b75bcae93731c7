"""Synthesizes the stack for AWS and for the emulator, in a process of its own, as `cdk` would.

`python -O -m tests.infra.synthesize FOLDER` leaves `FOLDER/production` and `FOLDER/local`, and fails as cdk
does when cdk-nag finds anything. It also shows cdk-nag a bucket that must be refused, and fails if it is
not: silence from rules that do not run would look like a clean stack.
"""

import sys
from pathlib import Path

from infra.app import make_app  # isort: skip  (it chooses the Node that CDK starts)

from aws_cdk import App, Stack, Validations
from aws_cdk.aws_s3 import Bucket
from cdk_nag import AwsSolutionsChecks


def main(folder: Path) -> int:
    make_app(outdir=str(folder / "production")).synth()
    make_app(outdir=str(folder / "local"), stage="local", gateway_port="4566").synth()
    app = App(outdir=str(folder / "refused"))
    Bucket(Stack(app, "Refused"), "Bucket")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" in str(error):
            return 0
        raise
    print("cdk-nag let a bucket without any protection pass", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
