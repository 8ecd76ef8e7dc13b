"""What a token may not see is missing without a word: no wrong status gives it away."""

from proxmox_offerings.simulator.config import AclConfig

AUDITOR = {"role": "PVEAuditor"}


def token(*acls, **different):
    return [{"token": "op@pve!reader", "acls": list(acls), **different}]


async def test_token_without_rights_gets_200_and_no_rows(start, browse, describe):
    pve = await browse(await start(describe(users=token(userAcls=[AUDITOR]))))
    assert await pve.data("/access/permissions") == {}
    assert await pve.data("/cluster/resources?type=vm") == []
    assert await pve.data("/cluster/resources?type=storage") == []
    assert await pve.data("/storage") == []
    assert await pve.data("/nodes/pve2/qemu") == []
    assert await pve.data("/nodes/pve2/storage") == []
    assert await pve.data("/cluster/mapping/pci") == []


async def test_nodes_without_audit_are_listed_without_numbers(start, browse, describe):
    pve = await browse(await start(describe(users=token({"privileges": ["VM.Audit"]}))))
    rows = await pve.data("/cluster/resources?type=node")
    assert len(rows) == 3
    assert all(row["status"] == "online" and "maxcpu" not in row and "maxmem" not in row for row in rows)


async def test_rights_of_a_separated_token_are_what_both_it_and_its_user_have(start, browse, describe):
    simulator = await start(describe(users=token(AUDITOR, userAcls=[{"privileges": ["VM.Audit", "Sys.Modify"]}])))
    pve = await browse(simulator)
    assert (await pve.data("/access/permissions"))["/"] == {"VM.Audit": 1}


async def test_token_without_separation_has_the_rights_of_its_user(start, browse, describe):
    pve = await browse(await start(describe(users=token(privsep=False, userAcls=[AUDITOR]))))
    assert "Sys.Audit" in (await pve.data("/access/permissions"))["/"]


async def test_no_access_on_one_guest_hides_that_guest_only(start, browse, describe):
    pve = await browse(await start(describe(users=token(AUDITOR, {"path": "/vms/200", "role": "NoAccess"}))))
    assert {"qemu/100", "lxc/201", "qemu/9000"} == set(await pve.rows("/cluster/resources?type=vm"))
    assert "/vms/200" not in await pve.data("/access/permissions")
    assert (await pve.get("/nodes/pve2/qemu/200/config")).status_code == 403


async def test_deeper_rule_replaces_what_comes_from_above(start, browse, describe):
    pve = await browse(
        await start(describe(users=token(AUDITOR, {"path": "/storage/nfs", "privileges": ["Datastore.AllocateSpace"]})))
    )
    assert (await pve.data("/access/permissions"))["/storage/nfs"] == {"Datastore.AllocateSpace": 1}
    listed = {row["storage"] for row in await pve.data("/cluster/resources?type=storage")}
    assert listed == {"local-lvm"}, "AllocateSpace is not enough there"
    assert {row["storage"] for row in await pve.data("/nodes/pve1/storage")} == {"local-lvm", "nfs"}, "but here it is"


async def test_rule_that_does_not_propagate_holds_on_its_own_path_only(start, browse, describe):
    pve = await browse(await start(describe(users=token({"role": "PVEAuditor", "propagate": False}))))
    told = await pve.data("/access/permissions")
    assert set(told) == {"/"}
    assert set(told["/"].values()) == {0}
    assert (await pve.get("/cluster/status")).status_code == 200
    assert await pve.data("/cluster/resources?type=vm") == []


async def test_pci_listing_needs_audit_on_the_root_and_says_so(start, browse, describe):
    pve = await browse(await start(describe(users=token({"path": "/nodes", "role": "PVEAuditor"}))))
    assert (await pve.get("/nodes/pve1/status")).status_code == 200
    refused = await pve.get("/nodes/pve1/hardware/pci")
    assert (refused.status_code, refused.reason_phrase) == (403, "Permission check failed (/, Sys.Audit|Sys.Modify)")


async def test_auditor_sees_files_of_a_storage_but_no_disks(start, browse, describe):
    storages = [
        {
            "id": "nfs",
            "type": "nfs",
            "content": ["images", "iso"],
            "size": "1Ti",
            "files": [{"volid": "iso/debian.iso", "size": "600Mi"}, {"volid": "backup/vzdump-qemu-100.vma.zst"}],
        }
    ]
    guests = [{"vmid": 100, "node": "pve1", "disk": "50Gi", "storage": "nfs"}]
    simulator = await start(describe(storages=storages, guests=guests))
    pve = await browse(simulator)
    assert [row["volid"] for row in await pve.data("/nodes/pve1/storage/nfs/content")] == ["nfs:iso/debian.iso"]


async def test_administrator_sees_disks_named_as_the_storage_names_them(start, browse, describe):
    guests = [
        {"vmid": 100, "node": "pve1", "disk": "50Gi", "storage": "nfs"},
        {"vmid": 9000, "node": "pve1", "disk": "10Gi", "storage": "local-lvm", "template": True, "status": "stopped"},
    ]
    pve = await browse(await start(describe(users=token({"role": "Administrator"}), guests=guests)))
    assert [row["volid"] for row in await pve.data("/nodes/pve2/storage/nfs/content")] == [
        "nfs:100/vm-100-disk-0.qcow2"
    ]
    assert [row["volid"] for row in await pve.data("/nodes/pve1/storage/local-lvm/content")] == [
        "local-lvm:base-9000-disk-0"
    ]
    assert await pve.data("/nodes/pve2/storage/local-lvm/content") == []


async def test_rights_can_be_given_and_taken_while_it_runs(start, browse, describe):
    simulator = await start(describe(users=token()))
    pve = await browse(simulator)
    assert await pve.data("/cluster/resources?type=vm") == []
    auditor = [AclConfig(role="PVEAuditor")]
    simulator.set_acls(simulator.token_id, auditor)
    assert len(await pve.data("/cluster/resources?type=vm")) == 4
    simulator.set_acls(simulator.token_id, auditor, user_acls=[])
    assert await pve.data("/cluster/resources?type=vm") == []
