"""Who wrote for which host, and what each process claimed at that moment: written down on the way to the API server, in a proxy for each process."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from aiohttp import web

from proxmox_offerings.controller import members, ring
from proxmox_offerings.kube.objects import Ref
from support.controlplane import Cluster
from support.faultproxy import Call, FaultProxy


@dataclass(kw_only=True)
class _Claim:
    """What the Lease of a process says. `until`: when others may take it for dead, at the earliest."""

    share: ring.Share
    until: float


@dataclass(kw_only=True)
class Ledger:
    """Use as a context manager; `kubeconfig` gives each process a way of its own.

    `double` tells of each write for a host that another process had written for before, while that one lived and still claimed it. Only what the API
    server did counts: what leaves in the moment after a process made sure that it may, it refuses (docs/design/writes-carry-their-version.md).
    """

    cluster: Cluster
    namespace: str
    duration: float
    double: list[str] = field(default_factory=list)
    writes: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._held = ExitStack()
        self._lock = threading.Lock()
        self._claims: dict[str, _Claim] = {}
        self._wrote: dict[str, str] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def kubeconfig(self, writer: str, path: Path) -> Path:
        way = _Way(self.cluster, writer=writer, ledger=self)
        return self._held.enter_context(way).write_kubeconfig(path)

    def lease(self, writer: str, body: dict, arrived: float, *, acknowledged: bool) -> None:
        """What is let go is let go before it is published; what is claimed holds when that is acknowledged."""
        number = body["metadata"]["name"].rpartition("-")[2]
        if not number.isdecimal():
            return
        view = ring.read(body["metadata"].get("annotations", {}).get(members.VIEW))
        alive = bool(body["spec"]["holderIdentity"])
        share = ring.share_of(int(number), view) if view is not None and alive else ring.Share()
        with self._lock:
            before = self._claims.get(writer)
            if acknowledged:
                self._claims[writer] = _Claim(share=share, until=arrived + self.duration)
            elif before is not None:
                before.share &= share

    def write(self, writer: str, host: str, arrived: float) -> None:
        with self._lock:
            self.writes[writer] = self.writes.get(writer, 0) + 1
            before = self._wrote.get(host, writer)
            claim = self._claims.get(before)
            bucket = ring.bucket_of(Ref(self.namespace, host))
            if before == writer or claim is None or arrived >= claim.until or bucket not in claim.share:
                self._wrote[host] = writer
            else:
                self.double.append(f"{writer} writes for {host}, which is {before}'s")


@dataclass
class _Way(FaultProxy):
    """To the API server and back, for one process."""

    writer: str = field(kw_only=True)
    ledger: Ledger = field(kw_only=True)

    async def _answer(self, request: web.Request, call: Call) -> web.StreamResponse:
        what, name, *_ = [*request.path.split("/")[6:8], "", ""]
        if not call.is_write or what not in ("leases", "offerings", "proxmoxhosts"):
            return await super()._answer(request, call)
        arrived = time.monotonic()
        lease = json.loads(await request.read()) if what == "leases" else None
        if lease is not None:
            self.ledger.lease(self.writer, lease, arrived, acknowledged=False)
        answer = await super()._answer(request, call)
        if answer.status < 300 and lease is not None:
            self.ledger.lease(self.writer, lease, arrived, acknowledged=True)
        elif answer.status < 300:
            self.ledger.write(self.writer, name.removesuffix("-small"), arrived)
        return answer


@contextmanager
def editing(cluster: Cluster, namespace: str, names: list[str]) -> Iterator[None]:
    """Somebody changes the terms of all hosts in turn, again and again, so that there is always something to write for each."""
    enough = threading.Event()

    def edit() -> None:
        path = f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{namespace}/proxmoxhosts"
        number = 0
        while not enough.is_set():
            number += 1
            for name in names:
                body = {"spec": {"tiers": [{"name": "small", "cpu": 1 + number % 4, "memory": "1Gi", "disk": "10Gi"}]}}
                cluster.api("PATCH", f"{path}/{name}", body, content_type="application/merge-patch+json")
                if enough.wait(0.01):
                    return

    thread = threading.Thread(target=edit, name="editor")
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
