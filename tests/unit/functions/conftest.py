"""The fixtures of the HTTP API's tests."""

from tests.support.http import house, logged, premises

__all__ = ["house", "logged", "premises"]
