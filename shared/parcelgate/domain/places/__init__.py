"""Addresses, and what is known of countries."""
