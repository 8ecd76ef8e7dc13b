"""What can happen to a simulated cluster.

Everything that changes here shows in the next answer. The one delay that is kept is the one that matters: a node that stopped reporting goes on
being told about as before, until `expiry` has passed.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from proxmox_offerings.simulator.amounts import Size
from proxmox_offerings.simulator.cluster import Cluster, Guest, Mount, Node, Storage, spread
from proxmox_offerings.simulator.config import AclConfig, GuestConfig, StorageConfig, UserConfig
from proxmox_offerings.simulator.model import sentence
from proxmox_offerings.simulator.versions import version

THICK = frozenset({"lvm", "zfspool"})
"""Storage types that hand out a disk's whole room at once."""


class NoSuchThingError(Exception):
    """A change names something that the cluster does not have, or that cannot be. The message is one sentence."""


class ChangingCluster(Cluster):
    """A cluster to which things happen. All raise NoSuchThingError where they name something unknown or impossible."""

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
        added = list(spread([config]))
        if taken := [guest.vmid for guest in added if guest.vmid in self.guests]:
            raise NoSuchThingError(f"guest {taken[0]} exists already")
        for guest in added:
            self._place_guest(guest)
            self._allocate(guest, +1)

    def remove_guest(self, vmid: int) -> None:
        self._allocate(self._guest(vmid).config, -1)
        del self.guests[vmid]

    def set_guest(self, vmid: int, **changes: Any) -> None:
        """Change any of GuestConfig's values but type and count."""
        if fixed := {"type", "count"} & changes.keys():
            raise NoSuchThingError(f"{min(fixed)} of a guest cannot be changed")
        self._update_guest(self._guest(vmid), changes)

    def begin_migration(self, vmid: int) -> None:
        """The guest is locked and stays listed where it is: where it goes is not told."""
        self._update_guest(self._guest(vmid), {"lock": "migrate"})

    def finish_migration(self, vmid: int, target: str) -> None:
        self._node(target)
        self._update_guest(self._guest(vmid), {"lock": None, "node": target})

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

    def isolate_node(self, name: str, *, isolated: bool = True) -> None:
        """Cut a node off from the others, or join it again. Whoever asks reaches it as before; it tells what it remembers, and has no quorum."""
        node = self._node(name)
        if not isolated:
            node.cut_off_since = None
        elif node.cut_off_since is None:
            node.cut_off_since = self.now

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

    def fill_storage(self, storage: str, used: Size, *, node: str | None = None) -> None:
        """Set the used bytes: of the whole of a shared storage, or of a local one on `node` (absent: on all)."""
        for mount in self._mounts(storage, node):
            mount.room.used = min(used, mount.room.total)

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
        for mount in self._mounts(storage, node):
            if active is not None:
                mount.inactive_since = None if active else mount.inactive_since or self.now
            if size is not None:
                mount.room.total = size
            if hanging is not None:
                mount.hanging = hanging
        if hanging is not None:
            for name in found.mounts if node is None else [node]:
                self.silence_node(
                    name,
                    silent=any(each.mounts[name].hanging for each in self.storages.values() if name in each.mounts),
                )

    def set_acls(self, token: str, acls: list[AclConfig], *, user_acls: list[AclConfig] | None = None) -> None:
        """Replace the rules of a token, and those of its user where given; a user whose rules are its token's goes on following it."""
        user = self._user(token)
        changes = {"acls": acls} if user_acls is None else {"acls": acls, "user_acls": user_acls}
        self.users[token] = user.model_copy(update=changes)
        self._access.clear()

    def set_secret(self, token: str, secret: str) -> None:
        self.users[token] = self._user(token).model_copy(update={"secret": secret})

    def add_user(self, user: UserConfig) -> None:
        if user.token in self.users:
            raise NoSuchThingError(f"token {user.token} exists already")
        self.users[user.token] = user.model_copy(update={"secret": user.secret or str(uuid.uuid4())})
        self._access.clear()

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

    def _allocate(self, guest: GuestConfig, sign: int) -> None:
        if guest.storage is None or guest.disk == 0:
            return
        storage = self.storages[guest.storage]
        mount = storage.mounts.get(guest.node)
        if mount is not None and storage.config.type in THICK and not storage.config.sparse:
            mount.room.used = min(mount.room.total, max(0, mount.room.used + sign * guest.disk))

    def _mounts(self, storage: str, node: str | None) -> Iterable[Mount]:
        mounts = self._storage(storage, node).mounts
        return mounts.values() if node is None else [mounts[node]]

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
        if node is not None and node not in self.storages[name].mounts:
            raise NoSuchThingError(f"storage {name!r} is not on node {node!r}")
        return self.storages[name]

    def _user(self, token: str) -> UserConfig:
        if token not in self.users:
            raise NoSuchThingError(f"there is no token {token!r}")
        return self.users[token]
