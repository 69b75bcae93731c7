"""Batches of orders."""
