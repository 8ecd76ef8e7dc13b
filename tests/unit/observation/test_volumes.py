"""Templates on shared storage are listed once, by a node that can."""

from typing import Any

from proxmox_offerings.observation.volumes import volumes_to_list
from proxmox_offerings.proxmox.answers import NodeRow, Resources, StorageConfig, StorageRow


def seen(*storages: StorageRow, **nodes: str) -> Resources:
    return Resources(
        nodes=tuple(NodeRow(name=name, status=status) for name, status in nodes.items()), guests=(), storages=storages
    )


def row(storage: str, node: str, **changes: Any) -> StorageRow:
    return StorageRow(**{"storage": storage, "node": node, "status": "available"} | changes)


LOCAL = StorageConfig(storage="local", plugin="dir", content=frozenset({"iso", "vztmpl", "import"}))
NFS = StorageConfig(storage="nfs", plugin="nfs", content=frozenset({"images", "vztmpl"}), shared=True)


def test_local_storages_are_listed_by_each_node_and_shared_ones_by_one() -> None:
    resources = seen(row("local", "a"), row("local", "b"), row("nfs", "a"), row("nfs", "b"), a="online", b="online")
    assert volumes_to_list(resources=resources, configs=[LOCAL, NFS]) == {
        "a": (("local", "vztmpl"), ("local", "import"), ("nfs", "vztmpl")),
        "b": (("local", "vztmpl"), ("local", "import")),
    }


def test_a_shared_storage_is_listed_by_a_node_that_reaches_it() -> None:
    resources = seen(
        row("nfs", "a"), row("nfs", "b", status="unknown"), row("nfs", "c"), a="offline", b="online", c="online"
    )
    assert volumes_to_list(resources=resources, configs=[NFS]) == {"b": (), "c": (("nfs", "vztmpl"),)}


def test_a_storage_that_is_defined_nowhere_is_not_asked() -> None:
    assert volumes_to_list(resources=seen(row("gone", "a"), a="online"), configs=[NFS]) == {"a": ()}
