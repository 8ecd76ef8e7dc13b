"""The samples do what their comments say, each on a cluster of its kind: what is printed is what their readers would see."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from proxmox_offerings.cli.main import cli
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.presets import preset
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import ROOT

SAMPLES = ROOT / "manifests" / "samples"
CLUSTERS = {
    "standalone": {"garage": "standalone"},
    "cluster": {"fra1": "demo"},
    "ceph": {"ams1": "ceph3"},
    "failover": {"ha1": "ceph3"},
    "gpu": {"gpu1": "gpu"},
    "containers": {"lxc1": "demo"},
    "prices": {"shop1": "demo"},
    "several-clusters": {"fra": "demo", "ams": "ceph3"},
}
"""Sample -> the preset behind each of its hosts."""
Terms = Mapping[str, Any]


def test_each_sample_is_tried() -> None:
    assert {path.stem for path in SAMPLES.glob("*.yaml")} == CLUSTERS.keys()


@contextlib.asynccontextmanager
async def previewed(sample: str, *, changes: Terms | None = None) -> AsyncIterator[dict[str, dict[str, Any]]]:
    """The Offerings of a sample by name, with its hosts' addresses and tokens replaced by simulators'. `changes` go into the specs."""
    documents = list(yaml.safe_load_all((SAMPLES / f"{sample}.yaml").read_text(encoding="utf-8")))
    secrets = {one["metadata"]["name"]: one for one in documents if one["kind"] == "Secret"}
    async with contextlib.AsyncExitStack() as stack:
        for host in (one for one in documents if one["kind"] == "ProxmoxHost"):
            simulator = Simulator(preset(CLUSTERS[sample][host["metadata"]["name"]]), behaviour=Behaviour(seed=1))
            simulated = await stack.enter_async_context(simulator)
            reach = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}}
            host["spec"] |= reach | dict(changes or {})
            token = {"tokenID": simulated.token_id, "tokenSecret": simulated.token_secret}
            secrets[host["spec"]["credentialsSecretRef"]["name"]]["stringData"] = token
        manifest = yaml.safe_dump_all(documents)
        arguments = ["preview", "-f", "-", "-o", "json"]
        result = await asyncio.to_thread(CliRunner().invoke, cli, arguments, input=manifest)
    assert (result.exit_code, result.stderr) == (0, "")
    yield {one["metadata"]["name"]: one for one in json.loads(result.stdout)}


def available(offerings: Mapping[str, Any]) -> dict[str, int]:
    return {name: one["status"]["available"] for name, one in offerings.items()}


@pytest.mark.parametrize("sample", CLUSTERS)
async def test_each_tier_of_a_sample_can_be_sold(sample: str) -> None:
    """A tier that never fits would teach nothing."""
    async with previewed(sample) as offerings:
        assert offerings
        assert [name for name, one in offerings.items() if one["status"]["stock"] not in ("InStock", "LowStock")] == []


async def test_disks_on_ceph_are_counted_once_for_all_nodes() -> None:
    """Of 20 TiB, 14 are free and 4 are kept back: 128 disks of 80 GiB, not as many for each node."""
    disks = [{"name": "disk", "cpu": 1, "memory": "16Mi", "disk": "80Gi"}]
    terms = {"storage": {"reservedPercent": 20}}
    async with previewed("ceph", changes={"allocation": terms, "tiers": disks}) as offerings:
        assert available(offerings) == {"ams1-disk": 128}
        assert offerings["ams1-disk"]["status"]["storage"] == {"classes": ["network"], "names": ["ceph-vm"]}


async def test_no_more_is_shown_than_the_tier_says() -> None:
    async with previewed("ceph") as offerings:
        shown = offerings["ams1-memory"]["status"]
    assert (shown["available"], shown["limitingResource"]) == (10, "maxUnits")


async def test_with_the_reserve_for_failover_less_is_sold() -> None:
    async with previewed("failover") as offerings:
        kept = offerings["ha1-ha"]["status"]
        assert kept["limitingResource"] == "failover"
    without = {"memory": {"reserved": "24Gi"}, "storage": {"reservedPercent": 20}}
    async with previewed("failover", changes={"allocation": without}) as offerings:
        assert available(offerings)["ha1-ha"] > kept["available"]


async def test_cards_are_sold_whole_by_model_and_plain_units_keep_off_their_nodes() -> None:
    async with previewed("gpu") as offerings:
        assert available(offerings) | {"gpu1-plain": 0} == {
            "gpu1-a100": 7,
            "gpu1-a100-quad": 1,
            "gpu1-l40s": 1,
            "gpu1-plain": 0,
        }
        assert {place["name"] for place in offerings["gpu1-plain"]["status"]["nodes"]} == {"pve1"}


async def test_machines_cost_memory_that_containers_do_not() -> None:
    """The overhead of each virtual machine is in the count of both, and of new machines only."""
    async with previewed("containers") as offerings:
        sold = available(offerings)
        assert sold["lxc1-ct-small"] > 2 * sold["lxc1-vm-small"]


async def test_prices_are_what_the_comments_say() -> None:
    async with previewed("prices") as offerings:
        prices = {name: one["spec"]["price"]["monthly"] for name, one in offerings.items()}
    assert prices == {"shop1-small": "11.99", "shop1-pinned": "22.99", "shop1-special": "9.90"}


async def test_each_place_has_its_own_stock_and_price() -> None:
    async with previewed("several-clusters") as offerings:
        countries = {name: one["metadata"]["labels"]["proxmox-offerings.io/country"] for name, one in offerings.items()}
        assert countries == {"fra-small": "DE", "fra-large": "DE", "ams-small": "NL", "ams-large": "NL"}
        assert offerings["fra-small"]["spec"]["price"] != offerings["ams-small"]["spec"]["price"]
