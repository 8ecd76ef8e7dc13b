"""Clusters to begin with: small ones, each of a kind that people have, and big ones that are generated."""

import random
from collections.abc import Callable
from importlib import resources
from typing import Any

import yaml

from proxmox_offerings.simulator.config import SimulatorConfig, parse
from proxmox_offerings.simulator.model import ConfigError


def standalone() -> SimulatorConfig:
    """One server without a cluster."""
    return _packaged("standalone")


def demo() -> SimulatorConfig:
    """Three nodes, one with two graphics cards; local and shared storage, about 25 guests, templates."""
    return _packaged("demo")


def ceph3() -> SimulatorConfig:
    """Three nodes whose guests lie on their common Ceph pool."""
    return _packaged("ceph3")


def gpu() -> SimulatorConfig:
    """Four nodes, three of them with graphics cards of two models."""
    return _packaged("gpu")


def vgpu() -> SimulatorConfig:
    """Two nodes that sell parts of graphics cards, one of them in a way that nobody can count."""
    return _packaged("vgpu")


def mixed(*, nodes: int = 32, guests: int = 5000, seed: int = 0) -> SimulatorConfig:
    """A big cluster of machines and containers of many sizes, the same one for the same arguments."""
    chance = random.Random(seed)
    names = [f"pve{number:02d}" for number in range(1, nodes + 1)]
    disks = ["images", "rootdir"]
    document: dict[str, Any] = {
        "cluster": {"name": f"mixed{nodes}"},
        "nodes": [_server(name, gpus=2 if number % 8 == 7 else 0) for number, name in enumerate(names)],
        "storages": [
            {
                "id": "local",
                "type": "dir",
                "path": "/var/lib/vz",
                "content": ["iso", "vztmpl", "backup"],
                "size": "100Gi",
                "used": "30Gi",
            },
            {
                "id": "local-lvm",
                "type": "lvmthin",
                "vgname": "pve",
                "thinpool": "data",
                "content": disks,
                "size": "7Ti",
                "used": "2Ti",
            },
            {"id": "ceph", "type": "rbd", "pool": "vms", "content": disks, "size": "400Ti", "used": "120Ti"},
        ],
        "guests": [_guest(100 + number, chance.choice(names), chance) for number in range(guests)],
    }
    return parse(document)


def _server(name: str, *, gpus: int) -> dict[str, Any]:
    cards = [
        {
            "slot": f"0000:{bus}:00",
            "vendor": "10de",
            "device": "20b5",
            "name": "GA100 [A100 PCIe 80GB]",
            "iommu": 40 + number,
        }
        for number, bus in enumerate(("17", "ca")[:gpus])
    ]
    disks = [
        {"devpath": f"/dev/nvme{number}n1", "type": "nvme", "size": "3.84T", "used": "LVM", "memberOf": "pve"}
        for number in range(2)
    ]
    return {"name": name, "sockets": 2, "cores": 64, "threads": 128, "memory": "1Ti", "gpus": cards, "disks": disks}


def _guest(vmid: int, node: str, chance: random.Random) -> dict[str, Any]:
    cpu = chance.choice((1, 2, 2, 4, 4, 8))
    container = chance.random() < 0.2
    return {
        "vmid": vmid,
        "node": node,
        "type": "lxc" if container else "qemu",
        "name": f"{'ct' if container else 'vm'}-{vmid}",
        "status": chance.choices(("running", "stopped"), (9, 1))[0],
        "cpu": cpu,
        "memory": f"{cpu * chance.choice((1, 2, 4))}Gi",
        "disk": f"{cpu * 25}Gi",
        "storage": chance.choice(("local-lvm", "ceph")),
        "tags": chance.sample(("customer", "internal", "backup", "web"), chance.randrange(3)),
    }


def _packaged(name: str) -> SimulatorConfig:
    return parse(yaml.safe_load(resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")))


PRESETS: dict[str, Callable[[], SimulatorConfig]] = {
    "standalone": standalone,
    "demo": demo,
    "ceph3": ceph3,
    "gpu": gpu,
    "vgpu": vgpu,
    "mixed32": mixed,
}


def preset(name: str) -> SimulatorConfig:
    """Raises ConfigError for a name that is not in PRESETS."""
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]()
