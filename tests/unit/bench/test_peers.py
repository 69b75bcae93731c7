"""What is measured beside others does its work: an order is confirmed, without a network."""

import json
import subprocess
import sys

import pytest

from local import ROOT

CODE = """
import sys
from bench.peers import {module}, requests
{module}.once()
requests.calls.clear()
answer = {module}.once()
print(answer if isinstance(answer, str) else answer.decode(), len(requests.calls), sep="\\n", file=sys.stderr)
"""


@pytest.mark.parametrize("module", ["ours_mapping", "ours_function"])
def test_an_order_is_confirmed(module: str) -> None:
    # In a Python of its own: the function is given an environment.
    command = [sys.executable, "-c", CODE.format(module=module)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    answer, calls = done.stderr.splitlines()[-2:]
    order = json.loads(answer)
    assert (order["status"], order["parcels"][0]["tracking_number"]) == ("confirmed", "TBV000038042")
    assert (int(calls) > 0) is (module == "ours_function")
