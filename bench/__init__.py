"""`make bench` makes the figures of docs/performance.md."""
