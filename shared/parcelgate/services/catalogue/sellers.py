"""Who sells services: the carriers of orders, and no aggregator."""

from parcelgate.carriers import registry
from parcelgate.carriers.port import CarrierProfile
from parcelgate.domain.problems import ProblemError


def profile_of(carrier: str) -> CarrierProfile:
    """The profile of a carrier that sells services.

    Raises ProblemError: `not_found` for an unknown carrier, `not_supported_by_carrier` for an aggregator.
    """
    try:
        profile = registry.profile(carrier)
    except registry.UnknownCarrierError:
        raise ProblemError("not_found", "There is no such carrier.") from None
    if carrier in registry.AGGREGATORS:
        raise ProblemError(
            "not_supported_by_carrier", "This carrier only follows parcels. It has no services."
        )
    return profile
