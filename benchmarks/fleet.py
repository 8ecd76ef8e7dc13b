"""Many clusters that answer with recorded bytes, in one cheap process of their own: who measures an operator must not measure a simulator.

`python -m benchmarks.fleet DIRECTORY --clusters 500 --nodes 3 --guests 100` serves until it is ended, each cluster at an address of its own in
127.0.0.0/8. All are copies of one simulated cluster, whose answers are recorded at the start; only /cluster/resources is made anew for each call:
load, uptime and counters move, as they always do, and guests change as `Changes` says from the moment that is written to DIRECTORY/began. When
each of these calls came is written to DIRECTORY/polls.
The same arguments give the same clusters.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import math
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.answers import Unserved, asked_of
from proxmox_offerings.proxmox.decoding import RESOURCES
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.certificates import Leaf
from proxmox_offerings.simulator.statefiles import write_private

PREFIX: Final = "/api2/json"
FIRST: Final = ipaddress.IPv4Address("127.1.0.1")
STATE: Final = "fleet.json"
BEGAN: Final = "began"
POLLS: Final = "polls"
IDLE_SECONDS: Final = 5.0
"""The server closes connections that are idle for so long (proxmox-api.md 2.9)."""
COMPRESS_FROM: Final = 1024
NEW_GUEST: Final = {"cpu": 1, "memory": 2 * 2**30}
"""What a guest that is created is configured with: one unit of the smallest tier, so that each creation takes one unit of it."""
FIRST_NEW_VMID: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Which guests of a cluster change when: `percent` of them each minute, spread evenly. Every other change is a creation, the rest are switched
    on or off.
    """

    clusters: int
    guests: int
    percent: float

    @property
    def seconds_between(self) -> float:
        """Between two changes of one cluster."""
        return 60 / (self.guests * self.percent / 100)

    def at(self, cluster: int, number: int) -> float:
        """Seconds after the beginning until change `number` of a cluster, from 0."""
        return (cluster / self.clusters + number) * self.seconds_between

    def count(self, cluster: int, seconds: float) -> int:
        """How many changes of a cluster there were by then."""
        return max(0, math.floor(seconds / self.seconds_between - cluster / self.clusters) + 1)

    @staticmethod
    def creates(cluster: int, number: int) -> bool:
        """Whether a change is a creation."""
        return (cluster + number) % 2 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How to reach a fleet that runs."""

    port: int
    fingerprint: str
    token_id: str
    token_secret: str

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Raises FileNotFoundError while it does not run yet."""
        return cls(**json.loads((directory / STATE).read_text(encoding="utf-8")))

    def endpoint(self, cluster: int) -> str:
        """Where the cluster of that number answers."""
        return f"https://{address_of(cluster)}:{self.port}"


def polls_of(directory: Path) -> list[float]:
    """When the clusters of a fleet were asked for their guests, on the monotonic clock."""
    return [float(line) for line in (directory / POLLS).read_text(encoding="ascii").splitlines()]


def address_of(cluster: int) -> str:
    """FIRST and those that follow."""
    return str(FIRST + cluster)


class Recorded:
    """The answers of one simulated cluster, and its guests' rows as text between what moves."""

    def __init__(self, bodies: Mapping[str, bytes], *, changes: Changes) -> None:
        self._changes = changes
        self._bodies = {asked: (body, _gzip(body)) for asked, body in bodies.items()}
        rows = json.loads(bodies[RESOURCES])["data"]
        self.nodes = sorted(row["node"] for row in rows if row["type"] == "node")
        self._others = [json.dumps(row) for row in rows if "vmid" not in row]
        self._guests = [row for row in sorted(rows, key=lambda row: row.get("vmid", 0)) if "vmid" in row]
        self._texts: dict[tuple[int, bool], tuple[str, ...]] = {}

    def body(self, asked: str, *, cluster: int, seconds: float | None, zipped: bool) -> tuple[bytes, bool]:
        """The bytes of an answer, and whether they are compressed. Whatever is asked about a guest is answered alike for all."""
        if asked == RESOURCES:
            body = self._resources(cluster, seconds)
            return (_gzip(body), True) if zipped else (body, False)
        plain, packed = self._bodies.get(asked) or (_ANY, _ANY)
        return (packed, True) if zipped and len(plain) > COMPRESS_FROM else (plain, False)

    def _resources(self, cluster: int, seconds: float | None) -> bytes:
        now = int(time.monotonic())
        return f'{{"data":[{",".join(self._rows(cluster, seconds, now))}]}}'.encode()

    def _rows(self, cluster: int, seconds: float | None, now: int) -> Iterator[str]:
        yield from self._others
        count = 0 if seconds is None else self._changes.count(cluster, seconds)
        switched = {
            number * 7 % len(self._guests) for number in range(count) if not self._changes.creates(cluster, number)
        }
        for index in range(len(self._guests)):
            before, between, after = self._text(index, switched=index in switched)
            yield f"{before}{now + index}{between}{now % 97 / 1000}{after}"
        for number in range(count):
            if self._changes.creates(cluster, number):
                yield json.dumps(self._new(number, now))

    def _text(self, index: int, *, switched: bool) -> tuple[str, ...]:
        if (index, switched) not in self._texts:
            row = {**self._guests[index], "uptime": "@", "cpu": "@"}
            if switched:
                row["status"] = "stopped" if row["status"] == "running" else "running"
            self._texts[index, switched] = tuple(json.dumps(row).split('"@"'))
        return self._texts[index, switched]

    def _new(self, number: int, now: int) -> dict[str, Any]:
        vmid = FIRST_NEW_VMID + number
        return {
            "type": "qemu",
            "id": f"qemu/{vmid}",
            "vmid": vmid,
            "node": self.nodes[number % len(self.nodes)],
            "name": f"vm-{vmid}",
            "status": "running",
            "template": 0,
            "uptime": now,
            "cpu": 0.01,
            "maxcpu": NEW_GUEST["cpu"],
            "maxmem": NEW_GUEST["memory"],
            "mem": 2**30,
            "maxdisk": 25 * 2**30,
        }


_ANY: Final = b'{"data":{"cores":1,"memory":"2048","status":"running","scsi0":"ceph:vm-1-disk-0,size=25G"}}'


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as a client that only reads needs it: GET, one after another, kept alive."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        there = ipaddress.IPv4Address(transport.get_extra_info("sockname")[0])
        if not there.is_loopback:  # the socket listens on all addresses, because no socket listens on a range
            transport.abort()
        self._cluster = int(there) - int(FIRST)
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, transport.close)

    def connection_lost(self, _: Exception | None) -> None:
        self._idle.cancel()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, _, self._unread = self._unread.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        line, _, rest = head.partition(b"\r\n")
        target = urlsplit(line.split(b" ")[1].decode())
        asked = asked_of(target.path.removeprefix(PREFIX), dict(parse_qsl(target.query)))
        body, packed = self._server.answer(asked, cluster=self._cluster, zipped=b"gzip" in rest.lower())
        encoding = "Content-Encoding: gzip\r\n" if packed else ""
        self._transport.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nServer: pve-api-daemon/3.0\r\n{encoding}"
            f"Content-Length: {len(body)}\r\nConnection: Keep-Alive\r\n\r\n".encode()
            + body
        )
        self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._transport.close)


class Server:
    """All clusters on one port. `compress`: as pveproxy does where it is asked to."""

    def __init__(self, recorded: Recorded, directory: Path, *, compress: bool) -> None:
        self._recorded = recorded
        self._began_file = directory / BEGAN
        self._began: float | None = None
        self._compress = compress
        directory.mkdir(parents=True, exist_ok=True)
        self._polls = (directory / POLLS).open("a", encoding="ascii", buffering=1)

    def answer(self, asked: str, *, cluster: int, zipped: bool) -> tuple[bytes, bool]:
        """The bytes of an answer, and whether they are compressed."""
        if self._began is None:
            with contextlib.suppress(OSError, ValueError):
                self._began = float(self._began_file.read_text(encoding="ascii"))
        now = time.monotonic()
        if asked == RESOURCES:
            self._polls.write(f"{now}\n")
        seconds = None if self._began is None else now - self._began
        zipped = zipped and self._compress
        return self._recorded.body(asked, cluster=cluster, seconds=seconds, zipped=zipped)


async def recorded(*, nodes: int, guests: int, changes: Changes) -> Recorded:
    """All that the operator asks a simulated cluster of that size."""
    cluster = Unserved(presets.mixed(nodes=nodes, guests=guests))
    await cluster.ask_everything()
    return Recorded(cluster.told, changes=changes)


def certificate() -> Leaf:
    """One for all clusters, to be pinned: an address of its own for each would make it as large as no node's is."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fleet")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    return Leaf(certificate=dated.sign(key, hashes.SHA256()), key=key)


async def serve(directory: Path, *, clusters: int, nodes: int, guests: int, percent: float, compress: bool) -> None:
    """Serve until cancelled."""
    changes = Changes(clusters=clusters, guests=guests, percent=percent)
    server = Server(await recorded(nodes=nodes, guests=guests, changes=changes), directory, compress=compress)
    leaf, context = certificate(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.into(context)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("", 0))
    listening = await asyncio.get_running_loop().create_server(
        lambda: Connection(server), sock=bound, ssl=context, backlog=1000
    )
    told = Fleet(
        port=bound.getsockname()[1],
        fingerprint=leaf.fingerprint,
        token_id="bench@pve!reader",
        token_secret="11111111-2222-3333-4444-555555555555",
    )
    write_private(directory / STATE, json.dumps(asdict(told)))
    async with listening:
        await asyncio.Event().wait()


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    return packer.compress(body) + packer.flush()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    for name in ("clusters", "nodes", "guests"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--percent", type=float, default=2)
    parser.add_argument("--plain", action="store_true", help="never compress")
    options = parser.parse_args()
    sizes = {name: getattr(options, name) for name in ("clusters", "nodes", "guests", "percent")}
    asyncio.run(serve(options.directory, **sizes, compress=not options.plain))


if __name__ == "__main__":
    main()
