"""The fixtures of the HTTP API's tests."""

from tests.support.api import backend, logged, shared_backend

__all__ = ["backend", "logged", "shared_backend"]
