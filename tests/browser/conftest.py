"""The browser, and worlds for it to look at."""

from tests.support.browser import browser, chrome, new_page, page
from tests.support.served import served_sandbox_world, served_world

__all__ = ["browser", "chrome", "new_page", "page", "served_sandbox_world", "served_world"]
