"""How much is measured: all of it, or enough to see in a minute or two that nothing broke (`--quick`)."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """`refreshed` are (nodes, guests, turns) of the clusters that are refreshed, `planned` of those that are planned, `read_in_turn` of those that
    are read one call for each guest; `published` and `steady_hosts` are numbers of hosts, `watched_seconds` how long the steady state is watched;
    `scrapes` is how often the metrics of `scraped_hosts` are read.
    """

    refreshed: tuple[tuple[int, int, int], ...]
    planned: tuple[tuple[int, int, int], ...]
    read_in_turn: tuple[tuple[int, int, int], ...]
    published: int
    slice: int
    """Hosts that are written before it is the next one's turn."""
    steady_hosts: int
    watched_seconds: int
    starts: int
    scraped_hosts: int
    scrapes: int


FULL: Final = Scale(
    refreshed=((8, 500, 30), (32, 5_000, 20), (128, 50_000, 5)),
    planned=((8, 500, 20), (32, 5_000, 20), (128, 50_000, 4)),
    read_in_turn=((8, 500, 3), (32, 5_000, 1)),
    published=500,
    slice=20,
    steady_hosts=500,
    watched_seconds=125,
    starts=5,
    scraped_hosts=500,
    scrapes=10,
)
QUICK: Final = Scale(
    refreshed=((8, 500, 10), (32, 5_000, 5)),
    planned=((8, 500, 10), (32, 5_000, 5)),
    read_in_turn=((8, 500, 1),),
    published=10,
    slice=5,
    steady_hosts=20,
    watched_seconds=130,
    starts=2,
    scraped_hosts=500,
    scrapes=3,
)
