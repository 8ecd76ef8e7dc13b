"""A call ends, however many endpoints there are that do not answer."""

import asyncio

import httpx
import pytest

from proxmox_offerings.proxmox.errors import ConnectionFailed
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.transport import Bounds, Transport
from support.proxmox import TOKEN
from unit.controller.virtual_time import elapsed, run


class Hanging(httpx.AsyncBaseTransport):
    """Takes every call and answers none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        await asyncio.sleep(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("")


@pytest.mark.parametrize(("node", "asked"), [(None, 3), ("pve1", 2)])
def test_no_other_endpoint_is_asked_when_the_time_of_a_call_is_over(node: str | None, asked: int) -> None:
    async def main() -> None:
        wire, bounds = Hanging(), Bounds()
        transport = Transport(
            endpoints=[f"https://pve{number}.example.net:8006" for number in range(16)],
            token=TOKEN,
            tls=TLSPolicy(insecure_skip_verify=True),
            transport_factory=lambda *_: wire,
        )
        with pytest.raises(ConnectionFailed, match="did not answer"):
            await transport.get("/x", label="/x", node=node)
        assert len(wire.asked) == len(set(wire.asked)) == asked
        read, call = (
            (bounds.node_read_seconds, bounds.node_call_seconds) if node else (bounds.read_seconds, bounds.call_seconds)
        )
        assert call <= elapsed() < call + read
        await transport.aclose()

    run(main())
