"""The worked examples of docs/explanation/capacity.md: what the page shows is what the command prints."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from proxmox_offerings.simulator.config import parse
from proxmox_offerings.simulator.simulator import Simulator
from support.commands import called, host_file

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "capacity.md"


class Example(NamedTuple):
    """A simulated cluster, the terms to sell it on, and passages that the explanation must contain."""

    cluster: str
    terms: str
    passages: tuple[str, ...]


def examples() -> list[Example]:
    blocks = re.findall(r"```(yaml|text)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found: list[Example] = []
    for (kind, text), (_, following) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if text.startswith("# cluster.yaml\n"):
            found.append(Example(cluster=text, terms=following, passages=()))
        elif kind == "text":
            found[-1] = found[-1]._replace(passages=(*found[-1].passages, text))
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda example: yaml.safe_load(example.cluster)["cluster"]["name"])
async def test_page_shows_what_the_command_prints(example: Example) -> None:
    printed = await explained(example.cluster, yaml.safe_load(example.terms))
    for passage in example.passages:
        assert passage in printed


async def test_page_says_what_default_terms_would_have_sold() -> None:
    _, reserves = examples()
    without = yaml.safe_load(reserves.terms) | {"allocation": {"cpu": {"percent": 300}}}
    assert "\nmedium: 32 fit; memory runs out first\n" in await explained(reserves.cluster, without)
    assert "\n32 would have been offered, six of them" in PAGE.read_text()


def test_page_has_its_examples() -> None:
    assert [len(example.passages) for example in examples()] == [3, 2]


async def explained(cluster: str, terms: dict[str, Any]) -> str:
    """What `preview --explain` prints of such a simulated cluster."""
    document = yaml.safe_load(cluster)
    async with Simulator(parse({**document, "behaviour": {"refusalDelay": 0, "seed": 1}})) as simulated:
        said = await called("preview", "-f", "-", "--explain", stdin=host_file(simulated, name="lab", **terms))
    assert said.code == 0, said.err
    return said.out


def three_nodes(*memory: str) -> str:
    rows = (f"- {{name: pve{n}, cores: 32, threads: 64, memory: {size}}}" for n, size in enumerate(memory, start=1))
    return "nodes:\n" + "\n".join(rows)


TERMS = {
    "allocation": {"memory": {"reserved": "0"}, "storage": {"reservedPercent": 0}},
    "tiers": [{"name": "unit", "cpu": 1, "memory": "4Gi", "disk": "10Gi"}],
}


async def test_picture_of_the_flow_of_disks_shows_what_is_counted() -> None:
    """docs/images/disks-flow.svg: memory for 3, 10 and 4 units; 8, 9 and 2 disks."""
    cluster = f"""
cluster: {{name: flow}}
{three_nodes("12Gi", "40Gi", "16Gi")}
storages:
- {{id: pool1, type: lvmthin, vgname: a, thinpool: a, content: [images], size: 80Gi, used: 0, nodes: [pve1]}}
- {{id: pool3, type: lvmthin, vgname: a, thinpool: a, content: [images], size: 20Gi, used: 0, nodes: [pve3]}}
- {{id: ceph, type: rbd, pool: vms, content: [images], size: 90Gi, used: 0}}
"""
    assert "\nunit: 14 fit; " in await explained(cluster, TERMS)
    assert "= 14 fit." in (PAGE.parents[1] / "images" / "disks-flow.svg").read_text(encoding="utf-8")


async def test_picture_of_failover_shows_what_is_counted() -> None:
    """docs/images/failover.svg: on each of three nodes room for eight, half of it taken by guests."""
    guests = "".join(f"- {{vmid: {n}00, count: 4, node: pve{n}, cpu: 1, memory: 4Gi}}\n" for n in (1, 2, 3))
    cluster = f"""
cluster: {{name: failover}}
{three_nodes("32Gi", "32Gi", "32Gi")}
storages:
- {{id: ceph, type: rbd, pool: vms, content: [images], size: 9Ti, used: 0}}
guests:
{guests}"""
    shown = (PAGE.parents[1] / "images" / "failover.svg").read_text(encoding="utf-8")
    for nodes, fit, words in ((0, 12, "4 + 4 + 4 = 12 units"), (1, 4, "0 + 4 = 4 units")):
        terms = {**TERMS, "allocation": {**TERMS["allocation"], "failoverNodes": nodes}}  # type: ignore[dict-item]
        assert f"\nunit: {fit} fit; " in await explained(cluster, terms)
        assert words in shown
