"""High availability: the manager's status, the services, and the nodes' states (proxmox-api.md 2.7)."""

import time

from proxmox_offerings.simulator.cluster import Cluster, Guest
from proxmox_offerings.simulator.endpoints import Call, Endpoint, Parameter, Rows, needs

AUDIT = needs("/", "Sys.Audit")


def node_states(cluster: Cluster) -> dict[str, str]:
    """The manager's view of the nodes; empty where it was never used. It is not liveness."""
    if not cluster.ha_used:
        return {}
    return {
        name: "unknown" if not node.alive else "maintenance" if node.maintenance else "online"
        for name, node in cluster.nodes.items()
    }


def _service(guest: Guest) -> str:
    return f"{'vm' if guest.config.type == 'qemu' else 'ct'}:{guest.config.vmid}"


def _services(cluster: Cluster) -> list[Guest]:
    return [guest for guest in cluster.guests.values() if guest.config.hastate is not None]


def _master(cluster: Cluster) -> str:
    return next((name for name, node in cluster.nodes.items() if node.alive), next(iter(cluster.nodes)))


def _quorum(call: Call) -> dict[str, object]:
    return {"node": call.entry.name, "quorate": "1" if call.cluster.has_quorum(call.entry) else "0"}


def manager_status(call: Call) -> object:
    cluster = call.cluster
    if not cluster.ha_used:
        return {"manager_status": {"node_status": {}}, "quorum": _quorum(call)}
    now = int(cluster.reported_now)
    services = {
        _service(guest): {
            "node": guest.config.node,
            "state": guest.config.hastate,
            "uid": f"uid{guest.config.vmid}",
            "running": int(guest.running),
            **({"target": guest.config.ha_target} if guest.config.ha_target else {}),
        }
        for guest in _services(cluster)
    }
    return {
        "manager_status": {
            "master_node": _master(cluster),
            "node_status": node_states(cluster),
            "service_status": services,
            "timestamp": now,
        },
        "lrm_status": {
            name: {
                "mode": "maintenance" if node.maintenance else "active",
                "state": "active" if services else "wait_for_agent_lock",
                "results": {},
                "timestamp": int(node.silent_since or now),
            }
            for name, node in cluster.nodes.items()
        },
        "quorum": _quorum(call),
    }


def current(call: Call) -> object:
    cluster = call.cluster
    rows = Rows(
        [
            {
                "id": "quorum",
                "type": "quorum",
                "node": call.entry.name,
                "quorate": int(cluster.has_quorum(call.entry)),
                "status": "OK",
            }
        ]
    )
    master = _master(cluster)
    if call.version >= (9, 1):
        state = "armed" if cluster.ha_used else "standby"
        rows.append(
            {
                "id": "fencing",
                "type": "fencing",
                "node": master,
                "armed-state": state,
                "status": f"{state} (CRM watchdog {state})",
            }
        )
    if not cluster.ha_used:
        return rows
    now = cluster.reported_now
    when = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(now))
    rows.append(
        {
            "id": "master",
            "type": "master",
            "node": master,
            "status": f"{master} (active, {when})",
            "timestamp": int(now),
        }
    )
    for name, node in cluster.nodes.items():
        mode = "old timestamp - dead?" if not node.alive else "maintenance mode" if node.maintenance else "idle"
        rows.append(
            {
                "id": f"lrm:{name}",
                "type": "lrm",
                "node": name,
                "status": f"{name} ({mode}, watchdog standby, {when})",
                "timestamp": int(node.silent_since or now),
            }
        )
    for guest in _services(cluster):
        sid, node_name, wanted = _service(guest), guest.config.node, guest.config.hastate
        rows.append(
            {
                "id": f"service:{sid}",
                "type": "service",
                "sid": sid,
                "node": node_name,
                "state": wanted,
                "crm_state": wanted,
                "request_state": wanted,
                "max_restart": 1,
                "max_relocate": 1,
                "status": f"{sid} ({node_name}, {wanted})",
            }
        )
    return rows


def resources(call: Call) -> object:
    wanted = call.query.get("type")
    return Rows(
        {"sid": sid, "type": kind, "state": guest.config.hastate, "digest": "0" * 40}
        for guest in _services(call.cluster)
        if (sid := _service(guest)) and (kind := sid.partition(":")[0]) and wanted in (None, kind)
    )


ENDPOINTS = (
    Endpoint(path="/cluster/ha/status/manager_status", answer=manager_status, check=AUDIT),
    Endpoint(path="/cluster/ha/status/current", answer=current, check=AUDIT),
    Endpoint(
        path="/cluster/ha/resources",
        answer=resources,
        check=AUDIT,
        parameters={"type": Parameter(choices=lambda _: frozenset({"vm", "ct"}))},
    ),
)
