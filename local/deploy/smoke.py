"""After a deployment, asks every function whether it can be loaded, by events that change nothing.

The bundle is built for Lambda's processors and cannot be imported here, so this is the first import of it.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.settings import Settings
from local.deploy.findings import Finding
from parcelgate.http.routes import FUNCTIONS, ROUTES, function_of
from parcelgate.observability.logs import SMOKE_TEST

_AT_ONCE = 4
"""A new AWS account runs ten functions at once."""


def event_for(function: str) -> dict[str, Any]:
    """Return an event that `function` answers without doing anything.

    A request without a key is refused, and so is a webhook with a token that does not exist.
    """
    if function == "authorize":
        return {"headers": {}}
    if function not in FUNCTIONS:
        return dict(SMOKE_TEST)
    key = next(route.key for route in ROUTES.values() if function_of(route.key) == function)
    method = key.partition(" ")[0]
    return {
        "version": "2.0",
        "routeKey": key,
        "headers": {},
        "pathParameters": dict.fromkeys(("carrier", "account", "token", "id", "code", "awb"), "none"),
        "requestContext": {"requestId": "smoke-test", "http": {"method": method}},
        "body": "{}",
        "isBase64Encoded": False,
    }


def ask(client: Any, settings: Settings, functions: Sequence[str]) -> Iterator[Finding]:
    """Ask all functions, some at a time; yield what is wrong with each.

    Parameters
    ----------
    client
        The Lambda client of the stack's region.
    functions
        Names of folders under `functions/`.
    """

    def one(name: str) -> Finding | None:
        function = settings.name(name)
        try:
            answer = client.invoke(FunctionName=function, Payload=json.dumps(event_for(name)).encode())
            said = json.loads(answer["Payload"].read() or b"null")
        except (ClientError, BotoCoreError, ValueError) as error:
            return Finding(f"{name} could not be asked: {error}", stops=False)
        if "FunctionError" in answer:
            kind = said.get("errorType", "") if isinstance(said, dict) else ""
            return Finding(
                f"{name} does not work ({kind or answer['FunctionError']}). Read its log. To go back, "
                "deploy the commit before.",
            )
        if isinstance(said, dict) and int(said.get("statusCode", 200)) >= 500:
            return Finding(f"{name} answers {said['statusCode']} to a request that should only be refused.")
        return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from (finding for finding in pool.map(one, functions) if finding is not None)
