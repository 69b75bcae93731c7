"""The fixtures of the services' tests."""

from tests.support.http import logged

__all__ = ["logged"]
