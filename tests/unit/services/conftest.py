"""The fixtures of the services' tests."""

from tests.support.api import logged
from tests.support.fast_dynamodb import dynamodb
from tests.support.table import events_table, table

__all__ = ["dynamodb", "events_table", "logged", "table"]
