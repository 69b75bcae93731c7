"""The CDK app. `-c stage=` chooses the environment: `local`, or any name on AWS (`production` by default).

`-c gateway_port=` says where the emulator listens. Any number, switch or text of the settings can be given in
the same way, such as `-c order_deadline=60` or `-c protect_data=0`.
"""

from aws_cdk import App, CliCredentialsStackSynthesizer, Tags, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.bundle import build
from infra.settings import GIVEN, settings_for
from infra.stack import ParcelgateStack
from parcelgate.carriers import registry

FLAGS = {"@aws-cdk/aws-lambda:recognizeLayerVersion": True}
"""What CDK does only when asked: with another layer, a function has another version."""


def make_app(*, outdir: str | None = None, **context: str) -> App:
    """The app with its stack; `context` goes before what the command line says."""
    app = App(outdir=outdir, context={**FLAGS, **context})
    stage = app.node.try_get_context("stage") or "production"
    port = app.node.try_get_context("gateway_port")
    given = {name: app.node.try_get_context(name) for name in GIVEN}
    settings = settings_for(
        stage,
        gateway_port=int(port) if port else None,
        **{
            name: str(value) if GIVEN[name] is str else int(value)
            for name, value in given.items()
            if value is not None
        },
    )
    ParcelgateStack(
        app,
        "Parcelgate",
        stack_name=f"parcelgate-{stage}",
        description="Parcelgate: one API in front of many parcel carriers",
        settings=settings,
        bundle=build("local" if settings.local else "aws"),
        carriers=registry.names(),
        termination_protection=settings.deletion_protected,
        # The emulator refuses the role by which the bootstrap stack publishes.
        synthesizer=CliCredentialsStackSynthesizer() if settings.local else None,
    )
    Tags.of(app).add("app", "parcelgate")
    Tags.of(app).add("stage", stage)
    if not settings.local:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    return app


if __name__ == "__main__":
    make_app().synth()
