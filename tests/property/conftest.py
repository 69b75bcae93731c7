"""The fixtures of the HTTP API's tests, and how many examples a long run has tried."""

import re

import pytest

from tests.property.examples import LONG
from tests.support.api import backend, logged, shared_backend

__all__ = ["backend", "logged", "shared_backend"]
_TRIED = re.compile(r"(\d+) passing, (\d+) failing, and (\d+) invalid test cases")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many examples were tried in a long run, as hypothesis counts them."""
    if not LONG:
        return
    told = [
        report.__dict__["_hypothesis_stats"]
        for reports in terminalreporter.stats.values()
        for report in reports
        if "_hypothesis_stats" in getattr(report, "__dict__", {})
    ]
    good = sum(int(found[1]) for each in told for found in _TRIED.finditer(each))
    bad = sum(int(found[2]) for each in told for found in _TRIED.finditer(each))
    terminalreporter.write_line(f"{good + bad:,} examples of {len(told)} properties, {bad} failed")
