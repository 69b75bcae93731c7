"""Webhooks from carriers: received, then processed."""
