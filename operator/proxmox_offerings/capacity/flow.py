"""How many identical units fit when each needs a place on a node and its disk on one backing that the node reaches: a maximum flow.

Nodes hold a number of units each, backings too; a local backing is reached from one node, a shared one from several. A sum of
per-node minima would count a shared storage once for each node, or starve a node whose only storage others used up.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

UNLIMITED = 1 << 62


@dataclass(slots=True)
class Flow:
    """Units on nodes, with their disks on backings. `place` adds units without ever taking any from another node."""

    reach: Mapping[str, Sequence[str]]
    left: dict[str, int]
    on: dict[str, dict[str, int]]
    full: set[str] = field(default_factory=set)
    """Backings from which no chain leads to room: units are only ever added, so none will lead there again."""

    @classmethod
    def start(cls, *, reach: Mapping[str, Sequence[str]], backings: Mapping[str, int]) -> "Flow":
        """`reach`: node -> backings it can use; `backings`: units that each holds."""
        return cls(reach=reach, left=dict(backings), on=defaultdict(dict))

    def place(self, node: str, most: int) -> int:
        """Put up to `most` units on the node, moving other units' disks between backings where that makes room; how many it took."""
        placed = 0
        # As long as there is room in reach, the chains below would be of one link each.
        for backing in self.reach.get(node, ()):
            units = min(most - placed, self.left[backing])
            if units > 0:
                self.left[backing] -= units
                self.on[backing][node] = self.on[backing].get(node, 0) + units
                placed += units
        while placed < most:
            path = self._path(node)
            if path is None:
                break
            placed += self._push(path, most - placed)
        return placed

    def has_room(self, node: str) -> bool:
        """Whether one more unit's disk would find a place from this node."""
        return self._path(node) is not None

    def within_reach(self, node: str) -> set[str]:
        """The backings of which any would give one more unit of this node a disk if it held one more, moving other units' disks."""
        found: set[str] = set()
        asked = {node}
        frontier = [node]
        while frontier:
            new = {backing for asking in frontier for backing in self.reach.get(asking, ())} - found
            found |= new
            frontier = [holder for backing in new for holder, units in self.on[backing].items() if units]
            frontier = [holder for holder in dict.fromkeys(frontier) if holder not in asked]
            asked.update(frontier)
        return found

    def _path(self, node: str) -> list[tuple[str, str]] | None:
        """A shortest chain (node, backing), (node, backing), ... to a backing with room: each further node moves disks from the backing
        before.
        """
        for backing in self.reach.get(node, ()):
            if self.left[backing] > 0:
                return [(node, backing)]
        came_from: dict[str, tuple[str, str | None]] = {}
        frontier: list[tuple[str, str | None]] = [(node, None)]
        asked = {node}
        while frontier:
            following: list[tuple[str, str | None]] = []
            for asking, before in frontier:
                for backing in self.reach.get(asking, ()):
                    if backing in came_from or backing in self.full:
                        continue
                    came_from[backing] = (asking, before)
                    if self.left[backing] > 0:
                        return self._chain(came_from, backing)
                    for holder, units in self.on[backing].items():
                        if units and holder not in asked:
                            asked.add(holder)
                            following.append((holder, backing))
            frontier = following
        self.full |= came_from.keys()
        return None

    @staticmethod
    def _chain(came_from: Mapping[str, tuple[str, str | None]], end: str) -> list[tuple[str, str]]:
        chain: list[tuple[str, str]] = []
        at: str | None = end
        while at is not None:
            node, before = came_from[at]
            chain.append((node, at))
            at = before
        return chain[::-1]

    def _push(self, chain: list[tuple[str, str]], most: int) -> int:
        units = min(most, self.left[chain[-1][1]])
        for (_, backing), (mover, _) in pairwise(chain):
            units = min(units, self.on[backing][mover])
        self.left[chain[-1][1]] -= units
        for index, (node, backing) in enumerate(chain):
            self.on[backing][node] = self.on[backing].get(node, 0) + units
            if index + 1 < len(chain):
                self.on[backing][chain[index + 1][0]] -= units
        return units


def fill(
    *, room: Mapping[str, int], reach: Mapping[str, Sequence[str]], backings: Mapping[str, int], most: int = UNLIMITED
) -> tuple[dict[str, int], Flow]:
    """The largest total, at most `most`, as one placement made unique: nodes in the order of `room`, each as full as the total allows.

    Filling one node after the other reaches the maximum, because the placements that fit form a polymatroid.
    """
    flow = Flow.start(reach=reach, backings=backings)
    placed: dict[str, int] = {}
    total = 0
    for node, units in room.items():
        placed[node] = flow.place(node, min(units, most - total)) if units else 0
        total += placed[node]
    return placed, flow
