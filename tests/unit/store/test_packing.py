"""Bodies of events are stored as small as they go, and come back as they were."""

import zlib
from hashlib import sha256
from pathlib import Path

from parcelgate.store.merchant_events import packing
from tests.support.events import an_event_showing
from tests.support.trackings import a_tracking, seen

WORDS = "0522c7bb01e0c1e6a488f730773349dcf266ca7916efe1a7d409d19118a9e43b"


def test_a_body_comes_back_also_if_it_was_packed_without_the_words() -> None:
    for body in (b"", b"{}", an_event_showing(a_tracking(), "tracking.updated").body, bytes(range(256)) * 50):
        assert packing.unpack(packing.pack(body)) == body
        assert packing.unpack(zlib.compress(body)) == body


def test_a_parcels_event_is_half_as_large_with_the_words() -> None:
    """A write is billed by the kilobyte, and keys and lists take a third of it."""
    tracking = a_tracking(
        events=tuple(seen(status, hours=hour) for hour, status in enumerate(["info_received", "in_transit"]))
    )
    body = an_event_showing(tracking, "tracking.updated").body
    assert len(packing.pack(body)) <= len(zlib.compress(body)) / 2


def test_the_words_never_change() -> None:
    """Events that were packed with them could not be read any more."""
    words = Path(packing.__file__).with_name("words.txt").read_bytes()
    assert sha256(words).hexdigest() == WORDS
