"""The state of a simulated cluster, and what happens to it. No HTTP, no sleeping; the clock is given.

Everything that changes here shows in the next answer. The one delay that is kept is the one that matters: a node that stopped reporting goes on
being told about as before, until `expiry` has passed.
"""

import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from proxmox_offerings.simulator.amounts import Size
from proxmox_offerings.simulator.config import (
    AclConfig,
    Behaviour,
    GuestConfig,
    MappingConfig,
    NodeConfig,
    SimulatorConfig,
    StorageConfig,
    UserConfig,
    sentence,
)
from proxmox_offerings.simulator.privileges import Access
from proxmox_offerings.simulator.versions import Version, version

Clock = Callable[[], float]
THICK = frozenset({"lvm", "zfspool"})
"""Storage types that hand out a disk's whole room at once."""


class NoSuchThingError(Exception):
    """A change names something that the cluster does not have, or that cannot be. The message is one sentence."""


@dataclass(slots=True)
class Node:
    """A server. `silent_since`: when pvestatd last reported; None while it does."""

    config: NodeConfig
    version: Version
    booted_at: float
    alive: bool = True
    maintenance: bool = False
    silent_since: float | None = None

    @property
    def name(self) -> str:
        return self.config.name


@dataclass(slots=True)
class Guest:
    config: GuestConfig
    started_at: float | None
    revision: int = 0
    fixed_seed: int = 0

    @property
    def running(self) -> bool:
        return self.started_at is not None


@dataclass(slots=True)
class Volume:
    """One set of bytes: a local storage has one on each node, a shared one has one in all. `inactive_since`: the storage cannot be used."""

    total: int
    used: int
    reserved: int
    inactive_since: float | None = None
    hanging: bool = False

    @property
    def available(self) -> int:
        return max(0, self.total - self.used - self.reserved)


@dataclass(slots=True)
class Storage:
    config: StorageConfig
    volumes: dict[str, Volume] = field(default_factory=dict)

    def volume(self, node: str) -> Volume:
        return self.volumes[node]


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
        for guest in _spread(config.guests):
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

    # what is so ------------------------------------------------------------------------------------------------------------------------------

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
        return sum(node.alive for node in self.nodes.values()) * 2 > len(self.nodes)

    def expired(self, node: Node) -> bool:
        """Nothing was heard of the node for so long that nothing is told of it."""
        return node.silent_since is not None and self.now - node.silent_since > self.behaviour.expiry

    def storage_on(self, storage: Storage, node: str) -> bool:
        return storage.config.nodes == "all" or node in storage.config.nodes

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

    # guests ----------------------------------------------------------------------------------------------------------------------------------

    def start_guest(self, vmid: int) -> None:
        """Start it; what was pending becomes so."""
        guest = self._guest(vmid)
        if guest.config.template:
            raise NoSuchThingError(f"guest {vmid} is a template and cannot run")
        changes: dict[str, Any] = {"status": "running"}
        if guest.config.pending_hostpci is not None:
            changes |= {"hostpci": guest.config.pending_hostpci, "pending_hostpci": None}
        self._update_guest(guest, changes)

    def stop_guest(self, vmid: int) -> None:
        self._update_guest(self._guest(vmid), {"status": "stopped"})

    def add_guest(self, config: GuestConfig) -> None:
        """Add a guest, or `count` of them. On storages that are not thin its disks are used at once."""
        self._node(config.node)
        if config.storage is not None:
            self._storage(config.storage, config.node)
        added = list(_spread([config]))
        if taken := [guest.vmid for guest in added if guest.vmid in self.guests]:
            raise NoSuchThingError(f"guest {taken[0]} exists already")
        for guest in added:
            self._place_guest(guest)
            self._allocate(guest, +1)

    def remove_guest(self, vmid: int) -> None:
        self._allocate(self._guest(vmid).config, -1)
        del self.guests[vmid]

    def set_guest(self, vmid: int, **changes: Any) -> None:
        """Change any of GuestConfig's values but vmid, type and count."""
        if fixed := {"vmid", "type", "count"} & changes.keys():
            raise NoSuchThingError(f"{min(fixed)} of a guest cannot be changed")
        self._update_guest(self._guest(vmid), changes)

    def begin_migration(self, vmid: int) -> None:
        """The guest is locked and stays listed where it is: where it goes is not told."""
        self._update_guest(self._guest(vmid), {"lock": "migrate"})

    def finish_migration(self, vmid: int, target: str) -> None:
        self._node(target)
        self._update_guest(self._guest(vmid), {"lock": None, "node": target})

    # nodes -----------------------------------------------------------------------------------------------------------------------------------

    def kill_node(self, name: str) -> None:
        """The node is gone without a word: its last report stays for `expiry`."""
        node = self._node(name)
        node.alive = False
        if node.silent_since is None:
            node.silent_since = self.now

    def restore_node(self, name: str) -> None:
        """The node boots and reports at once; its guests run again where they ran."""
        node = self._node(name)
        if not node.alive:
            self._boot(node)

    def reboot_node(self, name: str) -> None:
        self._boot(self._node(name))

    def silence_node(self, name: str, *, silent: bool = True) -> None:
        """pvestatd of the node is stuck (or no longer is): it answers, but its data gets old."""
        node = self._node(name)
        if not silent and node.alive:
            node.silent_since = None
        elif silent and node.silent_since is None:
            node.silent_since = self.now

    def set_maintenance(self, name: str, *, on: bool = True) -> None:
        self._node(name).maintenance = on
        self.ha_used = True

    def set_version(self, name: str, text: str) -> None:
        """Upgrade one node; it reboots."""
        node = self._node(name)
        try:
            node.version = version(text)
        except ValueError as problem:
            raise NoSuchThingError(str(problem)) from None
        self._boot(node)

    def set_quorum(self, *, quorate: bool | None = None) -> None:
        """None: by counting votes again."""
        self.forced_quorum = quorate

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += seconds

    # storages and rights ---------------------------------------------------------------------------------------------------------------------

    def fill_storage(self, storage: str, used: Size, *, node: str | None = None) -> None:
        """Set the used bytes: of the shared volume, or of the local one of `node` (absent: of all)."""
        for volume in self._volumes(storage, node):
            volume.used = min(used, volume.total)

    def set_storage(
        self,
        storage: str,
        *,
        node: str | None = None,
        active: bool | None = None,
        hanging: bool | None = None,
        disabled: bool | None = None,
        size: Size | None = None,
        content: list[str] | None = None,
    ) -> None:
        """Change what is given. A hanging storage blocks the storage calls of its nodes, and their pvestatd."""
        found = self._storage(storage)
        changes = {key: value for key, value in (("disabled", disabled), ("content", content)) if value is not None}
        try:
            found.config = StorageConfig.model_validate(found.config.model_dump() | changes)
        except ValidationError as problem:
            raise NoSuchThingError(sentence(problem)) from None
        for volume in self._volumes(storage, node):
            if active is not None:
                volume.inactive_since = None if active else volume.inactive_since or self.now
            if size is not None:
                volume.total = size
            if hanging is not None:
                volume.hanging = hanging
        if hanging is not None:
            for name in found.volumes if node is None else [node]:
                self.silence_node(
                    name,
                    silent=any(each.volumes[name].hanging for each in self.storages.values() if name in each.volumes),
                )

    def set_acls(self, token: str, acls: list[AclConfig], *, user_acls: list[AclConfig] | None = None) -> None:
        """Replace the rules of a token; those of its user too where given, else they stay what they were."""
        user = self._user(token)
        keep = user.acls if user.user_acls is None else user.user_acls
        self.users[token] = user.model_copy(
            update={"acls": acls, "user_acls": keep if user_acls is None else user_acls}
        )
        self._access.clear()

    def set_secret(self, token: str, secret: str) -> None:
        self.users[token] = self._user(token).model_copy(update={"secret": secret})

    def add_user(self, user: UserConfig) -> None:
        if user.token in self.users:
            raise NoSuchThingError(f"token {user.token} exists already")
        self.users[user.token] = user.model_copy(update={"secret": user.secret or str(uuid.uuid4())})
        self._access.clear()

    # ------------------------------------------------------------------------------------------------------------------------------------------

    def _place_guest(self, config: GuestConfig) -> None:
        self._revision += 1
        started = self.now - 3600 if config.status != "stopped" and not config.template else None
        self.guests[config.vmid] = Guest(
            config=config, started_at=started, revision=self._revision, fixed_seed=config.vmid
        )

    def _update_guest(self, guest: Guest, changes: dict[str, Any]) -> None:
        try:
            config = GuestConfig.model_validate(guest.config.model_dump() | changes)
        except ValidationError as problem:
            raise NoSuchThingError(sentence(problem)) from None
        self._node(config.node)
        self._revision += 1
        guest.config, guest.revision = config, self._revision
        self.ha_used |= config.hastate is not None
        if config.status == "stopped" or config.template:
            guest.started_at = None
        elif guest.started_at is None:
            guest.started_at = self.now

    def _boot(self, node: Node) -> None:
        node.alive, node.silent_since, node.booted_at = True, None, self.now
        for guest in self.guests_on(node.name):
            if guest.started_at is not None:
                self._revision += 1
                guest.started_at, guest.revision = self.now, self._revision

    def _place_storage(self, config: StorageConfig) -> None:
        storage = Storage(config)
        one = Volume(total=config.size, used=min(config.used, config.size), reserved=config.reserved)
        for name in self.nodes:
            if self.storage_on(storage, name):
                storage.volumes[name] = (
                    one
                    if config.is_shared
                    else Volume(total=config.size, used=min(config.used, config.size), reserved=config.reserved)
                )
                if not config.active:
                    storage.volumes[name].inactive_since = self.now - self.behaviour.expiry - 1
        self.storages[config.id] = storage

    def _allocate(self, guest: GuestConfig, sign: int) -> None:
        if guest.storage is None or guest.disk == 0:
            return
        storage = self.storages[guest.storage]
        volume = storage.volumes.get(guest.node)
        if volume is not None and storage.config.type in THICK and not storage.config.sparse:
            volume.used = min(volume.total, max(0, volume.used + sign * guest.disk))

    def _volumes(self, storage: str, node: str | None) -> Iterable[Volume]:
        volumes = self._storage(storage, node).volumes
        return volumes.values() if node is None else [volumes[node]]

    def _guest(self, vmid: int) -> Guest:
        if vmid not in self.guests:
            raise NoSuchThingError(f"there is no guest {vmid}")
        return self.guests[vmid]

    def _node(self, name: str) -> Node:
        if name not in self.nodes:
            raise NoSuchThingError(f"there is no node {name!r}")
        return self.nodes[name]

    def _storage(self, name: str, node: str | None = None) -> Storage:
        if name not in self.storages:
            raise NoSuchThingError(f"there is no storage {name!r}")
        if node is not None and node not in self.storages[name].volumes:
            raise NoSuchThingError(f"storage {name!r} is not on node {node!r}")
        return self.storages[name]

    def _user(self, token: str) -> UserConfig:
        if token not in self.users:
            raise NoSuchThingError(f"there is no token {token!r}")
        return self.users[token]


def _spread(guests: Iterable[GuestConfig]) -> Iterator[GuestConfig]:
    """`count: 3` of "web" makes web-1, web-2, web-3 with rising vmids."""
    for guest in guests:
        if guest.count == 1:
            yield guest
            continue
        for number in range(guest.count):
            name = None if guest.name is None else f"{guest.name}-{number + 1}"
            yield guest.model_copy(update={"vmid": guest.vmid + number, "name": name, "count": 1})
