"""The control API: what tests and people do to a cluster that runs in another process. Plain HTTP on a loopback port, with a token of its own.

POST /do/<operation> with a JSON object of its arguments -> {"result": …}; GET /state, GET /requests. An error is {"error": "one sentence"} with 400.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from pydantic import ConfigDict, ValidationError, validate_call

from proxmox_offerings.simulator.changes import NoSuchThingError
from proxmox_offerings.simulator.model import sentence
from proxmox_offerings.simulator.simulator import Simulator

OPERATIONS = (
    "start_guest", "stop_guest", "add_guest", "remove_guest", "set_guest", "begin_migration", "finish_migration",
    "kill_node", "restore_node", "reboot_node", "silence_node", "isolate_node", "set_maintenance", "set_version", "set_quorum", "advance",
    "fill_storage", "set_storage", "set_acls", "set_secret", "add_user", "add_fault", "remove_fault", "replace_certificate",
)  # fmt: skip
"""Methods of Simulator. In paths "-" is as good as "_"."""


class ControlServer:
    """Serves the control API of a simulator while the `async with` lasts. `url` and `token` are for the client."""

    def __init__(self, simulator: Simulator) -> None:
        self.token = secrets.token_urlsafe(32)
        self._simulator = simulator
        self._operations: dict[str, Callable[..., object]] = {
            name: validate_call(config=ConfigDict(strict=True))(getattr(simulator, name)) for name in OPERATIONS
        }
        application = web.Application(middlewares=[self._guard])
        application.add_routes(
            [
                web.post("/do/{operation}", self._do),
                web.get("/state", self._state),
                web.get("/requests", self._requests),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)
        self._site: web.TCPSite | None = None

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _error(401, "the control token is missing or wrong")
        response: web.StreamResponse = await handler(request)
        return response

    async def _do(self, request: web.Request) -> web.Response:
        name = request.match_info["operation"].replace("-", "_")
        operation = self._operations.get(name)
        if operation is None:
            return _error(404, f"there is no operation {name!r}; there are {', '.join(OPERATIONS)}")
        try:
            arguments = json.loads(await request.read() or b"{}")
        except ValueError:
            return _error(400, "the arguments are not JSON")
        if not isinstance(arguments, Mapping):
            return _error(400, "the arguments are not a JSON object")
        try:
            return web.json_response({"result": operation(**arguments)})
        except ValidationError as problem:
            return _error(400, sentence(problem))
        except NoSuchThingError as problem:
            return _error(400, str(problem))

    async def _state(self, _: web.Request) -> web.Response:
        return web.json_response(summary(self._simulator))

    async def _requests(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(each) for each in self._simulator.requests])


def summary(simulator: Simulator) -> dict[str, Any]:
    """What the cluster is like now, for people."""
    return {
        "name": simulator.name,
        "quorate": simulator.quorate,
        "nodes": {
            node.name: {
                "alive": node.alive,
                "maintenance": node.maintenance,
                "version": node.version.text,
                "endpoint": simulator.endpoint(node.name),
            }
            for node in simulator.nodes.values()
        },
        "storages": {
            storage.config.id: {
                node: {"total": mount.room.total, "used": mount.room.used, "active": mount.inactive_since is None}
                for node, mount in storage.mounts.items()
            }
            for storage in simulator.storages.values()
        },
        "guests": {
            str(guest.config.vmid): {
                "type": guest.config.type,
                "name": guest.config.name,
                "node": guest.config.node,
                "status": guest.config.status,
                "cpu": guest.config.cpu,
                "memory": guest.config.memory,
            }
            for guest in simulator.guests.values()
        },
    }


def _error(status: int, sentence_: str) -> web.Response:
    return web.json_response({"error": sentence_}, status=status)
