"""Whether the token sees everything that must be counted. A weak token gets HTTP 200 with rows missing, never an error (proxmox-api.md,
fact 1).

GET /access/permissions lists fixed paths and every path with an access rule; a fixed path that is absent has no rights at all
(libpve-access-control RPCEnvironment.pm).
"""

from proxmox_offerings.proxmox.answers import Permissions, Version
from proxmox_offerings.proxmox.errors import MissingPrivilege, PrivilegesMissing

GUESTS_HIDDEN = "guests may be hidden, so that their room would be sold again"
STORAGES_HIDDEN = "storages may be hidden"
REMEDY = "grant the role PVEAuditor on / with propagation to the user and, where the token has privilege separation, to the token too"


def require_rights(permissions: Permissions) -> None:
    """Raise PrivilegesMissing where counting would be guessing."""
    missing = (
        *_lacking(permissions, "/", "Sys.Audit", "quorum and maintenance cannot be read"),
        *_lacking(permissions, "/", "VM.Audit", GUESTS_HIDDEN),
        *_lacking(permissions, "/vms", "VM.Audit", GUESTS_HIDDEN),
        *_lacking(permissions, _pools(permissions), "VM.Audit", GUESTS_HIDDEN),
        *(
            MissingPrivilege(path=path, privilege="VM.Audit", effect=GUESTS_HIDDEN)
            for path, privileges in sorted(permissions.paths.items())
            if path.startswith(("/vms/", "/pool/")) and "VM.Audit" not in privileges
        ),
        *_lacking(permissions, "/", "Datastore.Audit", STORAGES_HIDDEN),
        *_lacking(permissions, "/storage", "Datastore.Audit", STORAGES_HIDDEN),
    )
    if not missing:
        return
    if not permissions.paths:
        raise PrivilegesMissing(f"the token has no rights at all; {REMEDY}", missing=missing)
    first = missing[0]
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    raise PrivilegesMissing(
        f"the token lacks {first.privilege} on {first.path}{more}: {first.effect}; {REMEDY}", missing=missing
    )


def bridges_may_be_hidden(permissions: Permissions, version: Version) -> bool:
    """Whether a list of interfaces may come without its bridges: from PVE 8 on they take a right of their own (proxmox-api.md 1.1)."""
    return version.numbers >= (8, 0) and bool(_sdn_gaps(permissions))


def lesser_gaps(permissions: Permissions, version: Version) -> tuple[MissingPrivilege, ...]:
    """What the token lacks without making the count wrong: something is not sold, or not shown, for it."""
    gaps = [
        *_lacking(permissions, "/nodes", "Sys.Audit", "nodes cannot be read and are not sold"),
        *(_sdn_gaps(permissions) if version.numbers >= (8, 0) else ()),
    ]
    if version.numbers >= (8, 0):  # the privilege does not exist before
        gaps += _lacking(
            permissions, "/", "Mapping.Audit", "PCI mappings may be hidden; nodes whose guests use one sell no GPU"
        )
    for path, privileges in sorted(permissions.paths.items()):
        if path.startswith("/storage/") and "Datastore.Audit" not in privileges:
            gaps.append(MissingPrivilege(path=path, privilege="Datastore.Audit", effect="this storage is not sold"))
        if path.startswith("/nodes/") and "Sys.Audit" not in privileges:
            gaps.append(
                MissingPrivilege(path=path, privilege="Sys.Audit", effect="this node cannot be read and is not sold")
            )
    return tuple(gaps)


def hidden_storages(permissions: Permissions) -> frozenset[str]:
    """Storages that the token must not judge: their rows may be there from before, but their rights were taken away."""
    return frozenset(
        path.removeprefix("/storage/")
        for path, privileges in permissions.paths.items()
        if path.startswith("/storage/") and "Datastore.Audit" not in privileges
    )


def _sdn_gaps(permissions: Permissions) -> tuple[MissingPrivilege, ...]:
    effect = "bridges may be hidden; a host with `bridge` sells nothing on their nodes"
    on_root = _lacking(permissions, "/", "SDN.Audit", effect)
    return on_root or _lacking(permissions, "/sdn", "SDN.Audit", effect)


def _pools(permissions: Permissions) -> str:
    """The fixed path of the pools: 7.4 lists it as "/pools" (recorded answer), 8 and 9 as "/pool"."""
    return "/pools" if "/pools" in permissions.paths else "/pool"


def _lacking(permissions: Permissions, path: str, privilege: str, effect: str) -> tuple[MissingPrivilege, ...]:
    """The privilege must hold on `path` and on all below it."""
    if permissions.paths.get(path, {}).get(privilege):
        return ()
    return (MissingPrivilege(path=path, privilege=privilege, effect=effect),)
