"""Hear of everything that happened in the last day. API and KEY are set as in the README."""

import json
import os
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta

OVERLAP = timedelta(minutes=10)


def events_since(moment, known):
    """All events after `moment`, oldest first, without those whose ids are in `known`."""
    query = {"after": (moment - OVERLAP).isoformat(), "limit": "100"}
    events = []
    while True:
        request = urllib.request.Request(
            f"{os.environ['API']}/v1/events?{urllib.parse.urlencode(query)}",
            headers={"Authorization": f"Bearer {os.environ['KEY']}"},
        )
        with urllib.request.urlopen(request) as answer:
            page = json.load(answer)
        events += [event for event in page["data"] if event["id"] not in known]
        if page["next_cursor"] is None:
            return events[::-1]
        query["cursor"] = page["next_cursor"]


if __name__ == "__main__":
    for event in events_since(datetime.now(UTC) - timedelta(days=1), known=set()):
        print(event["timestamp"], event["type"], event["data"]["id"], event["sequence"])
