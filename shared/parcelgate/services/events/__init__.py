"""What follows from a write: the router of the table's stream."""
