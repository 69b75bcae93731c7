"""After a deployment, asks every function whether it can be loaded, by events that change nothing.

The bundle is built for Lambda's processors and cannot be imported here. So a first deployment is the first
import of it; at each later one, `check_release` has asked before clients met the release.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.settings import Settings
from local.deploy.findings import Finding
from parcelgate.http.smoke import event_for
from parcelgate.services.operator.releases import fault_of

_AT_ONCE = 4
"""A new AWS account runs ten functions at once."""


def ask(client: Any, settings: Settings, functions: Sequence[str]) -> Iterator[Finding]:
    """Ask all functions, some at a time, as their callers do; yield what is wrong with each.

    Parameters
    ----------
    client
        The Lambda client of the stack's region.
    functions
        Names of folders under `functions/`.
    """

    def one(name: str) -> Finding | None:
        try:
            answer = client.invoke(
                FunctionName=settings.called_as(name), Payload=json.dumps(event_for(name)).encode()
            )
            fault = fault_of(answer)
        except (ClientError, BotoCoreError, ValueError) as error:
            return Finding(f"{name} could not be asked: {error}", stops=False)
        if fault is None:
            return None
        return Finding(f"{name} {fault}. Read its log. To go back, deploy the commit before.")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from (finding for finding in pool.map(one, functions) if finding is not None)
