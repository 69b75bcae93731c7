"""What the store's tests share: a table, an order, and a moment."""

from tests.support.table import dynamodb, table

__all__ = ["dynamodb", "table"]
