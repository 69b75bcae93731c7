"""`make test`, `make lint` and `make audit`."""
