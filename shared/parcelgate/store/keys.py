"""The keys of the table, made in this one place. The package's docstring has the table of patterns.

Parts are escaped, so that no part can imitate the separator: account `a#b` with reference `c` and
account `a` with reference `b#c` are two keys, and no tenant's name leads into another tenant's keys.
"""

import hashlib
import re
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from parcelgate.domain.clock import rfc3339

SHARDS = 4
"""Partitions of the due index for each kind of item; the sweep asks all of them."""
POLL_SHARDS = 32
"""Partitions for parcels that are to be asked about, alone or together: each poll worker takes its share.

The number must never become smaller: parcels in a partition that nobody reads are not polled.
"""

ORDER = "ORDER"
INBOX = "INBOX"
BATCH = "BATCH"
TRACKING = "TRACKING"
POLL = "POLL"
PRINTOUT = "PRINTOUT"

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,80}")


class ItemName(NamedTuple):
    """Whose item a partition key names, of which kind (`ORDER`, `INBOX`, ...), and its id."""

    tenant: str
    kind: str
    id: str


def tenant_prefix(tenant: str) -> str:
    """What every partition key of `tenant` begins with. Raises ValueError for an impossible name."""
    if not _TENANT.fullmatch(tenant):
        raise ValueError("a tenant's name is 1 to 64 letters, digits, dots, dashes and underscores")
    return f"T#{tenant}#"


def is_id(text: str) -> bool:
    """Whether `text` can be an id of ours. Other texts are not looked up."""
    return _ID.fullmatch(text) is not None


def key(tenant: str, kind: str, *parts: str) -> str:
    """The partition key of one of the tenant's items."""
    return f"{tenant_prefix(tenant)}{'#'.join((kind, *map(_escaped, parts)))}"


def parse(pk: str) -> ItemName | None:
    """Whose item `pk` names; None for a routing item.

    The id of an item whose key has several parts is those parts as they stand in the key, `#` between.
    """
    head, *rest = pk.split("#", 3)
    return ItemName(*rest) if head == "T" and len(rest) == 3 else None


def due(kind: str, shard: int) -> str:
    """A partition of the due index."""
    return f"DUE#{kind}#{shard}"


def shard_of(item_id: str, shards: int = SHARDS) -> int:
    """The shard of the due index that an item belongs to: always the same one."""
    return crc32(item_id.encode()) % shards


def poll_partition(tracking_id: str) -> str:
    """The partition of the due index in which a parcel waits to be asked about."""
    return due(POLL, shard_of(tracking_id, POLL_SHARDS))


def wheel(shard: int) -> str:
    """The partition of poll buckets, in which parcels wait together; one for each of `POLL_SHARDS`."""
    return f"WHEEL#{shard}"


def list_position(created_at: datetime, item_id: str) -> str:
    """The sort key of every list: by creation, then by id. All of one length for one kind of id."""
    return f"{rfc3339(created_at)}#{item_id}"


def digest(*parts: str | bytes) -> str:
    """SHA-256 in hex over the parts, each with its length, so that no two lists of parts meet."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(data))
        whole.update(data)
    return whole.hexdigest()


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace("#", "%23")
