"""How texts, numbers, tables and headers of a request are read."""
