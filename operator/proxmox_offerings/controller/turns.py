"""Whose turn it is: keys that wait, in the order in which they came, but one group after another.

So a group with ten thousand keys holds up no other.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Turns(Generic[Key]):
    """Each key once. `group` tells which group a key belongs to."""

    def __init__(self, group: Callable[[Key], Hashable]) -> None:
        self._group = group
        self._groups: OrderedDict[Hashable, OrderedDict[Key, None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def __contains__(self, key: Key) -> bool:
        return key in self._groups.get(self._group(key), ())

    def push(self, key: Key) -> None:
        """Let `key` wait, behind all others of its group."""
        self._groups.setdefault(self._group(key), OrderedDict())[key] = None

    def discard(self, key: Key) -> None:
        """Let it wait no longer."""
        group = self._group(key)
        if keys := self._groups.get(group):
            keys.pop(key, None)
            if not keys:
                del self._groups[group]

    def pop(self) -> Key:
        """The first of the group whose turn it is; that group is the last one now. Raises KeyError if nobody waits."""
        group, keys = self._groups.popitem(last=False)
        key, _ = keys.popitem(last=False)
        if keys:
            self._groups[group] = keys
        return key
