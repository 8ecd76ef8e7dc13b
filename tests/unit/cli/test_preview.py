"""`preview` for eyes: at a terminal, in a pipe, for several hosts, and while things change."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import GuestConfig
from proxmox_offerings.simulator.faults import Fault
from support import quick_watch
from support.commands import called, host_file
from support.proxmox import simulated
from support.terminal import SCRIPT, SECONDS, Terminal

QUICK_WATCH = (sys.executable, Path(quick_watch.__file__))
SMALL = {
    "tiers": [
        {"name": "small", "cpu": 2, "memory": "4Gi", "disk": "50Gi"},
        {"name": "huge", "cpu": 2, "memory": "8Ti", "disk": "1Gi"},
    ]
}


async def test_terminal_has_colors_and_a_pipe_has_none(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        file.write_text(host_file(simulator))
        async with Terminal("preview", "-f", str(file)) as terminal:
            assert await terminal.end() == 0
        piped = await called("preview", "-f", str(file))
    assert "\x1b[32mInStock\x1b[0m" in terminal.seen
    assert "\x1b" not in piped.out
    assert terminal.text.split() == [
        *piped.out.split("read at")[0].split(),
        "read",
        "at",
        *terminal.text.split("read at")[1].split(),
    ]


async def test_narrow_terminal_shows_why_below_each_tier(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        file.write_text(host_file(simulator, **SMALL))
        async with Terminal("preview", "-f", str(file), columns=90) as terminal:
            assert await terminal.end() == 0
    table = terminal.text.partition("\r\n\r\n")[0]
    assert max(map(len, table.splitlines())) <= 90
    assert "\r\n    none fits: pve has too little memory for one" in table
    assert "MESSAGE" not in table


async def test_wide_shows_how_full_everything_is() -> None:
    async with simulated(presets.demo()) as simulator:
        said = await called("preview", "-f", "-", "-o", "wide", stdin=host_file(simulator))
    assert "pve1   ██░░░░░░░░  18 %  44 of 256 vCPUs   ██████░░░░  54 %  136 GiB of 254 GiB" in said.out
    assert "█████░░░░░  50 %  1 of 2" in said.out
    assert "nfs (shared) network ████░░░░░░ 40 % of 20 TiB 12 TiB" in " ".join(said.out.split())
    assert "pve1:59 pve2:61 pve3:159" in said.out


async def test_bars_are_plain_where_the_terminal_cannot_show_blocks(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        file.write_text(host_file(simulator))
        process = await asyncio.create_subprocess_exec(
            SCRIPT,
            "preview",
            "-f",
            file,
            "-o",
            "wide",
            env={"PYTHONIOENCODING": "ascii", "PATH": "/bin"},
            stdout=-1,
            stderr=-1,
        )
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"#" in out
    assert out.isascii()


async def test_several_hosts_are_one_table_and_one_that_is_down_spoils_only_itself() -> None:
    async with simulated(presets.standalone()) as one, simulated(presets.ceph3()) as other:
        file = "---\n".join(
            [
                host_file(one, name="garage"),
                host_file(other, name="ams1"),
                host_file(one, name="gone", endpoints=["https://127.0.0.1:1"]),
            ]
        )
        said = await called("preview", "-f", "-", stdin=file)
        chosen = await called("preview", "-f", "-", "ams1", "-o", "json", stdin=file)
        nobody = await called("preview", "-f", "-", "ams2", stdin=file)
    assert said.code == 1
    assert said.err.startswith("gone: ConnectionFailed: ")
    assert said.out.count("NAME ") == 1
    groups, summaries = said.out.split("\n\n")[:2], said.out.split("\n\n")[2]
    assert [group.split("\n")[-1].split("-")[0] for group in groups] == ["garage", "ams1"]
    assert [line.split(":")[0] for line in summaries.strip().split("\n")] == ["garage", "ams1"]
    assert (chosen.code, {one["spec"]["hostRef"]["name"] for one in chosen.json}) == (0, {"ams1"})
    assert (nobody.code, "there: garage, ams1, gone" in nobody.err) == (2, True)


async def test_whoever_waits_is_told_for_what_and_nothing_of_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        simulator.add_fault(Fault(path="/nodes/*/disks/list", delay=4))
        file.write_text(host_file(simulator))
        async with Terminal("preview", "-f", str(file)) as terminal:
            await terminal.expect("is Proxmox VE 9.1.1 (")
            assert await terminal.end() == 0
        piped = await called("preview", "-f", str(file), "-o", "json")
    assert terminal.seen.split("\x1b[K")[-1].startswith("\x1b[1mNAME")
    assert (piped.code, piped.err, isinstance(piped.json, list)) == (0, "", True)


async def test_watching_at_a_terminal_redraws_what_changed_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        file.write_text(host_file(simulator, **SMALL))
        async with Terminal(str(file), "table", program=QUICK_WATCH) as terminal:
            first = await terminal.expect("Ctrl-C ends")
            assert "garage" not in first
            calls = len(simulator.requests)
            simulator.add_guest(GuestConfig.model_validate({"vmid": 900, "node": "pve", "cpu": 2, "memory": "96Gi"}))
            second = await terminal.expect("Ctrl-C ends")
            paths = [request.path for request in list(simulator.requests)[calls:]]
            terminal.resize(columns=100, lines=6)
            await terminal.expect("more lines: a larger window shows them")
            terminal.interrupt()
            assert await terminal.end() == 130
    assert first != second
    assert set(paths) == {"/cluster/ha/status/manager_status", "/cluster/resources", "/cluster/status"}
    assert "Traceback" not in terminal.seen
    assert terminal.seen.count("\x1b[2J") == 2  # at the beginning, and when the window became another one


@pytest.mark.parametrize("form", ["table", "json"])
async def test_watching_in_a_pipe_gives_a_line_for_what_changed_and_nothing_else(form: str, tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        file.write_text(host_file(simulator, **SMALL))
        process = await asyncio.create_subprocess_exec(
            *QUICK_WATCH,
            file,
            form,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS):
            before = [await process.stdout.readline() for _ in range(3 if form == "table" else 2)]
            simulator.add_guest(GuestConfig.model_validate({"vmid": 900, "node": "pve", "cpu": 2, "memory": "96Gi"}))
            changed = await process.stdout.readline()
        process.terminate()
        rest, err = await process.communicate()
    assert (rest, err) == (b"", b"")
    if form == "json":
        told = [json.loads(line) for line in (*before, changed)]
        assert [one["spec"]["tier"] for one in told] == ["small", "huge", "small"]
        assert told[0]["status"]["available"] > told[2]["status"]["available"]
    else:
        assert [line.split()[1] for line in (*before, changed)] == [b"NAME", b"fra1-small", b"fra1-huge", b"fra1-small"]


async def test_reader_of_a_watch_that_went_away_leaves_no_complaint(tmp_path: Path) -> None:
    """What is raised among tasks comes in a group; it is still a broken pipe."""
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        file.write_text(host_file(simulator, **SMALL))
        process = await asyncio.create_subprocess_exec(*QUICK_WATCH, file, "json", stdout=-1, stderr=-1)
        assert process.stdout is not None
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # as head does
        simulator.add_guest(GuestConfig.model_validate({"vmid": 900, "node": "pve", "cpu": 2, "memory": "96Gi"}))
        assert process.stderr is not None
        async with asyncio.timeout(SECONDS):
            assert (await process.wait(), await process.stderr.read()) == (141, b"")
