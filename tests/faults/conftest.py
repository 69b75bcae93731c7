"""The table of what came of each fault."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what became of each order of the fault matrix; the tests note it as the property `run`."""
    runs = sorted(
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "run" and report.when == "call"
    )
    if runs:
        terminalreporter.section("what became of an order after each fault")
        terminalreporter.write_line(
            f"{'carrier':8}{'call':12}{'fault':14}{'times':>5}  {'answer':8}{'end':17}bought"
        )
        for run in runs:
            terminalreporter.write_line(run)
