"""Which member works on which ProxmoxHost: rendezvous hashing, so that a member that comes or goes moves nothing but its own share. Pure.

Hosts fall into a fixed number of buckets by namespace and name, and each bucket belongs to the member whose hash with it is highest. What is agreed
upon, published and compared is sets of buckets, which does not depend on which hosts there are.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from proxmox_offerings.kube.objects import Ref

BUCKETS: Final = 1024
"""Each member's share of them differs from the mean by 5 % or so where there are four."""
MOST_MEMBERS: Final = 16
"""Members have numbers below this."""
ALL: Final = frozenset(range(BUCKETS))
_FORMAT: Final = f"{BUCKETS}/"
_NUMBERS: Final = frozenset(map(str, range(MOST_MEMBERS)))

Share = frozenset[int]
"""Buckets."""
View = frozenset[int]
"""The numbers of the members that somebody takes for alive."""


def bucket_of(host: Ref) -> int:
    """The bucket of a host."""
    return int.from_bytes(blake2b(str(host).encode(), digest_size=8).digest()) % BUCKETS


@lru_cache(maxsize=256)
def share_of(member: int, view: View) -> Share:
    """What belongs to `member` where those of `view` are alive; nothing if it is not one of them."""
    return frozenset(bucket for bucket, owner in enumerate(_owners(view)) if owner == member)


def written(view: View) -> str:
    """`view` as it is published."""
    return _FORMAT + ",".join(map(str, sorted(view)))


def read(text: object) -> View | None:
    """What `written` made; None if it is anything else: another version's, perhaps, that divides otherwise."""
    if not isinstance(text, str) or not text.startswith(_FORMAT):
        return None
    numbers = text.removeprefix(_FORMAT).split(",")
    if not all(number in _NUMBERS for number in numbers):
        return None
    return frozenset(map(int, numbers))


def union(shares: Iterable[Share]) -> Share:
    """All that is in any of them."""
    return frozenset().union(*shares)


@lru_cache(maxsize=32)
def _owners(view: View) -> tuple[int, ...]:
    weights = [[(weight, member) for weight in _weights(member)] for member in view]
    return tuple(max(rivals)[1] for rivals in zip(*weights, strict=True))


@lru_cache(maxsize=MOST_MEMBERS)
def _weights(member: int) -> tuple[bytes, ...]:
    """Of a member with each bucket. 16 bytes: no two are equal."""
    return tuple(blake2b(f"{bucket}/{member}".encode(), digest_size=16).digest() for bucket in range(BUCKETS))
