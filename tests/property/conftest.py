"""The fixtures of the HTTP API's tests."""

from tests.support.api import house, logged, premises

__all__ = ["house", "logged", "premises"]
