"""Which IP addresses a fetch of ours may dial: public unicast only.

Python's `is_global` calls NAT64, IPv4-compatible, ISATAP and site-local forms global, so the table is our own
(IANA special-purpose registries, plus 168.63.129.16, Azure's host address).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

DENIED_V4 = tuple(
    IPv4Network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
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
        "168.63.129.16/32",
    ]
)
ALLOWED_V6 = IPv6Network("2000::/3")
DENIED_V6 = tuple(
    IPv6Network(text) for text in ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"]
)
ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def is_public(address: str) -> bool:
    """Whether a numeric address is in the public unicast space."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        return _public_v4(ip.ipv4_mapped) if ip.ipv4_mapped else _public_v6(ip)
    return _public_v4(ip)


def is_link_local(host: str) -> bool:
    """Whether a host is written as a link-local number, where clouds keep their metadata services."""
    bare = host.strip("[]").partition("%")[0]
    try:
        ip = ip_address(bare)
    except ValueError:
        try:
            ip = IPv4Address(socket.inet_aton(bare))  # one number, hexadecimal and the like
        except OSError:
            return False
    return ((isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip).is_link_local


def _public_v4(ip: IPv4Address) -> bool:
    return not any(ip in network for network in DENIED_V4)


def _public_v6(ip: IPv6Address) -> bool:
    isatap = (int(ip) >> 32) & 0xFFFF_FFFF in ISATAP
    return ip in ALLOWED_V6 and not isatap and not any(ip in network for network in DENIED_V6)


def client_address(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Who really called: the last address of `X-Forwarded-For` that is none of the operator's own proxies.

    What a client writes there itself stands before what the proxies add, and is not looked at.
    """
    chain = [*(part.strip() for part in forwarded.split(",")), peer] if forwarded else [peer]
    for text in reversed(chain):
        try:
            ip = ip_address(text.strip("[]").partition("%")[0])
        except ValueError:
            return peer
        if not any(ip in network for network in proxies):
            return str(ip)
    return peer


def address_group(address: str) -> str:
    """What stands for a caller: the address, or of IPv6 its network (/64), all of which one caller has."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Network((ip, 64), strict=False)) if ip.version == 6 else address
