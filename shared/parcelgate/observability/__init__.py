"""Structured logs and metrics. This package imports nothing else of Parcelgate.

A log line holds ids (`order_id`, `tenant`, `carrier`), our own words and numbers. Bodies,
addresses, keys and carriers' payloads are never logged.
"""
