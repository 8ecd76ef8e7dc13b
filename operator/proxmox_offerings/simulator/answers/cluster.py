"""What any node answers from memory: version, rights, members, mappings, pools."""

import re

from proxmox_offerings.simulator.endpoints import Call, Endpoint, Parameter, Rows, needs
from proxmox_offerings.simulator.privileges import Access
from proxmox_offerings.simulator.refusals import ProxyFailure, Refusal, forbidden, missing, wrong_parameter


def version(call: Call) -> object:
    """GET /version, and of the node named in the path GET /nodes/{node}/version."""
    return {"version": call.version.text, "release": call.version.release, "repoid": call.version.repoid}


def permissions(call: Call) -> object:
    """Fixed paths and every path with a rule; a token may ask about itself and its user."""
    path = call.query.get("path")
    if path is not None and not re.fullmatch(r"/|(/[^/]+)+", path):
        raise wrong_parameter("path", f"invalid path '{path}'")
    asked = call.query.get("userid", call.token)
    if asked == call.token:
        return call.access.listing(path)
    users = [
        user for user in call.cluster.users.values() if user.token == asked or user.token.partition("!")[0] == asked
    ]
    if asked != call.token.partition("!")[0] and not call.access.allows("/access", "Sys.Audit"):
        raise forbidden("/access", "Sys.Audit")
    if not users:
        raise Refusal(500, f"no such user ('{asked}')")
    whole = users[0] if users[0].token == asked else users[0].model_copy(update={"privsep": False})
    return Access(
        whole, [rule.path for user in call.cluster.users.values() for rule in user.acls], call.version
    ).listing(path)


def status(call: Call) -> object:
    """A cluster row only where there is a cluster; a standalone node has nodeid 0."""
    cluster = call.cluster
    rows = Rows()
    if cluster.name is not None:
        rows.append(
            {
                "type": "cluster",
                "id": "cluster",
                "name": cluster.name,
                "nodes": len(cluster.nodes),
                "version": len(cluster.nodes),
                "quorate": int(cluster.has_quorum(call.entry)),
            }
        )
    for number, node in enumerate(cluster.nodes.values(), start=1):
        rows.append(
            {
                "type": "node",
                "id": f"node/{node.name}",
                "name": node.name,
                "nodeid": number if cluster.name is not None else 0,
                "ip": f"192.0.2.{number % 256}",
                "local": int(node is call.entry),
                "online": int(cluster.sees(call.entry, node)),
                "level": "",
            }
        )
    return rows


def mappings(call: Call) -> object:
    """With check-node the named node is asked; without, nothing leaves the entry node."""
    checked = call.query.get("check-node")
    if checked is not None:
        if checked not in call.cluster.nodes:
            raise missing(
                f"hostname lookup '{checked}' failed - failed to get address info for: {checked}: Name or service not known"
            )
        if not call.cluster.nodes[checked].alive:
            raise ProxyFailure(595, "No route to host")
    rows = Rows()
    for mapping in call.cluster.mappings:
        if not call.access.allows(f"/mapping/pci/{mapping.id}", "Mapping.Audit", "Mapping.Use", "Mapping.Modify"):
            continue
        entries = []
        for entry in mapping.entries:
            subsystem = f",subsystem-id={entry.subsystem_id}" if entry.subsystem_id else ""
            entries.append(
                f"id={entry.id},iommugroup={entry.iommugroup},node={entry.node},path={entry.path}{subsystem}"
            )
        row: dict[str, object] = {"id": mapping.id, "type": "pci", "digest": "0" * 40, "map": entries}
        rows.append(row | ({} if checked is None else {"checks": []}))
    return rows


def pools(call: Call) -> object:
    """The simulator has no pools."""
    if "poolid" in call.query:
        raise missing(f"pool '{call.query['poolid']}' does not exist")
    return Rows()


ENDPOINTS = (
    Endpoint(path="/version", answer=version),
    Endpoint(path="/access/permissions", answer=permissions, parameters={"path": Parameter(), "userid": Parameter()}),
    Endpoint(path="/cluster/status", answer=status, check=needs("/", "Sys.Audit")),
    Endpoint(path="/cluster/mapping/pci", answer=mappings, parameters={"check-node": Parameter()}, since=(8,)),
    Endpoint(path="/pools", answer=pools, parameters={"poolid": Parameter(since=(8,)), "type": Parameter(since=(8,))}),
    Endpoint(path="/nodes/{node}/version", answer=version, proxied=True),
)
