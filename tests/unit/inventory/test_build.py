"""What must be read for counting, what is remembered from turn to turn, and what a Snapshot holds."""

from dataclasses import replace
from typing import Any

import pytest

from proxmox_offerings.inventory.build import configs_wanted
from proxmox_offerings.inventory.gathered import Remembered
from proxmox_offerings.inventory.snapshot import NodeState
from proxmox_offerings.proxmox.answers import GuestRow, Volume
from proxmox_offerings.proxmox.errors import CallFailed
from support.cluster import (
    READ_AT,
    ClusterFacts,
    cards,
    cluster,
    config,
    guest,
    maintenance,
    node,
    storage,
    unknown,
)


def wanted(seen: ClusterFacts, *, provisioned: bool = False) -> list[tuple[int, bool]]:
    asked = configs_wanted(fast=seen.fast, slow=seen.slow, remembered=Remembered(), provisioned=provisioned)
    return [(one.vmid, one.pending) for one in asked]


class TestConfigsWanted:
    def test_plain_clusters_cost_no_call(self) -> None:
        seen = cluster(nodes=[node(threads=16)], guests=[guest(100), guest(101, kind="lxc", cpu=2)])
        assert wanted(seen) == []

    @pytest.mark.parametrize(
        ("row", "asked"),
        [
            pytest.param(guest(100), [(100, True)], id="running: also as it will be after its next start"),
            pytest.param(guest(100, status="stopped"), [(100, False)], id="stopped: nothing is pending"),
            pytest.param(guest(100, kind="lxc"), [], id="containers take no cards"),
        ],
    )
    def test_guests_of_nodes_with_cards(self, row: GuestRow, asked: Any) -> None:
        assert wanted(cluster(nodes=[node(pci=cards(1))], guests=[row])) == asked

    def test_cards_that_cannot_be_sold_are_not_worth_a_call(self) -> None:
        seen = cluster(nodes=[node(pci=cards(1, vendor="1a03"))], guests=[guest(100)])
        assert wanted(seen) == []

    @pytest.mark.parametrize(
        ("row", "asked"),
        [
            pytest.param(guest(100, kind="lxc", cpu=16), [(100, False)], id="container as large as its node"),
            pytest.param(guest(100, kind="lxc", cpu=15), [], id="smaller container"),
            pytest.param(guest(100, cpu=16), [], id="virtual machine as large as its node"),
            pytest.param(unknown(100), [(100, False)], id="no size"),
            pytest.param(guest(100, cpu=None), [(100, False)], id="no CPU told"),
            pytest.param(guest(100, memory=None), [(100, False)], id="no memory told"),
            pytest.param(guest(100, template=True), [(100, False)], id="template: on which storages is it"),
        ],
    )
    def test_guests_whose_rows_do_not_tell_enough(self, row: GuestRow, asked: Any) -> None:
        assert wanted(cluster(nodes=[node(threads=16)], guests=[row])) == asked

    def test_provisioned_storage_takes_all(self) -> None:
        seen = cluster(guests=[guest(100), guest(101, kind="lxc")])
        assert wanted(seen, provisioned=True) == [(100, False), (101, False)]

    def test_dead_nodes_are_not_asked_nodes_in_maintenance_are(self) -> None:
        seen = cluster(
            nodes=[node("pve1", status="offline"), node("pve2", status="unknown"), node("pve3")],
            guests=[unknown(100, "pve1"), unknown(101, "pve2"), unknown(102, "pve3"), unknown(103, "pve9")],
            manager=maintenance("pve3"),
        )
        assert wanted(seen) == [(102, False)]


class TestRemembered:
    def turn(self, row: GuestRow, before: Remembered | None = None) -> dict[int, GuestRow]:
        seen = cluster(guests=[row])
        return dict(seen.remembered(before).sizes)

    @pytest.mark.parametrize(
        ("row", "kept"),
        [
            pytest.param(guest(100, hastate="started"), True, id="HA brings it back elsewhere"),
            pytest.param(guest(100, lock="migrate"), True, id="it may arrive elsewhere"),
            pytest.param(guest(100, template=True), True, id="it loses its mark"),
            pytest.param(guest(100), False, id="it stays where it is"),
        ],
    )
    def test_only_what_may_be_needed(self, row: GuestRow, kept: bool) -> None:
        assert self.turn(row) == ({100: row} if kept else {})

    def test_last_known_size_survives_any_number_of_turns_without_one(self) -> None:
        row = guest(100, hastate="started", cpu=4)
        remembered = Remembered(sizes={100: row})
        for _ in range(3):
            remembered = Remembered(sizes=self.turn(unknown(100, hastate="started"), remembered))
        assert remembered.sizes == {100: row}

    def test_newer_size_replaces_the_older(self) -> None:
        old, new = guest(100, hastate="started", cpu=4), guest(100, hastate="started", cpu=8)
        assert self.turn(new, Remembered(sizes={100: old})) == {100: new}

    def test_guest_that_is_gone_is_forgotten(self) -> None:
        assert self.turn(guest(101), Remembered(sizes={100: guest(100, hastate="started")})) == {}


class TestTemplates:
    def found(self, seen: ClusterFacts, **rest: Any) -> dict[str, set[str]]:
        return {template.name: set(template.nodes) for template in seen.snapshot(**rest).templates}

    NODES = (node("pve1"), node("pve2"), node("pve3", status="offline"))

    @pytest.mark.parametrize(
        ("volumes", "nodes"),
        [
            pytest.param({"ceph:base-9000-disk-0": "8Gi"}, {"pve1", "pve2", "pve3"}, id="all on shared storage"),
            pytest.param({"local:base-9000-disk-0": "8Gi"}, {"pve1"}, id="local disk"),
            pytest.param({"ceph:a": "8Gi", "local:b": "1Mi"}, {"pve1"}, id="one of two disks is local"),
            pytest.param({}, {"pve1"}, id="no disk told"),
        ],
    )
    def test_template_can_be_cloned_where_all_its_disks_are(self, volumes: Any, nodes: set[str]) -> None:
        seen = cluster(
            nodes=self.NODES,
            guests=[guest(9000, "pve1", name="deb12", template=True)],
            storages=[storage("ceph", "rbd"), storage("local", "dir", path="/x")],
            configs={9000: config(volumes=volumes)},
        )
        assert self.found(seen) == {"deb12": nodes}

    def test_template_cannot_be_used_where_one_of_its_disks_is_out_of_reach(self) -> None:
        """Neither on pve3, which may not use ceph, nor anywhere while its own local storage is inactive."""
        seen = cluster(
            nodes=[node("pve1"), node("pve2"), node("pve3")],
            guests=[
                guest(9000, "pve1", name="shared", template=True),
                guest(9001, "pve1", name="local", template=True),
            ],
            storages=[storage("ceph", "rbd", on=["pve1", "pve2"]), storage("local", "dir", path="/x", active=False)],
            configs={9000: config(volumes={"ceph:a": "8Gi"}), 9001: config(volumes={"local:b": "8Gi"})},
        )
        assert self.found(seen) == {"shared": {"pve1", "pve2"}, "local": set()}

    def test_template_whose_configuration_is_unread_stays_on_its_node(self) -> None:
        seen = cluster(nodes=self.NODES, guests=[guest(9000, "pve1", name="deb12", template=True)])
        assert self.found(seen) == {"deb12": {"pve1"}}

    def test_template_of_a_silent_node_is_not_declared_gone(self) -> None:
        before = cluster(nodes=self.NODES, guests=[guest(9000, "pve1", name="deb12", template=True)])
        after = before.but(guests=(unknown(9000, "pve1"),))
        assert self.found(after) == {}
        assert self.found(after, remembered=before.remembered()) == {"deb12": {"pve1"}}
        assert after.snapshot(remembered=before.remembered()).guests == {}

    def test_number_given_to_another_guest_is_no_template_any_more(self) -> None:
        before = cluster(guests=[guest(9000, name="deb12", template=True)])
        after = before.but(guests=(guest(9000, name="web"),))
        assert self.found(after, remembered=before.remembered()) == {}
        assert len(after.snapshot(remembered=before.remembered()).guests["pve1"]) == 1

    def test_files_are_offered_where_they_lie(self) -> None:
        volid = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
        holds = {"local": (Volume(volid=volid, content="vztmpl"), Volume(volid="local:iso/x.iso", content="iso"))}
        nodes = [node("pve1", volumes=holds), node("pve2", volumes={"local": None})]
        seen = cluster(nodes=nodes, storages=[storage("local", "dir", path="/x", content=["vztmpl"])])
        (template,) = seen.snapshot().templates
        assert (template.kind, template.volid, template.nodes) == ("lxc", volid, {"pve1"})

    def test_files_on_shared_storage_are_offered_on_all_its_nodes(self) -> None:
        holds = {"nas": (Volume(volid="nas:import/deb12.qcow2", content="import"),)}
        nodes = [node("pve1", volumes=holds), node("pve2"), node("pve3")]
        seen = cluster(nodes=nodes, storages=[storage("nas", "nfs", server="n", export="/x", on=["pve1", "pve2"])])
        (template,) = seen.snapshot().templates
        assert (template.kind, template.nodes) == ("qemu", {"pve1", "pve2"})


def test_statement_is_as_old_as_the_first_call_it_stands_on() -> None:
    assert cluster().snapshot().observed_at == READ_AT


class TestContradictions:
    """What cannot be true together is no snapshot, whichever part of it is wrong."""

    @pytest.mark.parametrize(
        "row",
        [
            guest(100, "pve2"),
            pytest.param(guest(100, "pve2", hastate="started"), id="of HA, which would bring it to another node yet"),
            pytest.param(guest(100, "pve2", template=True), id="a template, whose disks fill the storages of its node"),
            pytest.param(guest(100, "pve2", memory=None), id="no memory told"),
            pytest.param(guest(100, "pve2", memory=None, cpu=None, status="stopped"), id="a status is told"),
        ],
    )
    def test_a_guest_on_a_node_that_is_not_listed(self, row: GuestRow) -> None:
        """Its room would be free on the node where it is."""
        with pytest.raises(CallFailed, match="not listed itself"):
            cluster(nodes=[node("pve1")], guests=[row]).snapshot()

    def test_what_is_left_of_a_node_that_was_removed_is_none(self) -> None:
        assert cluster(nodes=[node("pve1")], guests=[unknown(100, "pve2")]).snapshot().guests["pve2"]

    def test_several_nodes_without_a_cluster_that_could_have_a_quorum(self) -> None:
        seen = cluster(nodes=[node("pve1"), node("pve2")])
        alone = replace(seen.fast, cluster=replace(seen.fast.cluster, name=None))
        with pytest.raises(CallFailed, match="quorum"):
            seen.snapshot(fast=alone)

    def test_a_node_in_maintenance_stays_so_when_its_data_is_gone(self) -> None:
        """Its HA guests are on their way to others."""
        seen = cluster(nodes=[node("pve1", status="unknown"), node("pve2")], manager=maintenance("pve1"))
        assert seen.snapshot().nodes["pve1"].state is NodeState.MAINTENANCE

    @pytest.mark.parametrize(
        ("plugin", "lacking"),
        [
            ("lvm", "volume_group"),
            ("lvmthin", "volume_group"),
            ("lvmthin", "thin_pool"),
            ("zfspool", "pool"),
            ("dir", "path"),
            ("btrfs", "path"),
            ("nfs", "server"),
            ("nfs", "export"),
            ("cifs", "share"),
        ],
    )
    def test_a_storage_that_does_not_tell_its_bytes_may_share_them(self, plugin: str, lacking: str) -> None:
        (place,) = cluster(storages=[storage("a", plugin, **{lacking: None})]).snapshot().storages
        assert place.unusable == "Contradictory"

    def test_a_storage_that_is_of_two_kinds(self) -> None:
        seen = cluster(storages=[storage("a")])
        rows = tuple(replace(row, plugin="dir") for row in seen.fast.resources.storages)
        fast = replace(seen.fast, resources=replace(seen.fast.resources, storages=rows))
        assert [place.unusable for place in seen.snapshot(fast=fast).storages] == ["Contradictory"]
