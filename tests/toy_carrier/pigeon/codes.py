"""The post's words as tables. What is in none of them stays what it is, and is never guessed."""

from parcelgate.domain.trackings import TrackingStatus

WINGS_FULL, TAKEN, UNKNOWN_FLIGHT, WRITING, LANDED = "STORM", "TAKEN", "NO_FLIGHT", "WRITING", "LANDED"

POINTERS = {"name": "/ship_to/name", "postcode": "/ship_to/postcode"}
"""Where a field that a refusal names stands in our create body (documented)."""

EVENTS = {
    "TAKE_OFF": TrackingStatus.IN_TRANSIT,
    "CIRCLING": TrackingStatus.OUT_FOR_DELIVERY,
    "LANDED": TrackingStatus.DELIVERED,
}
"""What pigeons report (documented)."""
