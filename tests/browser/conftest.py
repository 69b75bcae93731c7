"""The browser, and worlds for it to look at."""

import pytest

from tests.support.browser import browser, chrome, new_page, page
from tests.support.served import served_sandbox_world, served_world

__all__ = ["browser", "chrome", "new_page", "page", "served_sandbox_world", "served_world"]


@pytest.fixture(autouse=True)
def _world_before_page(request: pytest.FixtureRequest) -> None:
    """Start a test's world before its page, so that the page is closed while its server still answers.

    What a page still asks for after its server has gone would be reported as an error of the page.
    """
    for name in ("served_world", "served_sandbox_world"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
