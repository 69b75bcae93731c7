"""Write down what this release leaves behind: `python -m tests.releases`.

It makes `tests/releases/<day>-format-<number>.json`, which is kept for good: docs/design.md says when.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from local import arguments
from parcelgate import aws_clients
from parcelgate.store import formats
from tests.releases.written import OpenSafe, leave
from tests.support.world import worlds

FOLDER = Path(__file__).parent


def main() -> None:
    """Write the file, and say which it is."""
    name = f"{datetime.now(UTC):%Y-%m-%d}-format-{formats.WRITES}.json"
    with worlds() as make:
        world = make()
        aws_clients.put("kms", OpenSafe())
        content = leave(world)
    (FOLDER / name).write_text(json.dumps(content, indent=0, sort_keys=True) + "\n", "utf-8")
    sys.stdout.write(f"tests/releases/{name}\n")


if __name__ == "__main__":
    arguments.none(__doc__)
    main()
