"""What the tests over real HTTP share."""

import pytest

from parcelgate.carriers.toolkit import transport


@pytest.fixture
def no_kept_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a reset fall on the call itself. A question that meets it on a kept connection is asked again."""
    monkeypatch.setattr(transport, "KEPT_CONNECTIONS", 0)
    transport.renew()
