"""Simulated clusters in one process of their own, so that their work is not counted as ours.

`python -m benchmarks.clusters DIRECTORY --nodes 8 --guests 500 --count 5` runs five of them until it is ended. Each leaves its simulator.json in a
folder of its own below DIRECTORY, as `proxmox-offerings simulate` does. The same arguments give the same clusters.
"""

import argparse
import asyncio
import contextlib
import os
from pathlib import Path

from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.control_api import ControlServer
from proxmox_offerings.simulator.simulator import Simulator
from proxmox_offerings.simulator.statefiles import AUTHORITY, State


def folder(directory: Path, number: int) -> Path:
    """Where cluster `number`, counted from 0, leaves its files."""
    return directory / f"cluster-{number}"


async def serve(directory: Path, *, nodes: int, guests: int, count: int) -> None:
    """Run them until cancelled."""
    async with contextlib.AsyncExitStack() as running:
        for number in range(count):
            simulator = await running.enter_async_context(
                Simulator(presets.mixed(nodes=nodes, guests=guests, seed=number))
            )
            control = await running.enter_async_context(ControlServer(simulator))
            place = folder(directory, number)
            place.mkdir(parents=True)
            (place / AUTHORITY).write_text(simulator.ca_pem, encoding="utf-8")
            State(
                pid=os.getpid(),
                endpoints=simulator.endpoints,
                ca_file=str(place / AUTHORITY),
                token_id=simulator.token_id,
                token_secret=simulator.token_secret,
                control_url=control.url,
                control_token=control.token,
            ).write(place)
        await asyncio.Event().wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clusters", description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    for name in ("nodes", "guests", "count"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.directory, nodes=options.nodes, guests=options.guests, count=options.count))


if __name__ == "__main__":
    main()
