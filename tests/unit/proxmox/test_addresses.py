"""What the operator may connect to: one table, read as whoever runs it would."""

from ipaddress import ip_network

import pytest

from proxmox_offerings.proxmox.addresses import AddressPolicy

NOBODYS = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "unspecified, which connects to this machine": ["0.0.0.0", "0.1.2.3", "::"],
    "link-local, and the metadata services there": [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.1.1",
        "fe80::1",
        "fe80::1%eth0",
        "febf::a9fe:a9fe",
    ],
    "metadata services elsewhere": [
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:42::42",
        "fd00:c1::a9fe:a9fe",
        "fd00:a9fe:a9fe::1",
    ],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "reserved and broadcast": ["240.0.0.1", "255.255.255.255"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0.0.0.0"],
    "IPv4-compatible": ["::127.0.0.1", "::a9fe:a9fe"],
    "translated": ["::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"],
    "6to4": ["2002:7f00:1::1", "2002:a9fe:a9fe::"],
    "Teredo, to its client and its server": [
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "2001:0:7f00:1:8000:63bf:3fff:fdd2",
    ],
}
THEIRS = [
    "10.0.0.5",
    "172.31.255.254",
    "192.168.1.10",
    "100.64.0.1",
    "198.51.100.7",
    "8.8.8.8",
    "fd12:3456:789a::1",
    "2001:db8::1",
    "::ffff:10.0.0.5",
    "64:ff9b::a00:5",
    "2002:a00:5::1",
]


def policy(allow: str = "", deny: str = "") -> AddressPolicy:
    return AddressPolicy(allow=tuple(map(ip_network, allow.split())), deny=tuple(map(ip_network, deny.split())))


@pytest.mark.parametrize("kind", NOBODYS)
def test_what_only_the_operators_place_makes_reachable_is_refused(kind: str) -> None:
    assert [address for address in NOBODYS[kind] if policy().permits(address)] == []


@pytest.mark.parametrize("address", THEIRS)
def test_where_proxmox_lives_is_permitted(address: str) -> None:
    assert policy().permits(address)


@pytest.mark.parametrize(
    ("allow", "deny", "address", "permitted"),
    [
        ("127.0.0.0/8", "", "127.0.0.1", True),
        ("127.0.0.0/8", "", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "", "::1", False),
        ("127.0.0.1", "", "127.0.0.2", False),
        ("", "10.0.0.0/8", "10.1.2.3", False),
        ("", "10.0.0.0/8", "::ffff:10.1.2.3", False),
        ("", "10.0.0.0/8", "64:ff9b::a01:203", False),
        ("10.20.0.0/16", "0.0.0.0/0 ::/0", "10.20.0.1", True),
        ("10.20.0.0/16", "0.0.0.0/0 ::/0", "10.21.0.1", False),
        ("10.20.0.0/16", "0.0.0.0/0 ::/0", "2001:db8::1", False),
        ("10.20.0.0/16", "10.20.0.0/16", "10.20.0.1", False),
        ("127.0.0.0/8", "127.0.0.0/8", "127.0.0.1", False),
        ("0.0.0.0/0 ::/0", "", "169.254.169.254", False),
        ("0.0.0.0/0 ::/0", "", "::1", False),
        ("::1", "", "::1", True),
        ("64:ff9b::/96", "", "64:ff9b::a9fe:a9fe", False),
        ("169.254.169.254", "", "169.254.169.254", True),
    ],
)
def test_the_narrowest_range_decides_and_denying_wins_a_tie(
    allow: str, deny: str, address: str, permitted: bool
) -> None:
    assert policy(allow, deny).permits(address) is permitted
