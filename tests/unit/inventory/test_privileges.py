"""Whether the token sees everything that must be counted: a weak one gets HTTP 200 with rows missing, never an error."""

import pytest

from proxmox_offerings.inventory.privileges import bridges_may_be_hidden, lesser_gaps, require_rights
from proxmox_offerings.proxmox.answers import Permissions, Version
from proxmox_offerings.proxmox.errors import PrivilegesMissing
from support.cluster import AUDITOR, EVERYTHING, cluster

V7, V9 = Version(version="7.4-16", release="7.4"), Version(version="9.1.1", release="9.1")


def changed(path: str, **privileges: bool | None) -> Permissions:
    """All rights, but other ones on one path: True propagates, False does not, None is not there."""
    own = {**EVERYTHING.paths.get(path, AUDITOR), **{name.replace("_", "."): held for name, held in privileges.items()}}
    return Permissions(paths={**EVERYTHING.paths, path: {name: held for name, held in own.items() if held is not None}})


def without(path: str) -> Permissions:
    return Permissions(paths={other: own for other, own in EVERYTHING.paths.items() if other != path})


def test_an_auditor_of_everything_may_count() -> None:
    require_rights(EVERYTHING)
    assert lesser_gaps(EVERYTHING, V9) == ()


@pytest.mark.parametrize(
    ("permissions", "path", "privilege"),
    [
        pytest.param(changed("/", VM_Audit=None), "/", "VM.Audit", id="no VM.Audit"),
        pytest.param(changed("/", VM_Audit=False), "/", "VM.Audit", id="VM.Audit that does not propagate"),
        pytest.param(changed("/vms", VM_Audit=None), "/vms", "VM.Audit", id="taken away on /vms"),
        pytest.param(without("/vms"), "/vms", "VM.Audit", id="/vms absent is taken away"),
        pytest.param(changed("/vms/100", VM_Audit=None), "/vms/100", "VM.Audit", id="taken away on one guest"),
        pytest.param(changed("/pool/a", VM_Audit=None), "/pool/a", "VM.Audit", id="taken away on one pool"),
        pytest.param(without("/pool"), "/pool", "VM.Audit", id="/pool absent is taken away"),
        pytest.param(changed("/", Datastore_Audit=None), "/", "Datastore.Audit", id="no Datastore.Audit"),
        pytest.param(changed("/storage", Datastore_Audit=None), "/storage", "Datastore.Audit", id="none on /storage"),
        pytest.param(without("/storage"), "/storage", "Datastore.Audit", id="/storage absent is taken away"),
        pytest.param(changed("/", Sys_Audit=None), "/", "Sys.Audit", id="no Sys.Audit"),
    ],
)
def test_token_that_may_not_see_all_is_named_and_never_counted_with(
    permissions: Permissions, path: str, privilege: str
) -> None:
    with pytest.raises(PrivilegesMissing) as raised:
        cluster(permissions=permissions).snapshot()
    assert (path, privilege) in {(gap.path, gap.privilege) for gap in raised.value.missing}
    assert f"lacks {privilege} on {path}" in str(raised.value)


@pytest.mark.reliability("T9")
def test_token_without_any_rights_does_not_look_like_an_empty_cluster() -> None:
    with pytest.raises(PrivilegesMissing, match="no rights at all"):
        require_rights(Permissions(paths={}))


def test_privilege_that_does_not_propagate_holds_on_its_own_path() -> None:
    """A guest or a pool has nothing below it."""
    require_rights(changed("/vms/100", VM_Audit=False))
    require_rights(changed("/pool/a", VM_Audit=False))


@pytest.mark.reliability("T28")
def test_pools_of_7_4_have_another_path() -> None:
    """7.4 lists /pools where 8 and 9 list /pool."""
    paths = {("/pools" if path == "/pool" else path): own for path, own in EVERYTHING.paths.items()}
    require_rights(Permissions(paths=paths))
    with pytest.raises(PrivilegesMissing):
        require_rights(Permissions(paths={**paths, "/pools": {}}))


@pytest.mark.parametrize(
    ("permissions", "gap"),
    [
        pytest.param(changed("/storage/a", Datastore_Audit=None), ("/storage/a", "Datastore.Audit"), id="one storage"),
        pytest.param(changed("/nodes/a", Sys_Audit=None), ("/nodes/a", "Sys.Audit"), id="one node"),
        pytest.param(without("/nodes"), ("/nodes", "Sys.Audit"), id="all nodes"),
        pytest.param(changed("/", SDN_Audit=None), ("/", "SDN.Audit"), id="bridges"),
        pytest.param(changed("/", Mapping_Audit=None), ("/", "Mapping.Audit"), id="mappings"),
    ],
)
def test_lesser_gaps_do_not_stop_counting_but_are_told(permissions: Permissions, gap: tuple[str, str]) -> None:
    require_rights(permissions)
    assert [(one.path, one.privilege) for one in lesser_gaps(permissions, V9)] == [gap]


def test_privileges_that_a_version_does_not_have_are_not_missed() -> None:
    permissions = changed("/", Mapping_Audit=None, SDN_Audit=None)
    assert lesser_gaps(permissions, V7) == ()


@pytest.mark.parametrize(
    ("permissions", "version", "hidden"),
    [
        (EVERYTHING, V9, False),
        (changed("/", SDN_Audit=None), V9, True),
        (changed("/", SDN_Audit=False), V9, True),
        (without("/sdn"), V9, True),
        (without("/sdn"), V7, False),
    ],
)
def test_bridges_are_filtered_from_pve_8_on(permissions: Permissions, version: Version, hidden: bool) -> None:
    assert bridges_may_be_hidden(permissions, version) is hidden
