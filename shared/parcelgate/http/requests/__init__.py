"""Requests of clients: their bodies, queries and headers are read and checked here."""
