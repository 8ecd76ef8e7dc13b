"""The token: whether each endpoint accepts it, and each privilege that it needs, with the `pveum` line that grants it."""

from collections.abc import Iterable

from proxmox_offerings.cli.doctor.findings import Finding, Verdict
from proxmox_offerings.inventory.privileges import lesser_gaps, require_rights
from proxmox_offerings.proxmox.answers import Permissions, Version
from proxmox_offerings.proxmox.errors import MissingPrivilege, PrivilegesMissing

USES = {
    "Sys.Audit": "nodes, quorum and maintenance are seen",
    "VM.Audit": "all guests are counted",
    "Datastore.Audit": "all storages are seen",
    "SDN.Audit": "bridges are seen",
    "Mapping.Audit": "PCI mappings are seen",
}
SINCE_8 = ("SDN.Audit", "Mapping.Audit")
ROLE = "PVEAuditor"


def grants(token_id: str, path: str = "/") -> tuple[str, ...]:
    """What gives the user and the token the role there: with privilege separation a token has only what both were given."""
    user = token_id.partition("!")[0]
    return (
        f"pveum acl modify {path} --users '{user}' --roles {ROLE} --propagate 1",
        f"pveum acl modify {path} --tokens '{token_id}' --roles {ROLE} --propagate 1",
    )


def new_token(token_id: str) -> tuple[str, ...]:
    """What makes such a token anew; its secret is shown once, and goes into the Secret."""
    user, _, name = token_id.partition("!")
    return (
        f"pveum user token list '{user}'",
        f"pveum user token remove '{user}' '{name}'",
        f"pveum user token add '{user}' '{name}' --privsep 1",
        *grants(token_id)[1:],
    )


def findings_of(permissions: Permissions, version: Version, *, token_id: str) -> list[Finding]:
    """One for each privilege that is there everywhere, one for each place where one is missing, and one for what is too much."""
    needed = [one for one in USES if version.numbers >= (8, 0) or one not in SINCE_8]
    gaps = _gaps(permissions, version)
    lacking = {gap.privilege for gap in gaps}
    found = [
        Finding(
            area="privilege",
            subject=privilege,
            verdict=Verdict.OK,
            tried=f"{privilege} wherever it is needed",
            found=f"granted: {USES[privilege]}",
        )
        for privilege in needed
        if privilege not in lacking
    ]
    places: dict[str, list[MissingPrivilege]] = {}
    for gap in gaps:
        places.setdefault(gap.path, []).append(gap)
    found += [_missing(path, own, permissions, token_id) for path, own in places.items()]
    return [*found, *_excess(permissions, token_id)]


def _gaps(permissions: Permissions, version: Version) -> list[MissingPrivilege]:
    try:
        require_rights(permissions)
    except PrivilegesMissing as problem:
        return [*problem.missing, *lesser_gaps(permissions, version)]
    return list(lesser_gaps(permissions, version))


def _missing(path: str, gaps: list[MissingPrivilege], permissions: Permissions, token_id: str) -> Finding:
    privileges = [gap.privilege for gap in gaps]
    # What holds on / for all below it, but not here, was taken away here. Where nothing at all is left of a path, NoAccess did that, beside
    # which no other role counts; else another role took the place of the one from above.
    taken_away = path != "/" and all(permissions.paths.get("/", {}).get(one) for one in privileges)
    user = token_id.partition("!")[0]
    if taken_away and path not in permissions.paths:
        fix: tuple[str, ...] = (
            f"pveum acl list   # shows the rule on {path}",
            f"pveum acl delete {path} --users '{user}' --roles NoAccess",
            f"pveum acl delete {path} --tokens '{token_id}' --roles NoAccess",
        )
    else:
        fix = grants(token_id, path if taken_away else "/")
    return Finding(
        area="privilege",
        subject=f"{', '.join(privileges)} on {path}",
        verdict=Verdict.FAILED,
        tried=f"{', '.join(privileges)} on {path} and below",
        found="missing",
        means="; ".join(dict.fromkeys(gap.effect for gap in gaps)),
        fix=fix,
    )


def _excess(permissions: Permissions, token_id: str) -> Iterable[Finding]:
    more = sorted({one for granted in permissions.paths.values() for one in granted if not one.endswith(".Audit")})
    user, _, name = token_id.partition("!")
    if more:
        yield Finding(
            area="privilege",
            subject="no more than needed",
            verdict=Verdict.WARNING,
            tried="whether the token may do more than look",
            found=f"it has {', '.join(more[:4])}{f' and {len(more) - 4} more' if len(more) > 4 else ''}",
            means="whoever gets hold of the Secret can change the cluster. Privilege separation limits the token to what it was given itself",
            fix=(f"pveum user token modify '{user}' '{name}' --privsep 1", grants(token_id)[1]),
        )
    elif permissions.paths:
        yield Finding(
            area="privilege",
            subject="no more than needed",
            verdict=Verdict.OK,
            tried="whether the token may do more than look",
            found="it can only look",
        )
