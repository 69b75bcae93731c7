"""What writes source: the rooms of a new carrier, and the facts of countries and currencies."""
