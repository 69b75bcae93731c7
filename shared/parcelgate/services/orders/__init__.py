"""Orders: taken, submitted, changed, cancelled, read."""
