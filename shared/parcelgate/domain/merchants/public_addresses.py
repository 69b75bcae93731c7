"""Says which IP addresses belong to the public internet. An address from outside may lead only to these.

Sources: IANA's registries of special-purpose addresses for IPv4 and IPv6 and of multicast addresses; the
address of one cloud's inner services (168.63.129.16), which no registry marks.
"""

import ipaddress

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out of IPv6 for the internet. Outside of it lie loopback, local and multicast
addresses, and the forms that carry an IPv4 address inside (mapped, compatible, NAT64)."""
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The middle of an IPv6 address that carries an IPv4 address at its end (RFC 5214)."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet.

    Parameters
    ----------
    address
        IPv4 with four decimal numbers, or IPv6, with or without a zone (`fe80::1%eth0`).

    Raises
    ------
    ValueError
        It is written in another way (`2130706433`, `0x7f.1`, `0177.0.0.1`).
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        carries_ipv4 = (int(parsed) >> 32) & 0xFFFFFFFF in _ISATAP
        if parsed not in _GLOBAL_UNICAST or carries_ipv4:
            return False
    # Python's own opinion too: a range that is reserved later comes with its releases.
    return parsed.is_global and not any(parsed in network for network in _NOT_PUBLIC)
