"""Synthesizes the stack for AWS and for the emulator, in a process of its own, as `cdk` would.

`python -O -m tests.infra.synthesize FOLDER` leaves `FOLDER/production`, `FOLDER/local`, and `FOLDER/options`,
which is production with all options. It fails as cdk does when cdk-nag finds anything. It also shows cdk-nag
a bucket that must be refused, and fails if it is not: silence from rules that do not run would look like a
clean stack.
"""

import sys
from pathlib import Path

from infra.app import FLAGS, make_app  # isort: skip  (it chooses the Node that CDK starts)

from aws_cdk import App, Stack, Validations
from aws_cdk.aws_s3 import Bucket
from cdk_nag import AwsSolutionsChecks

from infra.bundle import Bundle
from infra.constructs.functions import LambdaFunctions
from infra.settings import ALL_OPTIONS, settings_for


def main(folder: Path) -> int:
    make_app(outdir=str(folder / "production")).synth()
    make_app(outdir=str(folder / "local"), stage="local", gateway_port="4566").synth()
    make_app(outdir=str(folder / "options"), **ALL_OPTIONS).synth()
    _release_another_layer(folder)
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


def _release_another_layer(folder: Path) -> None:
    """Leave `folder/layers`: one function thrice; the second reserves less, the third has another layer."""
    app = App(outdir=str(folder / "layers"), context=FLAGS)
    for name, layer, limit in (("One", "1", 1000), ("Same", "1", 500), ("Other", "2", 1000)):
        bundle = Bundle("aws", folder / "bundle", layer * 16, {"authorize": "3" * 16})
        for path in (bundle.layer_zip, bundle.function_zip("authorize")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        stack = Stack(app, name)
        settings = settings_for("production", account_concurrency=limit)
        functions = LambdaFunctions(stack, "Functions", settings=settings, bundle=bundle)
        functions.add("authorize").current_version  # noqa: B018 - CDK makes it when it is asked for
    app.synth()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
