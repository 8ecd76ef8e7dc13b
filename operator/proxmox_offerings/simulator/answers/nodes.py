"""What a node says about itself: its state, its network (proxmox-api.md 2.3)."""

from proxmox_offerings.simulator import readings
from proxmox_offerings.simulator.endpoints import Call, Endpoint, Parameter, Rows, needs
from proxmox_offerings.simulator.versions import Version

KERNELS = {7: "5.15.108-1-pve", 8: "6.8.12-9-pve", 9: "6.14.11-4-pve"}
INTERFACE_TYPES = (
    "bridge",
    "bond",
    "eth",
    "alias",
    "vlan",
    "OVSBridge",
    "OVSBond",
    "OVSPort",
    "OVSIntPort",
    "any_bridge",
)


def status(call: Call) -> object:
    node, config = call.node, call.node.config
    kernel = KERNELS.get(call.version.numbers[0], KERNELS[9])
    used = readings.node_memory(call.cluster, node)
    load = readings.cpu_load(call.cluster, 0.1)
    told: dict[str, object] = {
        "cpu": load,
        "wait": 0,
        "idle": 0,
        "uptime": readings.node_uptime(call.cluster, node),
        "kversion": f"Linux {kernel} #1 SMP PREEMPT_DYNAMIC PMX",
        "pveversion": f"pve-manager/{call.version.text}/{call.version.repoid}",
        "loadavg": [f"{load * config.threads * share:.2f}" for share in (1, 0.9, 0.8)],
        "cpuinfo": _cpuinfo(call),
        "memory": _memory(call.version, config.memory, used),
        "swap": {"total": 8 * 2**30, "used": 0, "free": 8 * 2**30},
        "ksm": {"shared": 0},
        "rootfs": {
            "total": config.rootfs,
            "used": readings.rootfs_used(node),
            "free": config.rootfs - readings.rootfs_used(node),
            "avail": config.rootfs * 65 // 100,
        },
    }
    if call.version >= (8,):
        told["boot-info"] = {"mode": "efi", "secureboot": 0}
        told["current-kernel"] = {
            "sysname": "Linux",
            "release": kernel,
            "version": "#1 SMP PREEMPT_DYNAMIC PMX",
            "machine": config.arch,
        }
    return told


def _cpuinfo(call: Call) -> dict[str, object]:
    """`cores` are those of all sockets, `mhz` a momentary value as a string, `hvm` "1" or ""; on ARM it is never set."""
    config = call.node.config
    mhz = config.mhz * (call.cluster.random.uniform(0.6, 1.0) if call.cluster.behaviour.jitter else 1)
    flags = "fpu vme de pse tsc msr pae sse4_2 avx2 aes " + (
        "vmx ept" if "intel" in config.model.lower() else "svm npt"
    )
    told: dict[str, object] = {
        "model": config.model,
        "sockets": config.sockets,
        "cores": config.cores,
        "cpus": config.threads,
        "mhz": f"{mhz:.3f}",
        "user_hz": 100,
        "flags": flags if config.hvm else flags.rsplit(" ", 2)[0],
    }
    return told if config.arch != "x86_64" else told | {"hvm": "1" if config.hvm else ""}


def _memory(version: Version, total: int, used: int) -> dict[str, int]:
    """What `free` means changed with 8.4, `available` came with 9.0 (fact 6)."""
    available = total - used
    told = {"total": total, "used": used, "free": available * 60 // 100 if version.kernel_free_memory else available}
    return told | ({"available": available} if version >= (9,) else {})


def network(call: Call) -> object:
    """Bridges need a right of their own since 8; SDN vnets are listed only where bridges of any kind are asked for."""
    wanted, config = call.query.get("type"), call.node.config
    rows: list[dict[str, object]] = [
        {
            "iface": "enp1s0",
            "type": "eth",
            "active": 1,
            "exists": 1,
            "method": "manual",
            "method6": "manual",
            "families": ["inet"],
            "priority": 3,
        }
    ]
    for number, bridge in enumerate(config.bridges):
        if call.version >= (8,) and not call.access.allows(f"/sdn/zones/localnetwork/{bridge}", "SDN.Audit", "SDN.Use"):
            continue
        rows.append(
            {
                "iface": bridge,
                "type": "bridge",
                "active": 1,
                "autostart": 1,
                "bridge_ports": "enp1s0" if number == 0 else "",
                "bridge_fd": "0",
                "bridge_stp": "off",
                "method": "manual",
                "method6": "manual",
                "families": ["inet"],
                "priority": 4 + number,
            }
        )
    if wanted in ("any_bridge", "any_local_bridge"):
        rows = [row for row in rows if row["type"] in ("bridge", "OVSBridge")]
    elif wanted not in (None, "include_sdn"):
        rows = [row for row in rows if row["type"] == wanted]
    if wanted in ("any_bridge", "vnet", "include_sdn") and call.version >= (8,):
        rows += [
            {"iface": vnet, "type": "vnet", "active": 1}
            for vnet in config.vnets
            if call.access.allows(f"/sdn/zones/simulated/{vnet}", "SDN.Audit", "SDN.Use")
        ]
    return Rows(rows)


def _interface_types(version: Version) -> frozenset[str]:
    known = set(INTERFACE_TYPES)
    known |= {"vnet", "any_local_bridge"} if version >= (8,) else set()
    known |= {"fabric", "include_sdn"} if version >= (9,) else set()
    return frozenset(known)


ENDPOINTS = (
    Endpoint(path="/nodes/{node}/status", answer=status, check=needs("/nodes/{node}", "Sys.Audit"), proxied=True),
    Endpoint(
        path="/nodes/{node}/network",
        answer=network,
        parameters={"type": Parameter(choices=_interface_types)},
        proxied=True,
    ),
)
