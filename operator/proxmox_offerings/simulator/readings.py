"""What pvestatd would measure: loads, memory, traffic. Made up from the configuration, so that they are plausible and repeatable."""

from proxmox_offerings.simulator.cluster import Cluster, Guest, Node

USED_OF_GUEST_MEMORY = 60
"""Percent of its configured memory that a running guest uses."""


def cpu_load(cluster: Cluster, usual: float) -> float:
    """A fraction near `usual`, another each time unless jitter is off."""
    if not cluster.behaviour.jitter:
        return usual
    return usual * cluster.random.uniform(0.8, 1.2)


def guest_memory(guest: Guest) -> int:
    return guest.config.memory * USED_OF_GUEST_MEMORY // 100 if guest.running else 0


def guest_uptime(cluster: Cluster, guest: Guest, node: Node) -> int:
    """Whole seconds at the node's last report."""
    if guest.started_at is None:
        return 0
    return max(0, int(_last_report(cluster, node) - guest.started_at))


def guest_cpus(guest: Guest, node: Node) -> float:
    """`maxcpu`: a virtual machine's is capped at the host's threads; a container without limit has all of them (proxmox-api.md 2.1)."""
    config = guest.config
    if config.type == "qemu":
        return min(config.cpu, node.config.threads)
    return config.cpu or config.cpulimit or node.config.threads


def guest_counters(guest: Guest, uptime: int) -> dict[str, int]:
    rate = guest.config.vmid % 97 + 1
    return {
        "netin": uptime * rate * 113,
        "netout": uptime * rate * 71,
        "diskread": uptime * rate * 41,
        "diskwrite": uptime * rate * 59,
    }


def node_uptime(cluster: Cluster, node: Node) -> int:
    return max(0, int(_last_report(cluster, node) - node.booted_at))


def node_memory(cluster: Cluster, node: Node) -> int:
    """Bytes in use, capped below the total: what does not fit lies in swap."""
    used = node.config.memory_used + sum(guest_memory(guest) for guest in cluster.guests_on(node.name))
    return min(used, node.config.memory * 98 // 100)


def memory_by_node(cluster: Cluster) -> dict[str, int]:
    """`node_memory` of all nodes in one pass over the guests."""
    used = {name: node.config.memory_used for name, node in cluster.nodes.items()}
    for guest in cluster.guests.values():
        used[guest.config.node] += guest_memory(guest)
    return {name: min(amount, cluster.nodes[name].config.memory * 98 // 100) for name, amount in used.items()}


def rootfs_used(node: Node) -> int:
    return node.config.rootfs * 30 // 100


def _last_report(cluster: Cluster, node: Node) -> float:
    return cluster.reported_now if node.silent_since is None else node.silent_since
