"""What a function does while Lambda starts it, beside importing its code.

Lambda gives a function a whole processor while it starts, and only the share that its memory buys once it
answers (0.29 of one for 512 MB). So what the first request needs in any case is made at the start.

With SnapStart, AWS restores every environment of a published version from one snapshot of its memory. All
that takes long belongs before the snapshot. What must not be the same in all environments, or has grown old,
is made anew after it. `runtime.Runtime` does both, in `before_snapshot` and `after_restore`.
"""

import os
import sys
from collections.abc import Callable

type Hook = Callable[[], None]

_ENTROPY = 48
"""Bytes that seed a generator of OpenSSL, which is of 256 bits and wants half as much again."""


def begin(at_start: Hook, before_snapshot: Hook, after_restore: Hook) -> None:
    """Do what is to be done at the start on Lambda, or have Lambda call the two hooks where SnapStart is on.

    Raises ImportError where SnapStart is on and AWS's library is missing: so no version is published that
    would be restored without its hooks.
    """
    kind = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE")
    if kind == "snap-start":
        # It comes with AWS's Python runtimes, and with nothing else.
        import snapshot_restore_py  # type: ignore[import-untyped]

        snapshot_restore_py.register_before_snapshot(before_snapshot)
        snapshot_restore_py.register_after_restore(after_restore)
    elif kind:
        at_start()


def reseed() -> None:
    """Mix the system's random numbers into the generators of OpenSSL that this process has.

    TLS makes its keys with Python's. `cryptography` brings another one, which pads what is encrypted for LME.
    AWS says that the OpenSSL of its runtimes is safe to be restored, and names an old one.
    """
    if tls := sys.modules.get("ssl"):
        tls.RAND_add(os.urandom(_ENTROPY), float(_ENTROPY))
    if "cryptography.hazmat.bindings._rust" in sys.modules:
        from cryptography.hazmat.bindings.openssl.binding import Binding

        Binding.lib.RAND_add(os.urandom(_ENTROPY), _ENTROPY, float(_ENTROPY))
