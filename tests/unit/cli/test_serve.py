"""`preview --serve`: the page of a manifest, for the browser of this machine alone."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
from click.testing import CliRunner

from proxmox_offerings.cli.following import Followed
from proxmox_offerings.cli.main import cli
from proxmox_offerings.cli.manifests import Credentials, HostManifest
from proxmox_offerings.cli.reading import counted_of, preview_of
from proxmox_offerings.cli.serve import Previewed
from proxmox_offerings.resources import ProxmoxHost
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.simulator import Simulator
from proxmox_offerings.web.offers import Reader
from support.cluster import cluster, guest, node
from support.commands import host_file


@asynccontextmanager
async def serving(file: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The command as people run it, and the URL that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxmox_offerings", "preview", "-f", "-", "--serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(file.encode())
        process.stdin.close()
        url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_page_shows_what_would_be_published() -> None:
    """With what is for the seller's own people, and therefore only under a name of this machine."""
    async with Simulator(presets.standalone(), behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
        file = host_file(simulated, name="garage")
        async with serving(file) as (process, url), aiohttp.ClientSession() as web:
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
            async with web.get(url) as response:
                page = await response.text()
            assert response.status == 200
            assert 'id="offer.default.garage-' in page
            async with web.get(f"{url}hosts/default/garage") as response:
                host = await response.text()
            assert "committed" in host
            for secret in (simulated.token_secret, simulated.token_id, simulated.endpoints[0]):
                assert secret not in page + host
            async with web.get(url, headers={"Host": "evil.example"}) as response:
                assert response.status == 421
            process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(process.wait(), 20) != 0
            assert process.stderr is not None
            told = (await process.stderr.read()).decode()
            assert "Traceback" not in told


@pytest.mark.parametrize("option", [["-o", "json"], ["--watch"], ["--explain"], ["--mix", "small=1"]])
def test_what_the_page_shows_anyway_is_refused(option: list[str]) -> None:
    result = CliRunner().invoke(cli, ["preview", "-f", "-", "--serve", *option], input="")
    assert result.exit_code == 2
    assert "--serve" in result.stderr


def followed() -> Followed:
    spec = {"endpoints": ["https://pve1.example.net:8006"], "credentialsSecretRef": {"name": "token"}}
    tier = {"name": "small", "cpu": 1, "memory": "1Gi", "disk": "1Gi"}
    host = ProxmoxHost.parse(
        {
            "apiVersion": "proxmox-offerings.io/v1alpha1",
            "kind": "ProxmoxHost",
            "metadata": {"name": "fra1"},
            "spec": {**spec, "tiers": [tier]},
        }
    )
    return Followed.of(HostManifest(host=host, credentials=Credentials(token_id="a@pve!b", token_secret="c")))


def test_each_reading_is_another_version_and_a_failure_keeps_what_was_said() -> None:
    host = followed()
    source = Previewed([host])
    assert source.revision() is None, "an empty page before anything was read would be a false one"
    reader, numbers = Reader(), []
    for guests in ([], [guest(100, "pve1", cpu=4)]):
        seen = cluster(nodes=[node("pve1", threads=8)], guests=guests).snapshot()
        host.preview = preview_of(counted_of(host.manifest, seen))
        source.changed()
        catalogue = reader.read(source.contents())
        numbers.append(catalogue.offers[0].status.available)
    assert numbers[0] != numbers[1]
    assert None not in numbers
    host.preview = replace(host.preview, problem="ConnectionFailed: no endpoint answered")
    source.changed()
    catalogue = reader.read(source.contents())
    assert catalogue.offers[0].status.available == numbers[1]
    (ready,) = catalogue.hosts[0].status.conditions
    assert (ready.reason, ready.message) == ("ConnectionFailed", "no endpoint answered")
