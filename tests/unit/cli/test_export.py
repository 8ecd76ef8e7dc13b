"""`export` from a file: what a marketplace takes over, files that are whole at any moment, and exit codes for scripts."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from proxmox_offerings.cli import export as command
from proxmox_offerings.cli.files import replace_file
from proxmox_offerings.cli.main import cli
from proxmox_offerings.cli.manifests import UnreadableInput
from proxmox_offerings.exports import FORMATS
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.presets import preset
from proxmox_offerings.simulator.simulator import Simulator
from support.commands import host_file
from support.importer import Marketplace

TIERS = [
    {"name": "small", "displayName": "Small", "cpu": 2, "memory": "4Gi", "disk": "50Gi"},
    {"name": "huge", "displayName": "Huge", "cpu": 2, "memory": "100Ti", "disk": "50Gi"},
]
PRICING = {
    "currency": "EUR",
    "perVCPU": {"shared": "1.50"},
    "perGiBMemory": "0.80",
    "perGiBDisk": [{"price": "0.05"}],
    "rounding": {"step": "1", "ending": "0.99"},
}


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["export", *arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
async def simulated() -> AsyncIterator[Simulator]:
    async with Simulator(preset("demo"), behaviour=Behaviour(refusal_delay=0, seed=1)) as one:
        yield one


def selling(simulated: Simulator, name: str = "fra1", **spec: Any) -> str:
    """A manifest with two tiers, of which one fits."""
    sold = {"location": {"country": "DE", "city": "Frankfurt"}, "tiers": TIERS, "pricing": PRICING} | spec
    return host_file(simulated, name=name, namespace="shop", **sold)


async def exported(text: str, *arguments: str) -> tuple[int, str, str]:
    return await asyncio.to_thread(run, "-f", "-", *arguments, stdin=text)


def test_formats_are_those_of_the_exports() -> None:
    assert FORMATS.keys() == set(command.FORMS)


async def test_marketplace_takes_it_over(simulated: Simulator) -> None:
    code, out, err = await exported(selling(simulated), "-o", "csv", "--template-columns", "--set", "agent_pool_id=eu")
    assert (code, err) == (0, "")
    market = Marketplace()
    assert market.upsert(out.encode()) == 2
    small, huge = market.offerings["shop.fra1-small"], market.offerings["shop.fra1-huge"]
    # 2 x 1.50 + 4 x 0.80 + 50 x 0.05 = 8.70
    assert (small["monthly_price"], small["currency"], small["stock_status"]) == (8.99, "EUR", "in_stock")
    assert (small["memory_amount"], small["agent_pool_id"], small["datacenter_city"]) == ("4 GB", "eu", "Frankfurt")
    assert small["processor_brand"]
    assert small["operating_systems"]
    assert small["template_name"]
    assert huge["stock_status"] == "out_of_stock"


async def test_catalogue_is_the_default(simulated: Simulator) -> None:
    code, out, _ = await exported(selling(simulated))
    made = json.loads(out)
    assert code == 0
    assert [(one["id"], one["forSale"]) for one in made["offerings"]] == [
        ("shop.fra1-huge", False),
        ("shop.fra1-small", True),
    ]
    code, out, _ = await exported(selling(simulated), "-o", "decent-cloud-json", "--provider-name", "Example")
    assert json.loads(out)["provider"] == {"name": "Example"}


async def test_preview_says_which_tiers_have_no_price(simulated: Simulator) -> None:
    own = TIERS[0] | {"price": {"currency": "EUR", "monthly": "5.00"}}
    tiers = [own, TIERS[0] | {"name": "pinned", "dedicatedCPU": True}]
    text = selling(simulated, tiers=tiers)
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["preview", "-f", "-", "--explain"], input=text)
    assert "; no price for pinned: --explain says why" in result.stdout
    assert "none: spec.pricing.perVCPU.dedicated is missing" in result.stdout
    assert "5.00 EUR a month, the tier's own" in result.stdout
    whole = await asyncio.to_thread(CliRunner().invoke, cli, ["preview", "-f", "-"], input=selling(simulated))
    assert "no price" not in whole.stdout


async def test_hosts_and_countries_select(simulated: Simulator) -> None:
    both = selling(simulated) + "\n---\n" + selling(simulated, "ams1", location={"country": "NL"})

    async def hosts(*arguments: str) -> set[str]:
        code, out, _ = await exported(both, *arguments)
        assert code == 0
        return {one["host"] for one in json.loads(out)["offerings"]}

    assert await hosts() == {"fra1", "ams1"}
    assert await hosts("ams1") == {"ams1"}
    assert await hosts("--country", "DE") == {"fra1"}
    assert await hosts("--country", "DE", "--country", "NL") == {"fra1", "ams1"}


async def test_of_a_cluster_that_cannot_be_read_nothing_is_for_sale(simulated: Simulator) -> None:
    """Its tiers stay in the export: what was in stock on the market a minute ago must not stay so."""
    text = selling(simulated).replace(simulated.token_secret, "11111111-1111-1111-1111-111111111111")
    code, out, err = await exported(text, "-o", "csv")
    assert code == 1
    assert "fra1: " in err
    market = Marketplace()
    assert market.upsert(out.encode()) == 2
    assert {one["stock_status"] for one in market.offerings.values()} == {"out_of_stock"}


async def test_what_cannot_be_listed_is_named(simulated: Simulator) -> None:
    code, out, err = await exported(selling(simulated, pricing=None), "-o", "csv")
    assert code == 1
    assert len(out.splitlines()) == 1
    assert "shop.fra1-small is left out: it has no price" in err
    own = [TIERS[0] | {"price": {"currency": "EUR", "monthly": "5.00"}}, TIERS[1]]
    code, out, err = await exported(selling(simulated, pricing=None, tiers=own), "-o", "csv")
    assert code == 0
    assert "shop.fra1-huge is left out" in err
    assert len(out.splitlines()) == 2


async def test_file_is_written_at_once_and_only_when_something_changed(simulated: Simulator, tmp_path: Path) -> None:
    target = tmp_path / "offers.csv"
    code, out, err = await exported(selling(simulated), "-o", "csv", "--output-file", str(target))
    assert (code, out, err) == (0, "", "")
    first = target.stat()
    assert b"in_stock" in target.read_bytes()
    await exported(selling(simulated), "-o", "csv", "--output-file", str(target))
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert list(tmp_path.iterdir()) == [target]


async def test_tier_that_is_gone_is_withdrawn(simulated: Simulator, tmp_path: Path) -> None:
    target = tmp_path / "offers.csv"
    arguments = ("-o", "csv", "--output-file", str(target), "--withdraw-missing")
    assert await exported(selling(simulated), *arguments) == (0, "", "")
    assert await exported(selling(simulated, tiers=TIERS[1:]), *arguments) == (0, "", "")
    market = Marketplace()
    assert market.upsert(target.read_bytes()) == 2
    assert {one["stock_status"] for one in market.offerings.values()} == {"out_of_stock"}
    target.write_text("something else")
    code, _, err = await exported(selling(simulated), *arguments)
    assert code == 2
    assert "it is no CSV that was exported before" in err
    assert target.read_text() == "something else"


class TestFiles:
    def test_whoever_has_it_open_keeps_the_old_one_whole(self, tmp_path: Path) -> None:
        target = tmp_path / "x"
        assert replace_file(str(target), b"old")
        target.chmod(0o640)
        with target.open("rb") as reader:
            assert replace_file(str(target), b"new")
            assert reader.read() == b"old"
        assert target.read_bytes() == b"new"
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        assert not replace_file(str(target), b"new")

    def test_links_are_followed(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        link = tmp_path / "link"
        link.symlink_to("data/x")
        replace_file(str(link), b"new")
        assert link.is_symlink()
        assert (tmp_path / "data/x").read_bytes() == b"new"

    def test_device_is_written_to(self) -> None:
        assert replace_file("/dev/null", b"new")

    @pytest.mark.parametrize("name", ["no/such/directory/x", ".", "a\0b"])
    def test_what_cannot_be_written_is_told_in_a_sentence(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(UnreadableInput, match="could not be written: "):
            replace_file(str(tmp_path / name), b"new")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give -f FILE"),
        (["-f", "-", "--kube"], "either -f or --kube"),
        (["-f", "-", "-l", "a=b"], "-l goes with --kube"),
        (["-f", "-", "--template-columns"], "--template-columns goes with -o csv"),
        (["-f", "-", "-o", "csv", "--withdraw-missing"], "goes with -o csv and --output-file"),
        (["-f", "-", "--set", "traffic=1"], "--set goes with -o csv"),
        (["-f", "-", "-o", "csv", "--set", "traffic"], "must be COLUMN=VALUE"),
        (["-f", "-", "-o", "csv", "--set", "traffic=much"], "traffic must be a whole number"),
        (["-f", "-", "-o", "csv", "--set", "stock_status=in_stock"], "stock_status is none that can be set"),
        (["-f", "-", "-o", "xml"], "'xml' is not one of"),
    ],
)
def test_mistakes_are_answered_before_anything_is_read(arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
