"""Programs that write source: the folder of a new carrier, and the facts of countries and currencies."""
