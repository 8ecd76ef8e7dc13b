"""Who may see what: roles, access rules, and the intersection of a token with its user.

The rules are those of libpve-access-control AccessControl.pm `roles` and RPCEnvironment.pm `permissions`: a rule on a deeper path replaces what came
from above, a rule that does not propagate holds on its own path only, NoAccess beats other roles of the same rule set.
"""

from collections.abc import Iterable, Mapping, Sequence

from proxmox_offerings.simulator.config import AclConfig, UserConfig
from proxmox_offerings.simulator.versions import Version

AUDITOR = ("Datastore.Audit", "Pool.Audit", "SDN.Audit", "Sys.Audit", "VM.Audit")
AUDITOR_8 = ("Mapping.Audit",)
AUDITOR_9 = ("VM.GuestAgent.Audit",)
ADMINISTRATOR = (
    "Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.AllocateTemplate", "Group.Allocate", "Permissions.Modify", "Pool.Allocate",
    "Realm.Allocate", "Realm.AllocateUser", "SDN.Allocate", "SDN.Use", "Sys.Console", "Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt", "Sys.Syslog",
    "User.Modify", "VM.Allocate", "VM.Backup", "VM.Clone", "VM.Config.CDROM", "VM.Config.CPU", "VM.Config.Cloudinit", "VM.Config.Disk",
    "VM.Config.HWType", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options", "VM.Console", "VM.Migrate", "VM.PowerMgmt", "VM.Snapshot",
    "VM.Snapshot.Rollback",
)  # fmt: skip
ADMINISTRATOR_8 = ("Mapping.Modify", "Mapping.Use", "Sys.AccessNetwork")

Privileges = Mapping[str, bool]
"""Privilege -> whether it propagates."""


def role_privileges(rule: AclConfig, version: Version) -> frozenset[str]:
    """What a rule gives on a server of this version: Mapping.* does not exist before 8."""
    if rule.privileges is not None:
        return frozenset(rule.privileges)
    if rule.role == "NoAccess":
        return frozenset()
    granted = set(AUDITOR)
    granted |= set(AUDITOR_8) if version >= (8,) else set()
    granted |= set(AUDITOR_9) if version >= (9,) else set()
    if rule.role == "Administrator":
        granted |= set(ADMINISTRATOR)
        granted |= set(ADMINISTRATOR_8) if version >= (8,) else {"VM.Monitor"}
    return frozenset(granted)


def _on_path(rules: Sequence[AclConfig], path: str, version: Version) -> dict[str, bool]:
    held: list[AclConfig] = []
    for level in _levels(path):
        here = [rule for rule in rules if rule.path == level and (level == path or rule.propagate)]
        held = here or held
    if any(rule.role == "NoAccess" for rule in held):
        return {}
    found: dict[str, bool] = {}
    for rule in held:
        for privilege in role_privileges(rule, version):
            found[privilege] = found.get(privilege, False) or rule.propagate
    return found


def _levels(path: str) -> Iterable[str]:
    yield "/"
    parts = path.strip("/").split("/") if path != "/" else []
    for depth in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:depth])


class Access:
    """What one token may do, as servers of one version judge it. Remembers what it computed: 5,000 guests are asked for in each listing."""

    def __init__(self, user: UserConfig, all_paths: Iterable[str], version: Version) -> None:
        self._token = user.acls
        self._user = user.acls if user.user_acls is None else user.user_acls
        self._privsep = user.privsep
        self._version = version
        fixed = {
            "/",
            "/access",
            "/access/groups",
            "/nodes",
            "/sdn",
            "/storage",
            "/vms",
            "/pool" if version >= (8,) else "/pools",
        }
        self._listed = sorted(fixed | set(all_paths))
        self._known: dict[str, dict[str, bool]] = {}

    def privileges(self, path: str) -> Privileges:
        known = self._known.get(path)
        if known is None:
            known = _on_path(self._user, path, self._version)
            if self._privsep:
                token = _on_path(self._token, path, self._version)
                known = {privilege: known[privilege] and token[privilege] for privilege in known if privilege in token}
            self._known[path] = known
        return known

    def allows(self, path: str, *any_of: str) -> bool:
        held = self.privileges(path)
        return any(privilege in held for privilege in any_of)

    def listing(self, path: str | None = None) -> dict[str, dict[str, int]]:
        """GET /access/permissions: paths without rights are left out."""
        paths = self._listed if path is None else [path]
        return {
            each: {name: int(value) for name, value in held.items()}
            for each in paths
            if (held := self.privileges(each))
        }
