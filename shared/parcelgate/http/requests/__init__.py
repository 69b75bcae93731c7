"""What clients send: bodies, queries and headers, read and checked."""
