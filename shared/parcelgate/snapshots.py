"""SnapStart: has Lambda call a function's hooks before it takes a snapshot, and after each restore.

AWS restores every environment of a published version from one snapshot of its memory. What takes long belongs
before the snapshot. What must not be the same in all environments, or has grown old, is made anew after it.
`runtime.Runtime` does both, in `before_snapshot` and `after_restore`.
"""

import os
from collections.abc import Callable


def register(before_snapshot: Callable[[], None], after_restore: Callable[[], None]) -> None:
    """Have Lambda call the two hooks. Without SnapStart this does nothing.

    Raises ImportError where SnapStart is on and AWS's library is missing: so no version is published that
    would be restored without its hooks.
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    # It comes with AWS's Python runtimes, and with nothing else.
    import snapshot_restore_py  # type: ignore[import-untyped]

    snapshot_restore_py.register_before_snapshot(before_snapshot)
    snapshot_restore_py.register_after_restore(after_restore)
