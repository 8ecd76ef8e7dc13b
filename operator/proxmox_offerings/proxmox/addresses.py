"""Which addresses the operator connects to. Pure; `network.py` asks it about each address before it connects to that very address.

Whoever writes a ProxmoxHost chooses where the operator connects to, from inside its network and with its place in it. What answers only there
(the operator's own pod, the node's link, a cloud's metadata service) is not theirs to reach. Private ranges are: Proxmox VE lives there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

REFUSED: Final = tuple(
    ip_network(network)
    for network in (
        # IANA's registries of special-purpose addresses (RFC 6890), as far as an address there can be somebody else than who it seems.
        "0.0.0.0/8",  # "this network"; Linux takes 0.0.0.0 for the loopback
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; 169.254.169.254 of most clouds, 169.254.170.2 and .23 of AWS' containers, 169.254.42.42 of Scaleway
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 of Oracle's cloud
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
        "::/96",  # unspecified, loopback, and the IPv4-compatible addresses that nothing uses any more (RFC 4291 2.5.5.1)
        "fe80::/10",  # link-local
        "ff00::/8",  # multicast
        "64:ff9b:1::/48",  # a translator's own prefix (RFC 8215): which IPv4 address is meant, only its owner knows
        # Metadata services in ranges that are allowed otherwise, as public code names them.
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure
        "fd00:ec2::/32",  # AWS: ::254 metadata, ::23 EKS pod identity
        "fd20:ce::254/128",  # Google Cloud
        "fd00:42::42/128",  # Scaleway
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "fd00:a9fe:a9fe::/48",  # Akamai (Linode)
    )
)
"""What nobody may make the operator connect to, unless a range that it was given allows it."""

_TRANSLATED: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"))
"""Prefixes with an IPv4 address in the last 32 bits that a translator connects to (RFC 6052, RFC 2765)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """The narrowest range that holds an address decides; of equal ones a denied before an allowed one, and both before `REFUSED`.

    So `allow` 10.20.0.0/16 with `deny` 0.0.0.0/0 and ::/0 leaves just that range, and an address in no range at all is permitted.
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    def permits(self, address: str) -> bool:
        """Whether to connect to `address`, as getaddrinfo writes it. An IPv4 address within an IPv6 address must be permitted too."""
        plain = ip_address(address.partition("%")[0])
        return all(self._permits(meant) for meant in _meant(plain))

    def _permits(self, address: Address) -> bool:
        verdicts = ((self.deny, False), (self.allow, True), (REFUSED, False))
        permitted, narrowest = True, -1
        for networks, verdict in verdicts:
            for network in networks:
                if network.version == address.version and address in network and network.prefixlen > narrowest:
                    permitted, narrowest = verdict, network.prefixlen
        return permitted


def _meant(address: Address) -> Iterator[Address]:
    """What a connection to `address` may reach. A mapped address is the IPv4 address, for the kernel too."""
    if isinstance(address, IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    else:
        yield address
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
        if any(address in network for network in _TRANSLATED):
            yield IPv4Address(address.packed[-4:])
