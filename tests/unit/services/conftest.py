"""The fixtures of the services' tests."""

from tests.support.api import logged
from tests.support.table import dynamodb, events_table, table

__all__ = ["dynamodb", "events_table", "logged", "table"]
