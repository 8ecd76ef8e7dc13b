"""Sums over a cluster: what is shared counts once, and what is left out or unread not at all."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from proxmox_offerings.catalogue.totals import Total
from support.cluster import ClusterFacts, cards, cluster, config, guest, node, planned, storage, tier

GIB = 2**30
TIB = 2**40


def totals(seen: ClusterFacts, **spec: Any) -> dict[str, Total]:
    return dict(planned(seen, tier(), **spec).totals)


def test_a_node_that_is_committed_beyond_its_capacity_takes_nothing_from_another() -> None:
    seen = cluster(
        nodes=[node("pve1", threads=8, memory="16Gi"), node("pve2", threads=8, memory="16Gi")],
        guests=[guest(100, "pve1", cpu=12, memory="24Gi"), guest(101, "pve2", cpu=2, memory="4Gi")],
    )
    said = totals(seen)
    assert said["cpu"] == Total(capacity=Fraction(16), committed=Fraction(14), headroom=Fraction(6))
    assert said["memory"] == Total(capacity=32 * GIB, committed=28 * GIB, headroom=12 * GIB)


def test_nodes_on_which_nothing_is_sold_do_not_count() -> None:
    seen = cluster(nodes=[node("pve1", threads=8), node("pve2", threads=8, status="offline"), node("pve3", threads=8)])
    assert totals(seen, nodes={"exclude": ["pve3"]})["cpu"].capacity == 8
    assert totals(seen, nodes={"include": ["pve2"]}) == {}


def test_bytes_that_are_reached_by_several_names_or_nodes_count_once() -> None:
    lvm = {"volume_group": "pve", "thin_pool": "data"}
    seen = cluster(
        nodes=[node("pve1"), node("pve2")],
        storages=[
            storage("local-lvm", total="10Ti", avail="6Ti", **lvm),
            storage("same-lvm", total="10Ti", avail="5Ti", **lvm),
            storage("ceph", "rbd", total="100Ti", avail="40Ti"),
            storage("iso", "nfs", total="1000Ti", avail="999Ti", content=("iso",)),
            storage("unread", "dir", total="10Ti", avail=None, path="/mnt"),
        ],
    )
    said = totals(seen)["storage"]
    assert said == Total(capacity=120 * TIB, committed=(2 * 5 + 60) * TIB, headroom=(2 * 5 + 40) * TIB)


def test_cards_count_whole_and_only_where_their_guests_could_be_read() -> None:
    seen = cluster(
        nodes=[node("pve1", pci=cards(3)), node("pve2", pci=cards(4))],
        guests=[guest(100, "pve1"), guest(101, "pve2")],
        configs={100: config("0000:01:00")},
    )
    assert totals(seen)["gpu"] == Total(capacity=3, committed=1, headroom=2)
    assert "gpu" not in totals(replace(seen, configs={})), "no guest's configuration was read"
    assert "gpu" not in totals(cluster())
