"""A description that is wrong is refused with the name of what is wrong."""

import re
from pathlib import Path

import pytest
import yaml

from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.amounts import size
from proxmox_offerings.simulator.config import load, parse
from proxmox_offerings.simulator.model import ConfigError

NODE = {"name": "pve1", "cores": 8, "threads": 16, "memory": "64Gi"}


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [("256Gi", 256 * 2**30), ("3.84T", 3_840_000_000_000), (4096, 4096), ("1.5Ti", 3 * 2**39), ("0", 0)],
)
def test_sizes_are_exact(written, bytes_):
    assert size(written) == bytes_


@pytest.mark.parametrize("written", ["", "Gi", "-1Gi", -1, True, 1.5, None, "1 XB"])
def test_what_is_no_size_is_refused(written):
    with pytest.raises(ValueError, match="size"):
        size(written)


@pytest.mark.parametrize(("document", "said"), [
    ({"nodes": []}, "nodes: "),
    ({"nodes": [NODE | {"memory": "much"}]}, "nodes[0].memory: a size is"),
    ({"nodes": [NODE | {"colour": "red"}]}, "nodes[0].colour: "),
    ({"nodes": [NODE | {"cores": "8"}]}, "nodes[0].cores: "),
    ({"nodes": [NODE], "version": 9.1}, "version: "),
    ({"nodes": [NODE, NODE | {"name": "pve2"}]}, "several nodes need a cluster"),
    ({"nodes": [NODE, NODE], "cluster": {"name": "x"}}, "node 'pve1' is given twice"),
    ({"nodes": [NODE], "guests": [{"vmid": 100, "node": "pve9"}]}, "guest 100 is on node 'pve9', which is not described"),
    ({"nodes": [NODE], "guests": [{"vmid": 100, "node": "pve1", "count": 3}, {"vmid": 102, "node": "pve1"}]}, "vmid 102 is given twice"),
    ({"nodes": [NODE], "guests": [{"vmid": 100, "node": "pve1", "disk": "1Gi"}]}, "guests[0]: a disk needs a storage"),
    ({"nodes": [NODE], "guests": [{"vmid": 100, "node": "pve1", "cpu": 0}]}, "guests[0]: cpu must be at least 1"),
    ({"nodes": [NODE], "storages": [{"id": "a", "type": "dir", "content": ["images"], "size": "1T", "nodes": ["pve7"]}]}, "names node 'pve7'"),
    ({"nodes": [NODE], "storages": [{"id": "a", "type": "dir", "content": ["images"], "size": "1T", "nodes": "some"}]}, "storages[0].nodes: "),
    ({"nodes": [NODE], "users": [{"acls": [{"path": "vms", "role": "PVEAuditor"}]}]}, "users[0].acls[0].path: "),
    ({"nodes": [NODE], "users": [{"acls": [{}]}]}, "users[0].acls[0]: give either role or privileges"),
    ([], "Input should be"),
])  # fmt: skip
def test_error_names_the_field(document, said):
    with pytest.raises(ConfigError) as problem:
        parse(document)
    assert said in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(("text", "said"), [("nodes: [", "is not YAML"), ("nodes: 3", "nodes: ")])
def test_unreadable_file_is_named(tmp_path, text, said):
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said) as problem:
        load(file)
    assert str(file) in str(problem.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_cluster_in_the_documentation_is_accepted():
    page = Path(__file__).parents[3] / "docs" / "reference" / "simulator.md"
    [example] = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(parse(yaml.safe_load(example)).guests) == 4


def test_token_secret_is_new_each_time_unless_given():
    one, other = parse({"nodes": [NODE]}), parse({"nodes": [NODE], "users": [{"secret": "s3cret"}]})
    assert one.users[0].secret is None
    assert other.users[0].secret == "s3cret"


def test_demo_is_a_small_provider():
    demo = presets.demo()
    assert len(demo.nodes) == 3
    assert [len(node.gpus) for node in demo.nodes] == [0, 0, 2]
    assert 20 <= sum(guest.count for guest in demo.guests) <= 30
    assert {guest.name for guest in demo.guests if guest.template} == {
        "debian-12-template",
        "ubuntu-24.04-template",
        "debian-12-container",
    }
    assert any(storage.is_shared for storage in demo.storages)


def test_standalone_preset_has_no_cluster():
    assert presets.standalone().cluster is None
    with pytest.raises(ConfigError, match="there is no preset 'moon'"):
        presets.preset("moon")
