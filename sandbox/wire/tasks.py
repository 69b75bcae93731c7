"""Work that goes on after an answer was given."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger("sandbox")


class Tasks:
    """Holds background work so that it is neither collected early nor left behind."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Start it and go on."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("background work failed", exc_info=error)

    def cancel(self) -> None:
        """Stop all that is under way."""
        for task in self._running:
            task.cancel()
