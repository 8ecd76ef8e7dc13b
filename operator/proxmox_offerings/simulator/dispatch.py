"""From a call to its answer, as pveproxy does it: who is it, is there such a path, may they, where does it run. No HTTP library here."""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from proxmox_offerings.simulator.answers import cluster as cluster_answers
from proxmox_offerings.simulator.answers import disks, guests, ha, hardware, nodes, resources, storages
from proxmox_offerings.simulator.cluster import Cluster, Node
from proxmox_offerings.simulator.endpoints import Call, HangingError, Table
from proxmox_offerings.simulator.refusals import ProxyFailure, missing, not_implemented
from proxmox_offerings.simulator.serialise import envelope

LIVENESS = "/access/ticket"
"""The one path that needs no login: {"data":null}."""


class NotAuthenticated(Exception):
    """A 401. The text is the reason phrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as far as answers depend on it. `path` without "/api2/json"."""

    method: str
    path: str
    query: Mapping[str, str]
    authorization: str | None


class Dispatcher:
    """Answers the requests of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._table = Table(
            (
                *resources.endpoints(cluster),
                *cluster_answers.ENDPOINTS,
                *ha.ENDPOINTS,
                *nodes.ENDPOINTS,
                *storages.ENDPOINTS,
                *guests.ENDPOINTS,
                *hardware.ENDPOINTS,
                *disks.ENDPOINTS,
            )
        )

    async def answer(self, request: Request, entry: Node) -> bytes:
        """The JSON body of a 200. Raises NotAuthenticated, Refusal or ProxyFailure."""
        if request.path == LIVENESS and request.method == "GET":
            return b'{"data":null}'
        token = self._authenticate(request, entry)
        found = self._table.find(request.path) if request.method == "GET" else None
        if found is None or not entry.version >= found[0].since:
            raise not_implemented(request.method, request.path)
        endpoint, names = found
        access = self._cluster.access(token, entry.version)
        call = Call(
            cluster=self._cluster, entry=entry, node=entry, access=access, token=token, path=names, query=request.query
        )
        if endpoint.check is not None:
            endpoint.check(call)  # on the entry node, so before it is known whether the other one lives
        if endpoint.proxied:
            call = await self._proxied(call, names["node"])
        endpoint.verify(call)
        try:
            return envelope(endpoint.answer(call), self._cluster)
        except HangingError:
            await asyncio.sleep(self._cluster.behaviour.proxy_timeout)
            raise ProxyFailure(596, "Connection timed out") from None

    async def _proxied(self, call: Call, name: str) -> Call:
        """The same call where it runs."""
        node = self._cluster.nodes.get(name)
        if node is None:
            raise missing(
                f"hostname lookup '{name}' failed - failed to get address info for: {name}: Name or service not known"
            )
        if not self._cluster.sees(call.entry, node):
            await asyncio.sleep(self._cluster.behaviour.unreachable_delay)
            raise ProxyFailure(595, "No route to host")
        access = self._cluster.access(call.token, node.version)
        return Call(
            cluster=call.cluster,
            entry=call.entry,
            node=node,
            access=access,
            token=call.token,
            path=call.path,
            query=call.query,
        )

    def _authenticate(self, request: Request, entry: Node) -> str:
        """The token's id. "PVEAPIToken=ID=SECRET", or a blank after PVEAPIToken; the value is URL-encoded or not."""
        given = request.authorization or ""
        if not given.startswith(("PVEAPIToken=", "PVEAPIToken ")):
            raise NotAuthenticated("No ticket")
        token, _, secret = unquote(given[len("PVEAPIToken=") :]).partition("=")
        if token not in self._cluster.users:
            user, _, name = token.partition("!")
            reason = f"no such token '{name}' for user '{user}'"
        elif not hmac.compare_digest(self._cluster.secret(token).encode(), secret.encode()):
            reason = "invalid token value!"
        else:
            return token
        raise NotAuthenticated("Authentication failed!" if entry.version.hides_why_refused else reason)
