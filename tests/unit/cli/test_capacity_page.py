"""The worked examples of docs/explanation/capacity.md: what the page shows is what the command prints."""

import asyncio
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from click.testing import CliRunner

from proxmox_offerings.cli.main import cli
from proxmox_offerings.simulator.config import parse
from proxmox_offerings.simulator.simulator import Simulator
from proxmox_offerings.simulator.statefiles import manifest

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
        host = manifest(
            name="lab",
            namespace=None,
            endpoints=simulated.endpoints,
            ca_pem=simulated.ca_pem,
            token_id=simulated.token_id,
            token_secret=simulated.token_secret,
        )
        documents = list(yaml.safe_load_all(host))
        for one in documents:
            if one["kind"] == "ProxmoxHost":
                one["spec"] |= terms
        arguments = ["preview", "-f", "-", "--explain"]
        result = await asyncio.to_thread(CliRunner().invoke, cli, arguments, input=yaml.safe_dump_all(documents))
    assert result.exit_code == 0, result.stderr
    return result.stdout
