"""Every field of ProxmoxHost.spec: what to set it to, and where that must show. And a cluster in which every field matters.

After the idea of Acto (SOSP '23). `FIELDS` is held complete by the tests that walk it: a new field in the models needs a row here.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from proxmox_offerings.catalogue.plan import Plan
from support.cluster import cards, cluster, config, guest, handing_out, mdev, node, storage, t4s, tier
from unit.resources.refused import FINGERPRINT, PEM
from unit.resources.schemas import Schema, schemas


class Shows(Enum):
    """Where a change of a field must show."""

    OFFER = "the spec or the labels of an Offering"
    STOCK = "the stock or the number of an Offering"
    STATEMENT = "something else of the status of an Offering"
    OBSERVED = "the status of the host"
    READING = "the observer: another one is opened, for this spec"
    TIMES = "the times in the status"
    CONDITIONS = "the conditions of the host"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field, by its path below spec with places in lists; `to` None: left out."""

    path: str
    to: Any
    shows: Shows

    @property
    def kind(self) -> str:
        """Its path in the schema."""
        return re.sub(r"\[\d+\]", "[]", self.path)


def field(path: str, to: Any, shows: Shows) -> Field:
    return Field(path=path, to=to, shows=shows)


WITHOUT_EFFECT: Mapping[str, str] = {}
"""Fields that show nowhere, and why that is right."""

BASE: Mapping[str, Any] = {
    "endpoints": ["https://pve1.example.net:8006"],
    "credentialsSecretRef": {"name": "fra1-token"},
    "tls": {"insecureSkipVerify": False},
    "refreshIntervalSeconds": 3600,
    "inventoryIntervalSeconds": 600,
    "validitySeconds": 14400,
    "suspend": False,
    "location": {
        "datacenter": "FRA1",
        "region": "eu",
        "country": "DE",
        "city": "Frankfurt",
        "latitude": "50.11",
        "longitude": "8.68",
    },
    "nodes": {"include": ["pve*"], "exclude": ["pve9"]},
    "storages": {"include": ["*"], "exclude": ["old"]},
    "bridge": "vmbr0",
    "allocation": {
        "cpu": {"unit": "Thread", "percent": 200, "reserved": "2", "dedicatedTags": ["dedicated"]},
        "memory": {"percent": 100, "reserved": "2Gi", "reservedPercent": 0, "guestOverhead": "0"},
        "storage": {"reservedPercent": 10, "accounting": "Free", "percent": 100},
        "stoppedGuests": "Count",
        "unlimitedContainers": "Ignore",
        "failoverNodes": 0,
        "overrides": [
            {
                "nodes": ["pve2"],
                "cpu": {"unit": "Thread", "percent": 300, "reserved": "1", "dedicatedTags": ["pinned"]},
                "memory": {"percent": 100, "reserved": "1Gi", "reservedPercent": 1, "guestOverhead": "1Mi"},
            }
        ],
    },
    "storageRules": [{"match": "local-*", "class": "ssd", "backing": "pool"}],
    "operatingSystems": [
        {"match": {"name": "deb12*"}, "name": "Debian 12"},
        {"match": {"tag": "ubuntu"}, "name": "Ubuntu"},
        {"match": {"vmid": 9002}, "name": "Windows"},
    ],
    "stock": {"lowThreshold": 2, "restockThreshold": 1},
    "tiers": [
        tier(
            "small",
            displayName="Small",
            virtualization="KVM",
            architecture="amd64",
            cpu=2,
            memory="2Gi",
            disk="10Gi",
            dedicatedCPU=False,
            nodes={"include": ["pve*"], "exclude": ["pve8"]},
            maxUnits=1000,
            price={"currency": "EUR", "monthly": "5.00", "setup": "1.00"},
        ),
        tier("wide", cpu=1, memory="16Gi", disk="1Gi"),
        tier("deep", cpu=1, memory="1Gi", disk="500Gi"),
        tier("gpu", cpu=1, memory="1Gi", disk="1Gi", gpu={"count": 1, "models": ["*A100*"]}),
        tier("part", cpu=1, memory="1Gi", disk="1Gi", gpu={"count": 1, "models": ["*"], "profile": "nvidia-230"}),
        tier("own", cpu=1, memory="1Gi", disk="1Gi", dedicatedCPU=True),
    ],
    "pricing": {
        "currency": "EUR",
        "base": "1.00",
        "perVCPU": {"shared": "1.50", "dedicated": "6.00"},
        "perGiBMemory": "0.80",
        "perGiBDisk": [{"class": "ssd", "price": "0.10"}, {"price": "0.05"}],
        "perGPU": [
            {"models": ["*"], "profile": "nvidia-2*", "price": "30.00"},
            {"models": ["*A100*"], "price": "450.00"},
        ],
        "setup": "0.00",
        "marginPercent": 0,
        "rounding": {"step": "0.01", "ending": "0"},
    },
}

CLUSTER = cluster(
    nodes=[
        node("pve1", threads=32, cores=16, memory="128Gi", pci=cards(4)),
        node("pve2", threads=32, cores=16, memory="128Gi"),
        node(
            "pve3",
            threads=32,
            cores=16,
            memory="128Gi",
            pci=t4s(1),
            mdevs={"0000:01:00.0": handing_out(mdev("nvidia-230", 16), mdev("nvidia-231", 8))},
        ),
        node("pve8", threads=32, memory="128Gi"),
        node("pve9", threads=32, memory="128Gi"),
    ],
    guests=[
        guest(100, "pve1", cpu=4, memory="8Gi"),
        guest(101, "pve1", cpu=4, memory="8Gi", status="stopped"),
        guest(102, "pve1", cpu=2, memory="1Gi", tags=["dedicated"]),
        guest(103, "pve2", cpu=2, memory="1Gi", tags=["pinned"]),
        guest(104, "pve3", kind="lxc", cpu=32, memory="1Gi"),
        guest(9000, "pve1", name="deb12-cloud", template=True),
        guest(9001, "pve1", name="noble", template=True, tags=["ubuntu", "lts"]),
        guest(9002, "pve1", name="w2022", template=True),
    ],
    storages=[
        storage("local-lvm", volume_group="pve", thin_pool="data", total="4Ti", avail="3Ti"),
        storage("local-ssd", volume_group="ssd", thin_pool="data", total="1Ti", avail="900Gi"),
        storage("nas", "nfs", server="10.0.0.1", export="/a", total="10Ti", avail="5Ti"),
        storage("old", "nfs", server="10.0.0.2", export="/b", total="10Ti", avail="4Ti"),
    ],
    configs={
        100: config(cores=4, memory="8Gi", volumes={"nas:100/disk-0": "6Ti"}),
        101: config(cores=4, memory="8Gi"),
        102: config(cores=2, memory="1Gi"),
        103: config(cores=2, memory="1Gi"),
        104: config(),
        9000: config(template=True, memory="1Gi"),
        9001: config(template=True, memory="1Gi"),
        9002: config(template=True, memory="1Gi"),
    },
)

OVERRIDE = "allocation.overrides[0]"
FIELDS = (
    field("endpoints", ["https://pve2.example.net:8006"], Shows.READING),
    field("credentialsSecretRef.name", "other-token", Shows.READING),
    field("tls.caBundle", PEM, Shows.READING),
    field("tls.fingerprints", [FINGERPRINT], Shows.READING),
    field("tls.insecureSkipVerify", True, Shows.CONDITIONS),
    field("refreshIntervalSeconds", 1800, Shows.TIMES),
    field("inventoryIntervalSeconds", 700, Shows.READING),
    field("validitySeconds", 20000, Shows.TIMES),
    field("suspend", True, Shows.CONDITIONS),
    field("location.datacenter", "FRA2", Shows.OFFER),
    field("location.region", "us", Shows.OFFER),
    field("location.country", "FR", Shows.OFFER),
    field("location.city", "Paris", Shows.OFFER),
    field("location.latitude", "48.86", Shows.OFFER),
    field("location.longitude", "2.35", Shows.OFFER),
    field("nodes.include", ["pve1"], Shows.STOCK),
    field("nodes.exclude", ["pve1"], Shows.STOCK),
    field("storages.include", ["nas"], Shows.STOCK),
    field("storages.exclude", [], Shows.STOCK),
    field("bridge", "vmbr7", Shows.STOCK),
    field("allocation.cpu.unit", "Core", Shows.OBSERVED),
    field("allocation.cpu.percent", 100, Shows.OFFER),
    field("allocation.cpu.reserved", "500m", Shows.OBSERVED),
    field("allocation.cpu.dedicatedTags", [], Shows.OBSERVED),
    field("allocation.memory.percent", 50, Shows.STOCK),
    field("allocation.memory.reserved", "20Gi", Shows.STOCK),
    field("allocation.memory.reservedPercent", 50, Shows.STOCK),
    field("allocation.memory.guestOverhead", "4Gi", Shows.STOCK),
    field("allocation.storage.reservedPercent", 40, Shows.STOCK),
    field("allocation.storage.accounting", "Provisioned", Shows.READING),
    field("allocation.storage.percent", 50, Shows.STOCK),
    field("allocation.stoppedGuests", "Ignore", Shows.OBSERVED),
    field("allocation.unlimitedContainers", "CountAsNode", Shows.OBSERVED),
    field("allocation.failoverNodes", 1, Shows.STOCK),
    field("allocation.overrides", [], Shows.OBSERVED),
    field(f"{OVERRIDE}.nodes", ["pve3"], Shows.OBSERVED),
    field(f"{OVERRIDE}.cpu.unit", "Core", Shows.OBSERVED),
    field(f"{OVERRIDE}.cpu.percent", 100, Shows.OBSERVED),
    field(f"{OVERRIDE}.cpu.reserved", "4", Shows.OBSERVED),
    field(f"{OVERRIDE}.cpu.dedicatedTags", [], Shows.OBSERVED),
    field(f"{OVERRIDE}.memory.percent", 50, Shows.OBSERVED),
    field(f"{OVERRIDE}.memory.reserved", "64Gi", Shows.OBSERVED),
    field(f"{OVERRIDE}.memory.reservedPercent", 50, Shows.OBSERVED),
    field(f"{OVERRIDE}.memory.guestOverhead", "1Gi", Shows.OBSERVED),
    field("storageRules", [], Shows.OBSERVED),
    field("storageRules[0].match", "local-ssd", Shows.OBSERVED),
    field("storageRules[0].class", "hdd", Shows.OBSERVED),
    field("storageRules[0].backing", None, Shows.STOCK),
    field("operatingSystems", [], Shows.STATEMENT),
    field("operatingSystems[0].match.name", "w20*", Shows.STATEMENT),
    field("operatingSystems[0].name", "Bookworm", Shows.STATEMENT),
    field("operatingSystems[1].match.tag", "nosuch", Shows.STATEMENT),
    field("operatingSystems[2].match.vmid", 9000, Shows.STATEMENT),
    field("stock.lowThreshold", 500, Shows.STOCK),
    field("stock.restockThreshold", 900, Shows.STOCK),
    field("tiers", [], Shows.OFFER),
    field("tiers[0].name", "tiny", Shows.OFFER),
    field("tiers[0].displayName", "Petite", Shows.OFFER),
    field("tiers[0].virtualization", "LXC", Shows.OFFER),
    field("tiers[0].architecture", "arm64", Shows.STOCK),
    field("tiers[0].cpu", 4, Shows.OFFER),
    field("tiers[0].memory", "4Gi", Shows.OFFER),
    field("tiers[0].disk", "20Gi", Shows.OFFER),
    field("tiers[0].storageClass", "network", Shows.OFFER),
    field("tiers[0].dedicatedCPU", True, Shows.OFFER),
    field("tiers[3].gpu.count", 2, Shows.STOCK),
    field("tiers[3].gpu.models", ["*H100*"], Shows.STOCK),
    field("tiers[4].gpu.profile", "nvidia-231", Shows.STOCK),
    field("tiers[0].nodes.include", ["pve1"], Shows.STOCK),
    field("tiers[0].nodes.exclude", ["pve1"], Shows.STOCK),
    field("tiers[0].maxUnits", 7, Shows.STOCK),
    field("tiers[0].price.currency", "USD", Shows.OFFER),
    field("tiers[0].price.monthly", "6.00", Shows.OFFER),
    field("tiers[0].price.setup", None, Shows.OFFER),
    field("pricing.currency", "USD", Shows.OFFER),
    field("pricing.base", "2.00", Shows.OFFER),
    field("pricing.perVCPU.shared", "2.00", Shows.OFFER),
    field("pricing.perVCPU.dedicated", None, Shows.OFFER),
    field("pricing.perGiBMemory", "0.90", Shows.OFFER),
    field("pricing.perGiBDisk", [], Shows.OFFER),
    field("pricing.perGiBDisk[0].class", None, Shows.OFFER),
    field("pricing.perGiBDisk[1].price", "0.06", Shows.OFFER),
    field("pricing.perGPU", [], Shows.OFFER),
    field("pricing.perGPU[1].models", ["*H100*"], Shows.OFFER),
    field("pricing.perGPU[0].profile", "nvidia-3*", Shows.OFFER),
    field("pricing.perGPU[0].price", "31.00", Shows.OFFER),
    field("pricing.setup", "5.00", Shows.OFFER),
    field("pricing.marginPercent", 20, Shows.OFFER),
    field("pricing.rounding.step", "10", Shows.OFFER),
    field("pricing.rounding.ending", "0.009", Shows.OFFER),
)


def changed(path: str, to: Any, spec: Mapping[str, Any] = BASE) -> dict[str, Any]:
    """`spec` with another value at `path`; None: without it."""
    copied = copy.deepcopy(dict(spec))
    *parents, last = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    target: Any = copied
    for step in parents:
        target = target.setdefault(step, {}) if isinstance(step, str) else target[step]
    if to is None:
        target.pop(last, None)
    else:
        target[last] = to
    return copied


def schema_fields() -> dict[str, Schema]:
    """Path below spec -> schema, of each value that a person writes: single values, lists of those, and lists of objects."""
    return dict(_fields(schemas()["ProxmoxHost"]["properties"]["spec"], ""))


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    for name, part in schema["properties"].items():
        here = f"{path}.{name}".removeprefix(".")
        if "properties" in part:
            yield from _fields(part, here)
        else:
            yield here, part
            if "properties" in part.get("items", {}):
                yield from _fields(part["items"], f"{here}[]")


def values(schema: Schema) -> list[Any]:
    """What somebody may try at a field: its bounds, what lies beyond them, every word, none, and what is of another type. None: left out."""
    tried: list[Any] = [None, {}, ""]
    if "enum" in schema:
        tried += [*schema["enum"], "Nonsense", schema["enum"][0].lower()]
    elif schema.get("type") == "boolean":
        tried += [True, False, "yes", 1]
    elif schema.get("type") == "integer":
        tried += [
            schema["minimum"],
            schema["maximum"],
            schema["minimum"] - 1,
            schema["maximum"] + 1,
            10**18,
            -1,
            "1",
            1.5,
        ]
    elif schema.get("type") == "array":
        items = [{}] if "properties" in schema["items"] else ["x", "x" * 129, "", 5]
        tried += [[], *([item] for item in items), ["x"] * (schema["maxItems"] + 1), "x"]
    elif schema.get("x-kubernetes-int-or-string"):
        tried += [
            "0",
            0,
            1,
            "1",
            "-1",
            -1,
            "1Gi",
            "0.5",
            "500m",
            "1e3",
            "1E400",
            "99999999999Ei",
            "1 Gi",
            "1gi",
            "abc",
            True,
            1.5,
        ]
    else:
        tried += [
            "x",
            "X",
            "1",
            "ä",
            "x\n",
            "*",
            "a/b",
            "x" * schema["maxLength"],
            "x" * (schema["maxLength"] + 1),
            5,
            True,
            ["x"],
        ]
    return tried


def is_about(path: str, blamed: str) -> bool:
    """Whether the field that is blamed is the one at `path` below spec, in it, or around it (rules about several fields)."""
    path = f"spec.{path}"
    return blamed.startswith(path) or (path.startswith(blamed) and blamed not in ("", "spec"))


def parts(plan: Plan) -> dict[Shows, Any]:
    """What a plan says, by where it shows."""
    return {
        Shows.OFFER: [(one.name, one.spec.to_wire(), dict(one.labels)) for one in plan.offerings],
        Shows.STOCK: {one.tier: (one.statement.stock, one.statement.available) for one in plan.offerings},
        Shows.STATEMENT: {one.tier: one.statement.to_wire() for one in plan.offerings},
        Shows.OBSERVED: plan.observed.to_wire(),
    }
