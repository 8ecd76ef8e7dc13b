"""The guests of a node and their configurations. Types are as loose as the server's: vmid and memory come as strings here and there (fact 14)."""

import hashlib

from proxmox_offerings.simulator import readings
from proxmox_offerings.simulator.answers.resources import guest_name
from proxmox_offerings.simulator.answers.volumes import disk_volid, size_text
from proxmox_offerings.simulator.cluster import Guest
from proxmox_offerings.simulator.config import GuestType
from proxmox_offerings.simulator.endpoints import Call, Endpoint, Parameter, Rows, needs
from proxmox_offerings.simulator.refusals import missing, wrong_parameter

DIRECTORIES: dict[GuestType, str] = {"qemu": "qemu-server", "lxc": "lxc"}
SEE_ONE = needs("/vms/{vmid}", "VM.Audit")


def machines(call: Call) -> object:
    """GET /nodes/{node}/qemu."""
    rows = Rows()
    for guest in _visible(call, "qemu"):
        row = _common(call, guest) | {"vmid": guest.config.vmid}
        if guest.running:
            row["pid"] = 1000 + guest.config.vmid
            if call.flag("full"):
                row["qmpstatus"] = guest.config.status
        rows.append(row)
    return rows


def containers(call: Call) -> object:
    """GET /nodes/{node}/lxc: vmid is a string in 7.x."""
    rows = Rows()
    for guest in _visible(call, "lxc"):
        vmid = guest.config.vmid
        row = _common(call, guest) | {
            "vmid": vmid if call.version >= (8,) else str(vmid),
            "type": "lxc",
            "swap": 0,
            "maxswap": 512 * 2**20,
        }
        if guest.running:
            row["pid"] = 1000 + vmid
        rows.append(row)
    return rows


def _visible(call: Call, kind: GuestType) -> list[Guest]:
    return [
        guest
        for guest in call.cluster.guests_on(call.node.name)
        if guest.config.type == kind and call.access.allows(f"/vms/{guest.config.vmid}", "VM.Audit")
    ]


def _common(call: Call, guest: Guest) -> dict[str, object]:
    config = guest.config
    uptime = readings.guest_uptime(call.cluster, guest, call.node)
    row: dict[str, object] = {
        "name": guest_name(guest),
        "status": "running" if guest.running else "stopped",
        "cpus": readings.guest_cpus(guest, call.node),
        "cpu": readings.cpu_load(call.cluster, 0.05) if guest.running else 0,
        "maxmem": config.memory,
        "mem": readings.guest_memory(guest),
        "maxdisk": config.disk,
        "disk": config.disk * 40 // 100 if config.type == "lxc" and guest.running else 0,
        "uptime": uptime,
        **readings.guest_counters(guest, uptime),
    }
    if config.template:
        row["template"] = 1
    if config.tags:
        row["tags"] = ";".join(config.tags)
    if config.lock is not None:
        row["lock"] = config.lock
    if call.version >= (9,):
        row["memhost"] = row["mem"]
    return row


def _wanted(call: Call, kind: GuestType) -> Guest:
    vmid = call.path["vmid"]
    if not vmid.isdigit():
        raise wrong_parameter("vmid", "invalid format - value does not look like a valid VM ID")
    guest = call.cluster.guests.get(int(vmid))
    if guest is None or guest.config.type != kind or guest.config.node != call.node.name:
        raise missing(f"Configuration file 'nodes/{call.node.name}/{DIRECTORIES[kind]}/{vmid}.conf' does not exist")
    return guest


def machine_config(call: Call) -> object:
    """Without current=1 as it will be after the next start: what is pending is told as if it were so."""
    config = _wanted(call, "qemu").config
    told = _named(call, {"name": config.name, "memory": str(config.memory // 2**20), "cores": config.cpu, "sockets": 1})
    told |= {
        "cpu": "host",
        "ostype": "l26",
        "scsihw": "virtio-scsi-single",
        "net0": f"virtio=BC:24:11:00:00:00,bridge={_bridge(call)}",
    }
    told |= {"vmgenid": "00000000-0000-0000-0000-000000000000", "boot": "order=scsi0"}
    if config.storage is not None and config.disk:
        told["scsi0"] = f"{disk_volid(config, call.cluster.storages[config.storage])},size={size_text(config.disk)}"
    devices = config.hostpci if call.flag("current") or config.pending_hostpci is None else config.pending_hostpci
    return told | {f"hostpci{number}": value for number, value in enumerate(devices)}


def container_config(call: Call) -> object:
    config = _wanted(call, "lxc").config
    told = _named(call, {"hostname": config.name or f"CT{config.vmid}", "memory": config.memory // 2**20, "swap": 512})
    told |= {"arch": "amd64" if call.node.config.arch == "x86_64" else "arm64", "ostype": "debian", "unprivileged": 1}
    told["net0"] = f"name=eth0,bridge={_bridge(call)},hwaddr=BC:24:11:00:00:01,ip=dhcp,type=veth"
    if config.cpu:
        told["cores"] = config.cpu
    if config.cpulimit is not None:
        told["cpulimit"] = f"{config.cpulimit:g}"
    if config.storage is not None and config.disk:
        told["rootfs"] = f"{disk_volid(config, call.cluster.storages[config.storage])},size={size_text(config.disk)}"
    return told


def _named(call: Call, told: dict[str, object]) -> dict[str, object]:
    config = call.cluster.guests[int(call.path["vmid"])].config
    told = {key: value for key, value in told.items() if value is not None}
    told["digest"] = hashlib.sha1(config.model_dump_json().encode(), usedforsecurity=False).hexdigest()
    if config.tags:
        told["tags"] = ";".join(config.tags)
    if config.template:
        told["template"] = 1
    if config.lock is not None:
        told["lock"] = config.lock
    return told


def _bridge(call: Call) -> str:
    return next(iter(call.node.config.bridges), "vmbr0")


CONFIG_PARAMETERS = {"current": Parameter(boolean=True), "snapshot": Parameter()}
ENDPOINTS = (
    Endpoint(path="/nodes/{node}/qemu", answer=machines, parameters={"full": Parameter(boolean=True)}, proxied=True),
    Endpoint(path="/nodes/{node}/lxc", answer=containers, proxied=True),
    Endpoint(
        path="/nodes/{node}/qemu/{vmid}/config",
        answer=machine_config,
        check=SEE_ONE,
        parameters=CONFIG_PARAMETERS,
        proxied=True,
    ),
    Endpoint(
        path="/nodes/{node}/lxc/{vmid}/config",
        answer=container_config,
        check=SEE_ONE,
        parameters=CONFIG_PARAMETERS,
        proxied=True,
    ),
)
