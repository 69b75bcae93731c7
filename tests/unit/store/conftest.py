"""What the store's tests share: a table, an order, and a moment."""

from tests.support.table import dynamodb, events_table, table

__all__ = ["dynamodb", "events_table", "table"]
