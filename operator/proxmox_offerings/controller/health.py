"""What Kubernetes and Prometheus ask the process: /healthz (the event loop answers), /readyz (all objects are known, and heard of), /metrics."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import web

from proxmox_offerings.controller.metrics import Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SLICE_SECONDS: Final = 0.01
"""For so long metrics are written without anything else happening in the process."""


class HealthServer:
    """Serves until stopped. `port` is the real one after `start`; `not_ready` says why the operator is not ready, None if it is."""

    def __init__(self, *, address: str, port: int, not_ready: Callable[[], str | None], metrics: Metrics) -> None:
        self.port = port
        self._address = address
        self._not_ready = not_ready
        self._metrics = metrics
        application = web.Application()
        application.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._read_metrics),
            ]
        )
        # Nobody waits at the end for connections that a scraper keeps open.
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if why := self._not_ready():
            return web.Response(status=503, text=f"{why}\n")
        return web.Response(text="ok\n")

    async def _read_metrics(self, _: web.Request) -> web.Response:
        body = await in_slices(self._metrics.pieces())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


async def in_slices(pieces: Iterable[bytes], *, seconds: float = SLICE_SECONDS) -> bytes:
    """All pieces together. What else there is to do is done between some of them."""
    taken = []
    until = time.monotonic() + seconds
    for piece in pieces:
        taken.append(piece)
        if time.monotonic() >= until:
            await asyncio.sleep(0)
            until = time.monotonic() + seconds
    return b"".join(taken)
