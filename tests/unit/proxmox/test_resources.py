"""GET /cluster/resources: what is kept, what is refused, and that order and types do not matter."""

import random
from typing import Any

import pytest

from proxmox_offerings.proxmox.answers import MachineRow, NodeRow, StorageRow
from proxmox_offerings.proxmox.parse.resources import MOST_GUESTS, MOST_NODES, MOST_STORAGES, resources
from proxmox_offerings.proxmox.parse.values import Nonsense

NODE = {
    "type": "node",
    "id": "node/pve1",
    "node": "pve1",
    "status": "online",
    "maxcpu": 8,
    "maxmem": 2**33,
    "uptime": 60,
}
GUEST = {
    "type": "qemu",
    "id": "qemu/100",
    "vmid": 100,
    "node": "pve1",
    "status": "running",
    "name": "a",
    "template": 0,
    "maxcpu": 2,
    "maxmem": 2**30,
}
STORAGE = {
    "type": "storage",
    "storage": "local",
    "node": "pve1",
    "status": "available",
    "plugintype": "dir",
    "content": "iso,images",
    "shared": 0,
    "maxdisk": 10,
    "disk": 4,
}


def row(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def test_a_row_of_each_type_is_read() -> None:
    read = resources([STORAGE, GUEST, NODE])
    assert read.nodes == (NodeRow(name="pve1", status="online", maxcpu=8, maxmem=2**33, uptime=60),)
    assert read.guests == (MachineRow(vmid=100, node="pve1", status="running", name="a", maxcpu=2, maxmem=2**30),)
    assert read.storages == (
        StorageRow(
            storage="local",
            node="pve1",
            status="available",
            plugin="dir",
            content=frozenset({"iso", "images"}),
            maxdisk=10,
            disk=4,
        ),
    )


@pytest.mark.reliability("T25", "T29")
def test_loose_types_and_order_make_no_difference() -> None:
    """T25, T29: the same cluster read twice must give the same bytes in Kubernetes."""
    strict = [row(GUEST, vmid=vmid, tags="b;a") for vmid in range(100, 120)] + [NODE, STORAGE]
    loose = [{key: str(value) if type(value) is int else value for key, value in one.items()} for one in strict]
    random.Random(1).shuffle(loose)
    assert resources(loose) == resources(strict)
    assert resources(loose).guests[0].tags == ("a", "b")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"vmid": ...}, id="no vmid"),
        pytest.param({"vmid": 0}, id="vmid 0"),
        pytest.param({"vmid": "x"}, id="vmid is no number"),
        pytest.param({"vmid": True}, id="vmid is a boolean"),
        pytest.param({"node": ...}, id="no node"),
        pytest.param({"node": ""}, id="empty node"),
        pytest.param({"maxcpu": -1}, id="negative vCPUs"),
        pytest.param({"maxmem": -1}, id="negative memory"),
        pytest.param({"maxmem": "lots"}, id="memory is no number"),
        pytest.param({"maxmem": 1.5}, id="a fraction of a byte"),
        pytest.param({"maxcpu": "NaN"}, id="vCPUs are not a number"),
        pytest.param({"type": "vmware"}, id="a guest of an unknown kind"),
        pytest.param({"type": ..., "vmid": ...}, id="a row of no type"),
        pytest.param({"type": ["qemu"]}, id="a type that is no text"),
        pytest.param({"template": []}, id="neither a template nor none"),
        pytest.param({"tags": ["dedicated"]}, id="tags are no text"),
    ],
)
def test_a_guest_that_cannot_be_read_is_never_left_out(changes: dict[str, Any]) -> None:
    """Leaving it out would sell its room; the whole answer is refused instead."""
    with pytest.raises(Nonsense):
        resources([NODE, row(GUEST, **changes)])


@pytest.mark.reliability("T4")
def test_a_guest_whose_size_is_not_told_is_kept_as_that() -> None:
    """T4: after 300 s without news, name, template and sizes are absent."""
    (guest,) = resources([{"type": "qemu", "vmid": 100, "node": "pve1", "status": "unknown"}]).guests
    assert (guest.status, guest.maxcpu, guest.maxmem, guest.template, guest.name) == (
        "unknown",
        None,
        None,
        False,
        None,
    )
    assert resources([row(GUEST, status=...)]).guests[0].status == "unknown"


def test_a_guest_on_two_nodes_while_it_migrates_is_kept_on_both() -> None:
    read = resources([row(GUEST, node="pve2"), GUEST])
    assert [guest.node for guest in read.guests] == ["pve1", "pve2"]


@pytest.mark.parametrize(
    ("template", "is_one"), [(1, True), ("1", True), (True, True), (0, False), ("0", False), ("", False)]
)
def test_only_what_is_marked_as_template_is_one(template: object, is_one: bool) -> None:
    """A guest that is taken for a template is not counted."""
    assert resources([row(GUEST, template=template)]).guests[0].template == is_one


def test_a_container_may_have_a_fraction_of_a_processor() -> None:
    assert resources([row(GUEST, type="lxc", maxcpu=0.5)]).guests[0].maxcpu == 0.5


def test_a_node_with_impossible_numbers_has_none() -> None:
    """It is not sold; the others are."""
    other = row(NODE, node="pve2")
    read = resources([row(NODE, maxcpu=-8), other])
    assert [node.maxmem for node in read.nodes] == [None, 2**33]


def test_a_storage_with_impossible_numbers_is_not_available() -> None:
    read = resources([row(STORAGE, disk=-1), row(STORAGE, storage="other")])
    assert [(one.status, one.disk) for one in read.storages] == [("unknown", None), ("available", 4)]


@pytest.mark.parametrize("twice", [NODE, STORAGE, GUEST])
def test_what_is_listed_twice_contradicts_itself(twice: dict[str, Any]) -> None:
    with pytest.raises(Nonsense):
        resources([twice, twice])


@pytest.mark.reliability("T26")
def test_rows_of_unknown_types_are_counted_and_known_others_are_not() -> None:
    """T26: a newer version may list more."""
    read = resources(
        [NODE, {"type": "pool", "id": "/pool/x"}, {"type": "network"}, {"type": "sdn"}, {"type": "quantum"}]
    )
    assert (len(read.nodes), read.ignored) == (1, 1)


@pytest.mark.parametrize(
    ("most", "row", "key", "what"),
    [
        (MOST_NODES, NODE, "node", "nodes"),
        (MOST_GUESTS, GUEST, "vmid", "guests"),
        (MOST_STORAGES, STORAGE, "storage", "storages"),
    ],
)
def test_as_many_rows_as_there_may_be_are_read_and_one_more_is_refused(
    most: int, row: dict[str, Any], key: str, what: str
) -> None:
    """Half a million nodes fit into an answer, and each would be asked several things."""
    listed = [{**row, key: number if key == "vmid" else f"x{number}"} for number in range(1, most + 2)]
    assert len(getattr(resources(listed[:most]), what)) == most
    with pytest.raises(Nonsense, match=f"more than {most:,} {what}"):
        resources(listed)
