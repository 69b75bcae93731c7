"""A JSON Schema for each type of event, made from its model: `docs/events/<type>.json`.

    python -m parcelgate.http.event_schemas docs/events

writes them. The bus carries ids alone; the schemas are of what `GET /v1/events/{id}` shows and webhooks send.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from parcelgate.domain.merchants.events import EventType
from parcelgate.http.openapi import Json, output_schemas
from parcelgate.http.resources.events import EVENTS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(kind: EventType) -> Json:
    """Describe an event of this type. A later version may add fields, so none is forbidden."""
    model = EVENTS[kind]
    parts = output_schemas({model.__name__: model}, "#/$defs/{name}")
    event = parts.pop(model.__name__)
    return {"$schema": _DIALECT, **event, "title": str(kind), "$defs": dict(sorted(parts.items()))}


def text(kind: EventType) -> str:
    """The schema as its file holds it."""
    return json.dumps(schema(kind), ensure_ascii=False, indent=2) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write a file for each type into the named folder."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {__spec__.name}", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    for kind in EventType:
        (folder / f"{kind}.json").write_text(text(kind), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
