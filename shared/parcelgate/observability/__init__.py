"""How Parcelgate is watched: structured logs and metrics. Imports nothing of ours.

Keys of a log line are ids (`order_id`, `tenant`, `carrier`), words of ours and numbers. Bodies,
addresses, keys and carriers' payloads are never logged.
"""
