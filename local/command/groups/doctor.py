"""`parcelgate doctor`: what is wrong with a stack, how bad it is, and the next command."""

from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

import httpx
import typer

from infra.settings import settings_for
from local import ROOT
from local.command import access
from local.command.access import AnyTenantOption, JsonOption, StackOption
from local.command.api import Api
from local.command.deployment import LOCAL_NAME, LOCAL_TENANT, Deployment
from local.command.doctor import aws, tenant
from local.command.doctor.examination import Check, Result, examine
from local.command.rendering import FAILED, note, out, say, show_json
from parcelgate.carriers import registry

_PREFIX = "parcelgate-"


def doctor(
    of: AnyTenantOption = None,
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a stack: functions, schedules, alarms, quotas, secrets, carriers and what needs a person.

    It asks every function and every carrier, and changes nothing. It ends with 1 if something is broken or
    could not be looked at, and with 0 otherwise, also after mere warnings. On AWS, name a tenant to have its
    carriers, its dead letters and what needs a person looked at too.
    """
    deployment = Deployment.named(stack)
    stage = (stack or LOCAL_NAME).removeprefix(_PREFIX)
    patient = aws.Patient(
        settings=settings_for(stage),
        client=deployment.client,
        outputs=deployment.outputs,
        functions=sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py")),
        now=datetime.now(UTC),
    )
    checks = [
        Check("functions answer", lambda: aws.functions(patient)),
        Check("the release", lambda: aws.release(patient)),
        Check("schedules run", lambda: aws.schedules(patient)),
        Check("alarms", lambda: aws.alarms(patient)),
        Check("room for functions", lambda: aws.concurrency(patient)),
        Check("carrier accounts are used", lambda: aws.secrets(patient)),
        Check("shared logins are counted together", lambda: aws.shared_logins(patient)),
    ]
    with ExitStack() as ends:
        whose = of or (LOCAL_TENANT if stack is None else None)
        if whose is not None:
            credentials = access.Access(tenant=whose, stack=stack).credentials(
                ["operator"], "parcelgate doctor"
            )
            with access.reported():
                url, key = ends.enter_context(credentials)
            api = Api(url, key, transport=access.transport, sleep=lambda seconds: access.sleep(seconds))
            checks += [
                Check("dead letters", lambda: tenant.dead_letters(api.get)),
                Check("carriers take the logins", lambda: tenant.logins(api.get, api.post)),
                Check("keys are used", lambda: tenant.keys(deployment, whose, patient.now)),
                Check("nothing needs a person", lambda: tenant.attention(api.get)),
            ]
        if stack is not None:
            bases = {name: registry.account_fields(name).base_url for name in registry.trackers()}
            addresses = {name: base for name, base in bases.items() if base is not None}
            http = ends.enter_context(httpx.Client(timeout=10))
            clock = partial(datetime.now, UTC)
            checks.append(Check("clocks agree", lambda: tenant.clocks(addresses, http, now=clock)))
        results = []
        for result in examine(checks):
            results.append(result)
            if not as_json:
                _show(result)
    if as_json:
        show_json([_as_json(result) for result in results])
    else:
        _sum_up(results, whose)
    if any(result.is_broken for result in results):
        raise typer.Exit(FAILED)


def _sum_up(results: list[Result], whose: str | None) -> None:
    if whose is None:
        note("Carriers, dead letters and what needs a person were left out: name a tenant with --tenant.")
    ill = [result for result in results if not result.is_well]
    say(f"{len(ill)} of {len(results)} checks found something." if ill else "Nothing is wrong.")


def _show(result: Result) -> None:
    mark = "[green]well[/]" if result.is_well else "[red]BROKEN[/]" if result.is_broken else "[yellow]look[/]"
    out.print(f"{mark:>18}  {result.check}", highlight=False)
    if result.unseen is not None:
        say(f"        It could not be looked at: {result.unseen}")
    for finding in result.findings:
        say(f"        {finding.text}")
        if finding.command:
            say(f"        {finding.command}")


def _as_json(result: Result) -> dict[str, object]:
    return {
        "check": result.check,
        "state": "well" if result.is_well else "broken" if result.is_broken else "warning",
        "unseen": result.unseen,
        "findings": [
            {"text": each.text, "command": each.command, "broken": each.stops} for each in result.findings
        ],
    }
