"""The fixtures of the services' tests."""

from tests.support.api import logged
from tests.support.table import dynamodb, table

__all__ = ["dynamodb", "logged", "table"]
