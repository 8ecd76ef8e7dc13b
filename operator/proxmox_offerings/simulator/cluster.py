"""The state of a simulated cluster. No HTTP, no sleeping; the clock is given. What can happen to it is in `changes`."""

import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from proxmox_offerings.simulator.config import (
    Behaviour,
    GuestConfig,
    MappingConfig,
    NodeConfig,
    SimulatorConfig,
    StorageConfig,
)
from proxmox_offerings.simulator.privileges import Access
from proxmox_offerings.simulator.versions import Version, version

Clock = Callable[[], float]


@dataclass(slots=True)
class Node:
    """A server. `silent_since`: when pvestatd last reported; None while it does. `cut_off_since`: the other nodes do not hear it, nor it them."""

    config: NodeConfig
    version: Version
    booted_at: float
    alive: bool = True
    maintenance: bool = False
    silent_since: float | None = None
    cut_off_since: float | None = None

    @property
    def name(self) -> str:
        return self.config.name


@dataclass(slots=True)
class Guest:
    config: GuestConfig
    started_at: float | None
    revision: int = 0

    @property
    def running(self) -> bool:
        return self.started_at is not None


@dataclass(slots=True)
class Room:
    """One set of bytes: a local storage has one on each node, a shared one has one in all."""

    total: int
    used: int
    reserved: int

    @property
    def available(self) -> int:
        return max(0, self.total - self.used - self.reserved)


@dataclass(slots=True)
class Mount:
    """A storage as one node sees it. `inactive_since`: it cannot be used there; `hanging`: asking for it never ends."""

    room: Room
    inactive_since: float | None = None
    hanging: bool = False


@dataclass(slots=True)
class Storage:
    """`mounts` has the nodes that may use it."""

    config: StorageConfig
    mounts: dict[str, Mount] = field(default_factory=dict)


class Cluster:
    """All of it. Changes raise NoSuchThingError where they name something unknown."""

    def __init__(self, config: SimulatorConfig, *, clock: Clock) -> None:
        self._clock = clock
        self._ahead = 0.0
        self._revision = 0
        self.behaviour: Behaviour = config.behaviour
        self.random = random.Random(config.behaviour.seed)
        self.name: str | None = config.cluster.name if config.cluster else None
        self.forced_quorum: bool | None = config.cluster.quorate if config.cluster else None
        self.nodes = {
            each.name: Node(
                config=each, version=version(each.version or config.version), booted_at=self.now - each.uptime
            )
            for each in config.nodes
        }
        self.storages: dict[str, Storage] = {}
        for storage in config.storages:
            self._place_storage(storage)
        self.guests: dict[int, Guest] = {}
        for guest in spread(config.guests):
            self._place_guest(guest)
        self.mappings: list[MappingConfig] = list(config.mappings)
        self.users = {
            user.token: user.model_copy(update={"secret": user.secret or str(uuid.uuid4())}) for user in config.users
        }
        self.fingerprints: dict[str, str] = {}
        """SHA-256 of each node's certificate, where it has one."""
        self.ha_used = any(guest.config.hastate for guest in self.guests.values())
        """Once the HA manager had something to do, it tells about nodes for ever (proxmox-api.md 2.1)."""
        self._access: dict[tuple[str, Version], Access] = {}

    @property
    def now(self) -> float:
        return self._clock() + self._ahead

    @property
    def reported_now(self) -> float:
        """The last time at which healthy nodes reported."""
        period = self.behaviour.data_period
        return self.now // period * period

    @property
    def quorate(self) -> bool:
        if self.forced_quorum is not None:
            return self.forced_quorum
        return any(self.has_quorum(entry) for entry in self.nodes.values())

    def has_quorum(self, entry: Node) -> bool:
        """Whether `entry` is with the majority."""
        if self.forced_quorum is not None:
            return self.forced_quorum
        return sum(self.sees(entry, node) for node in self.nodes.values()) * 2 > len(self.nodes)

    def sees(self, entry: Node, node: Node) -> bool:
        """Whether `node` is there for `entry`."""
        return node.alive and (entry is node or (entry.cut_off_since is None and node.cut_off_since is None))

    def expired(self, node: Node, entry: Node) -> bool:
        """`entry` has heard nothing of the node for so long that it tells nothing of it."""
        heard = [node.silent_since] if entry is node else [node.silent_since, node.cut_off_since, entry.cut_off_since]
        since = min((one for one in heard if one is not None), default=self.now)
        return self.now - since > self.behaviour.expiry

    def guests_on(self, node: str) -> Iterator[Guest]:
        return (guest for guest in self.guests.values() if guest.config.node == node)

    def access(self, token: str, judge: Version) -> Access:
        """The rights of a token as a server of that version sees them."""
        found = self._access.get((token, judge))
        if found is None:
            paths = {rule.path for user in self.users.values() for rule in (*user.acls, *(user.user_acls or ()))}
            found = self._access[token, judge] = Access(self.users[token], paths, judge)
        return found

    def secret(self, token: str) -> str:
        secret = self.users[token].secret
        assert secret is not None  # noqa: S101  set for each in __init__
        return secret

    def _place_guest(self, config: GuestConfig) -> None:
        self._revision += 1
        started = self.now - 3600 if config.status != "stopped" and not config.template else None
        self.guests[config.vmid] = Guest(config=config, started_at=started, revision=self._revision)

    def _place_storage(self, config: StorageConfig) -> None:
        names = self.nodes if config.nodes == "all" else config.nodes
        rooms = [Room(total=config.size, used=min(config.used, config.size), reserved=config.reserved) for _ in names]
        since = None if config.active else self.now - self.behaviour.expiry - 1
        self.storages[config.id] = Storage(
            config,
            {
                name: Mount(rooms[0] if config.is_shared else room, inactive_since=since)
                for name, room in zip(names, rooms, strict=True)
            },
        )


def spread(guests: Iterable[GuestConfig]) -> Iterator[GuestConfig]:
    """`count: 3` of "web" makes web-1, web-2, web-3 with rising vmids."""
    for guest in guests:
        if guest.count == 1:
            yield guest
            continue
        for number in range(guest.count):
            name = None if guest.name is None else f"{guest.name}-{number + 1}"
            yield guest.model_copy(update={"vmid": guest.vmid + number, "name": name, "count": 1})
