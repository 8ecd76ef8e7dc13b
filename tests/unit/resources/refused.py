"""ProxmoxHosts that must be refused, by the API server and by the command line alike: each breaks one rule of the contract."""

import copy
import re
from dataclasses import dataclass
from typing import Any

MINIMAL: dict[str, Any] = {
    "apiVersion": "proxmox-offerings.io/v1alpha1",
    "kind": "ProxmoxHost",
    "metadata": {"name": "fra1"},
    "spec": {"endpoints": ["https://pve1.example.net:8006"], "credentialsSecretRef": {"name": "fra1-token"}},
}
TIER: dict[str, Any] = {"name": "small", "cpu": 2, "memory": "4Gi", "disk": "50Gi"}


@dataclass(frozen=True)
class Refused:
    """`host` must be refused with a message about `field` in which `remedy` says what is right.

    Where the API server has its own words for a type or bound, `remedy` is what both have in common.
    """

    name: str
    host: dict[str, Any]
    field: str
    remedy: str


def changed(**changes: Any) -> dict[str, Any]:
    """MINIMAL with values put at paths below spec, such as `{"tls.caBundle": ...}`; None takes a field away."""
    host = copy.deepcopy(MINIMAL)
    for path, value in changes.items():
        *parents, last = path.split(".")
        target = host["spec"]
        for step in parents:
            target = target.setdefault(step, {})
        if value is None:
            del target[last]
        else:
            target[last] = value
    return host


def named(name: str) -> dict[str, Any]:
    """MINIMAL under another name."""
    return MINIMAL | {"metadata": {"name": name}}


def selling(*tiers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """MINIMAL with TIER once for each of `tiers`, changed by it."""
    return changed(tiers=[TIER | tier for tier in tiers], **changes)


def spec(name: str, field: str, remedy: str, /, **changes: Any) -> Refused:
    """A host whose spec is changed; `field` is below spec."""
    return Refused(name, changed(**changes), f"spec.{field}", remedy)


def endpoint(name: str, url: str, remedy: str) -> Refused:
    """A host with this endpoint after a good one."""
    good = MINIMAL["spec"]["endpoints"]
    return spec(f"endpoint {name}", "endpoints[1]", remedy, endpoints=[*good, url])


def tier(name: str, field: str, remedy: str, /, **changes: Any) -> Refused:
    """A host with this tier after a good one; `field` is below the tier."""
    return Refused(f"tier {name}", selling({"name": "good"}, changes), f"spec.tiers[1].{field}", remedy)


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
FINGERPRINT = ":".join(["AB"] * 32)

REFUSED = (
    Refused("host name too long for an Offering's name", named("a" * 43), "metadata.name", "at most 42"),
    Refused("host name with a dot", named("fra1.example"), "metadata.name", "lower-case letters, digits and '-'"),
    spec("no endpoints", "endpoints", "at least 1 item", endpoints=[]),
    spec("17 endpoints", "endpoints", "at most 16 items", endpoints=["https://pve.example.net:8006"] * 17),
    spec("endpoints left out", "endpoints", "equired", endpoints=None),
    endpoint("http", "http://pve1.example.net:8006", "must begin with https://"),
    endpoint("without scheme", "pve1.example.net:8006", "must begin with https://"),
    endpoint("user-info", "https://root:secret@pve1.example.net:8006", "must not contain user-info"),
    endpoint("path", "https://pve1.example.net:8006/api2/json", "must end after the host or port"),
    endpoint("slash", "https://pve1.example.net:8006/", "must end after the host or port"),
    endpoint("query", "https://pve1.example.net:8006?x=1", "must end after the host or port"),
    endpoint("fragment", "https://pve1.example.net:8006#x", "must end after the host or port"),
    endpoint("blank", "https://pve1.example.net :8006", "must end after the host or port"),
    endpoint("line break", "https://pve1.example.net:8006\n", "must end after the host or port"),
    endpoint("without host", "https://:8006", "must name a host"),
    endpoint("port 0", "https://pve1.example.net:0", "a port from 1 to 65535"),
    endpoint("port 65536", "https://pve1.example.net:65536", "a port from 1 to 65535"),
    endpoint("too long", f"https://{'a' * 300}", "300"),
    spec(
        "Secret by path",
        "credentialsSecretRef.name",
        "must be the name of a Secret",
        **{"credentialsSecretRef.name": "../other"},
    ),
    spec(
        "Secret of another namespace",
        "credentialsSecretRef.name",
        "of this namespace",
        **{"credentialsSecretRef.name": "a/b"},
    ),
    spec(
        "Secret name with two dots",
        "credentialsSecretRef.name",
        "must be the name of a Secret",
        **{"credentialsSecretRef.name": "a..b"},
    ),
    spec("CA bundle and fingerprints", "tls", "at most one of", tls={"caBundle": PEM, "fingerprints": [FINGERPRINT]}),
    spec("CA bundle and no verification", "tls", "at most one of", tls={"caBundle": PEM, "insecureSkipVerify": True}),
    spec(
        "fingerprints and no verification",
        "tls",
        "at most one of",
        tls={"fingerprints": [FINGERPRINT], "insecureSkipVerify": True},
    ),
    spec("CA bundle that is a file name", "tls.caBundle", "PEM", tls={"caBundle": "/etc/pve/pve-root-ca.pem"}),
    spec("SHA-1 fingerprint", "tls.fingerprints[0]", "SHA-256", tls={"fingerprints": [":".join(["AB"] * 20)]}),
    spec("fingerprint without colons", "tls.fingerprints[0]", "joined by ':'", tls={"fingerprints": ["AB" * 32]}),
    spec(
        "verification off as text", "tls.insecureSkipVerify", "boolean|true or false", tls={"insecureSkipVerify": "yes"}
    ),
    spec("hasty refresh", "refreshIntervalSeconds", "greater than or equal to 15", refreshIntervalSeconds=14),
    spec(
        "lazy refresh",
        "refreshIntervalSeconds",
        "less than or equal to 3600",
        refreshIntervalSeconds=3601,
        validitySeconds=20_000,
    ),
    spec("hasty inventory", "inventoryIntervalSeconds", "greater than or equal to 60", inventoryIntervalSeconds=59),
    spec(
        "validity under four refreshes", "validitySeconds", "at least 4 x refreshIntervalSeconds", validitySeconds=239
    ),
    spec(
        "refresh above a quarter of the default validity", "validitySeconds", "at least 4 x", refreshIntervalSeconds=151
    ),
    spec("eternal validity", "validitySeconds", "less than or equal to 86400", validitySeconds=86_401),
    spec("interval as text", "refreshIntervalSeconds", "integer|whole number", refreshIntervalSeconds="60"),
    spec("country in lower case", "location.country", "two upper-case letters", **{"location.country": "de"}),
    spec("country of three letters", "location.country", "two upper-case letters", **{"location.country": "DEU"}),
    spec("country NO read by YAML as false", "location.country", "string|quotes", **{"location.country": False}),
    spec("latitude beyond the pole", "location.latitude", "-90 to 90", location={"latitude": "90.1", "longitude": "8"}),
    spec(
        "longitude beyond the date line",
        "location.longitude",
        "-180 to 180",
        location={"latitude": "50", "longitude": "181"},
    ),
    spec(
        "latitude as a number", "location.latitude", "string|quotes", location={"latitude": 50.11, "longitude": "8.68"}
    ),
    spec("latitude alone", "location", "given together", location={"latitude": "50.11"}),
    spec("no nodes", "nodes.include", "at least 1 item", **{"nodes.include": []}),
    spec("no storages", "storages.include", "at least 1 item", **{"storages.include": []}),
    spec("empty pattern", "nodes.exclude[0]", "at least 1 char", **{"nodes.exclude": [""]}),
    spec("bridge that is none", "bridge", "name of a bridge", bridge="vmbr0/../x"),
    spec("CPU percent 0", "allocation.cpu.percent", "greater than or equal to 1", **{"allocation.cpu.percent": 0}),
    spec(
        "CPU percent 10001",
        "allocation.cpu.percent",
        "less than or equal to 10000",
        **{"allocation.cpu.percent": 10_001},
    ),
    spec("CPU percent of a half", "allocation.cpu.percent", "integer|whole number", **{"allocation.cpu.percent": 0.5}),
    spec("CPU reserve below zero", "allocation.cpu.reserved", "0 or more", **{"allocation.cpu.reserved": -1}),
    spec(
        "CPU reserve in bytes",
        "allocation.cpu.reserved",
        "such as 2, 0.5 or 500m",
        **{"allocation.cpu.reserved": "2Gi"},
    ),
    spec("CPU unit", "allocation.cpu.unit", "Thread", **{"allocation.cpu.unit": "Socket"}),
    spec(
        "tag with a blank",
        "allocation.cpu.dedicatedTags[0]",
        "must be a tag",
        **{"allocation.cpu.dedicatedTags": ["a b"]},
    ),
    spec(
        "memory percent 0",
        "allocation.memory.percent",
        "greater than or equal to 1",
        **{"allocation.memory.percent": 0},
    ),
    spec(
        "memory percent 1001",
        "allocation.memory.percent",
        "less than or equal to 1000",
        **{"allocation.memory.percent": 1_001},
    ),
    spec(
        "memory reserve below zero", "allocation.memory.reserved", "0 or more", **{"allocation.memory.reserved": "-2Gi"}
    ),
    spec(
        "memory reserve in thousandths",
        "allocation.memory.reserved",
        "such as 2Gi",
        **{"allocation.memory.reserved": "500m"},
    ),
    spec(
        "overhead below zero",
        "allocation.memory.guestOverhead",
        "0 or more",
        **{"allocation.memory.guestOverhead": "-1"},
    ),
    spec(
        "all memory reserved",
        "allocation.memory.reservedPercent",
        "equal to 99",
        **{"allocation.memory.reservedPercent": 100},
    ),
    spec(
        "storage reserve below zero",
        "allocation.storage.reservedPercent",
        "equal to 0",
        **{"allocation.storage.reservedPercent": -1},
    ),
    spec(
        "all storage reserved",
        "allocation.storage.reservedPercent",
        "equal to 99",
        **{"allocation.storage.reservedPercent": 100},
    ),
    spec("accounting", "allocation.storage.accounting", "Provisioned", **{"allocation.storage.accounting": "Thin"}),
    spec("stopped guests", "allocation.stoppedGuests", "Ignore", **{"allocation.stoppedGuests": "count"}),
    spec(
        "unlimited containers",
        "allocation.unlimitedContainers",
        "CountAsNode",
        **{"allocation.unlimitedContainers": "Count"},
    ),
    spec("failover of -1 nodes", "allocation.failoverNodes", "equal to 0", **{"allocation.failoverNodes": -1}),
    spec("failover of 3 nodes", "allocation.failoverNodes", "equal to 2", **{"allocation.failoverNodes": 3}),
    spec(
        "override for no nodes",
        "allocation.overrides[0].nodes",
        "at least 1 item",
        **{"allocation.overrides": [{"nodes": []}]},
    ),
    spec(
        "override with a bad amount",
        "allocation.overrides[0].memory.reserved",
        "0 or more",
        **{"allocation.overrides": [{"nodes": ["*"], "memory": {"reserved": "-1Gi"}}]},
    ),
    spec(
        "storage rule that says nothing",
        "storageRules[0]",
        "a class, a backing or both",
        storageRules=[{"match": "ceph-*", "backing": ""}],
    ),
    spec("storage rule without match", "storageRules[0].match", "equired", storageRules=[{"class": "ssd"}]),
    spec("storage class", "storageRules[0].class", "network", storageRules=[{"match": "x", "class": "tape"}]),
    spec(
        "system matched by nothing",
        "operatingSystems[0].match",
        "exactly one of",
        operatingSystems=[{"match": {}, "name": "x"}],
    ),
    spec(
        "system matched twice",
        "operatingSystems[0].match",
        "exactly one of",
        operatingSystems=[{"match": {"tag": "x", "vmid": 100}, "name": "x"}],
    ),
    spec(
        "vmid 99",
        "operatingSystems[0].match.vmid",
        "equal to 100",
        operatingSystems=[{"match": {"vmid": 99}, "name": "x"}],
    ),
    spec("low threshold below zero", "stock.lowThreshold", "equal to 0", **{"stock.lowThreshold": -1}),
    spec("restock threshold 0", "stock.restockThreshold", "equal to 1", **{"stock.restockThreshold": 0}),
    Refused(
        "restock threshold that a tier never reaches",
        selling({"maxUnits": 2}, **{"stock.restockThreshold": 3}),
        "spec.stock",
        "must not be above maxUnits",
    ),
    Refused("two tiers of one name", selling({}, {"cpu": 4}), "spec.tiers", "names must be unique"),
    Refused("65 tiers", selling(*({"name": f"t{n}"} for n in range(65))), "spec.tiers", "at most 64 items"),
    tier("name of 21 characters", "name", "20", name="a" * 21),
    tier("name in capitals", "name", "lower-case letters", name="Small"),
    tier("name with a dot", "name", "lower-case letters", name="small.2"),
    tier("name ending with a dash", "name", "ending with a letter or digit", name="small-"),
    tier("empty name", "name", "at least 1 char", name=""),
    tier("virtualization", "virtualization", "LXC", virtualization="kvm"),
    tier("architecture", "architecture", "arm64", architecture="x86_64"),
    tier("without vCPU", "cpu", "greater than or equal to 1", cpu=0),
    tier("with negative vCPU", "cpu", "greater than or equal to 1", cpu=-1),
    tier("with half a vCPU", "cpu", "integer|whole number", cpu=0.5),
    tier("without memory", "memory", "greater than 0", memory=0),
    tier("with negative memory", "memory", "greater than 0", memory="-4Gi"),
    tier("with memory of zero in a unit", "memory", "greater than 0", memory="0Gi"),
    tier("with memory in GB", "memory", "such as 4Gi", memory="4GB"),
    tier("with memory in thousandths", "memory", "such as 4Gi", memory="4000m"),
    tier("with memory in parts of a byte", "memory", "such as 4Gi", memory="0.5"),
    tier("with more memory than can be counted", "memory", "less than 1Ei", memory="8Ei"),
    tier("with more memory than fits 63 bits", "memory", "less than 1Ei", memory="9e30"),
    tier("with empty memory", "memory", "such as 4Gi", memory=""),
    tier("with memory as a fraction", "memory", "integer|such as 4Gi", memory=1.5),
    tier("without disk", "disk", "greater than 0", disk="0"),
    tier("with negative disk", "disk", "greater than 0", disk=-1),
    tier("storage class", "storageClass", "nvme", storageClass="fast"),
    tier("with a card in a container", "virtualization", "must be KVM", gpu={"count": 1}, virtualization="LXC"),
    tier("with 0 cards", "gpu.count", "greater than or equal to 1", gpu={"count": 0}),
    tier("with cards of no model", "gpu.models", "at least 1 item", gpu={"models": []}),
    tier("on no nodes", "nodes.include", "at least 1 item", nodes={"include": []}),
    tier("of at most 0 units", "maxUnits", "greater than or equal to 1", maxUnits=0),
    tier(
        "currency in lower case",
        "price.currency",
        "three upper-case letters",
        price={"currency": "eur", "monthly": "5.00"},
    ),
    tier("currency sign", "price.currency", "three upper-case letters", price={"currency": "€", "monthly": "5.00"}),
    tier("price as a number", "price.monthly", "string|quotes", price={"currency": "EUR", "monthly": 5.0}),
    tier(
        "price with a comma", "price.monthly", "decimal amount in quotes", price={"currency": "EUR", "monthly": "5,00"}
    ),
    tier(
        "negative price",
        "price.setup",
        "decimal amount in quotes",
        price={"currency": "EUR", "monthly": "5", "setup": "-1"},
    ),
    tier("price without currency", "price.currency", "equired", price={"monthly": "5.00"}),
    spec("pricing without currency", "pricing.currency", "equired", pricing={"perGiBMemory": "1"}),
    spec(
        "price below zero",
        "pricing.perGiBMemory",
        "decimal price in quotes",
        pricing={"currency": "EUR", "perGiBMemory": "-0.80"},
    ),
    spec(
        "price of 13 digits",
        "pricing.perVCPU.shared",
        "decimal price in quotes",
        pricing={"currency": "EUR", "perVCPU": {"shared": "1000000000000"}},
    ),
    spec(
        "price as a number",
        "pricing.perGPU[0].price",
        "string|quotes",
        pricing={"currency": "EUR", "perGPU": [{"price": 450}]},
    ),
    spec("currency as a sign", "pricing.currency", "ISO 4217", pricing={"currency": "€"}),
    spec(
        "negative margin",
        "pricing.marginPercent",
        "greater than or equal to 0",
        pricing={"currency": "EUR", "marginPercent": -1},
    ),
    spec(
        "rounding to nothing",
        "pricing.rounding.step",
        "greater than 0",
        pricing={"currency": "EUR", "rounding": {"step": "0.00"}},
    ),
    spec(
        "ending beyond the step",
        "pricing.rounding.ending",
        "must be less than step",
        pricing={"currency": "EUR", "rounding": {"step": "0.50", "ending": "0.99"}},
    ),
)


AT_THE_LIMITS = selling(
    {"name": "a" * 20, "memory": 1, "disk": "1023Pi", "maxUnits": 1, "price": {"currency": "XAF", "monthly": "0"}},
    refreshIntervalSeconds=3600,
    validitySeconds=14_400,
    endpoints=["https://a:1", "https://10.0.0.1:65535", "https://[fe80::1]"] + ["https://x"] * 13,
    location={"latitude": "-90", "longitude": "180.000"},
    **{"allocation.cpu.percent": 10_000, "allocation.cpu.reserved": 0, "stock.lowThreshold": 0},
) | {"metadata": {"name": "a" * 42}}
"""Every bound is meant inclusive: this host is fine."""

AMOUNTS = (
    "4Gi",
    "1.5Gi",
    ".5Gi",
    "5.",
    "0.3Ki",
    "500m",
    "0",
    "-0",
    "+4",
    "00004",
    "1e3",
    "2E2",
    "1e-3",
    "1e18",
    "1e17",
    "1Ei",
)
AMOUNTS += (
    "1023Pi",
    "1024Pi",
    "1152921504606846975",
    "1152921504606846976",
    "9223372036854775808",
    "100k",
    "99999999m",
    "٣",
    "4Gi ",
)
BORDER_CASES: dict[str, tuple[Any, ...]] = {
    "tiers.memory": (*AMOUNTS, 1, 0, -1, 2**60 - 1, 2**60, 2**63 - 1),
    "allocation.memory.reserved": (*AMOUNTS, 1, 0, -1, 2**60 - 1, 2**60, 2**63 - 1),
    "allocation.cpu.reserved": (*AMOUNTS, "0.001", "0.0001", "1u", 0, 99_999, 100_000, -1),
    "endpoints": (
        *(
            "https://a",
            "https://a.",
            "https://-a",
            "https://a-b.c",
            "https://a_b",
            "https://ä",
            "HTTPS://a",
            "https://",
            "https:a",
        ),
        *(
            "https://[::1]:80",
            "https://[::1",
            "https://::1",
            "https://a:80:80",
            "https://a:",
            "https://a:080",
            "https://a\\b",
            "https://a\tb",
        ),
    ),
    "location.country": ("DE", "de", "D", "DEU", "D\n", "DE\n", "ÄÖ"),
    "location.latitude": ("90", "90.0", "90.01", "-90", "+8.6", "007", "1.", ".5", "8,6", "1e1", "٣"),
    "location.longitude": ("180", "180.00", "180.01", "179.99999", "-180", "199", "099", "0", "1.", "8.6\n"),
    "credentialsSecretRef.name": ("a", "a.b", "a..b", "a-.b", "a.-b", ".a", "a.", "../x", "a/b", "a" * 253, "a" * 254),
    "allocation.cpu.dedicatedTags": ("a", "A+b", "a.b", "-a", ".a", "_a", "a b", "é", "a" * 64, "a" * 65),
    "bridge": ("vmbr0", "vmbr0.100", ".x", "-x", "9x", "x" * 32, "x" * 33, "ü"),
    "tiers.price.monthly": ("5", "5.00", "5.", ".5", "5.00001", "-5", "+5", "5,0", "1e3", "9" * 12, "9" * 13, "5.00\n"),
    "pricing.perGiBMemory": (
        "0",
        "0.000001",
        "0.0000001",
        "-1",
        "+1",
        "1e3",
        ".5",
        "5.",
        "9" * 12,
        "9" * 13,
        "٣",
        "1\n",
    ),
    "pricing.rounding.step": (
        "0",
        "0.0000",
        "0.0001",
        "0.00001",
        "000",
        "10",
        "9" * 12,
        "9" * 13,
        "-1",
        "1e3",
        "0.05\n",
    ),
    "tiers.name": ("a", "9", "a-b", "a--b", "-a", "a-", "A", "a.b", "é", "a\n", "a" * 20, "a" * 21),
}
"""Values at which two readers of one rule could part: field below spec -> values."""


def border_host(field: str, value: Any) -> dict[str, Any]:
    """A host that is good but perhaps for `value`."""
    if field == "tiers.price.monthly":
        return selling({"price": {"currency": "EUR", "monthly": value}})
    if field.startswith("tiers."):
        return selling({field.removeprefix("tiers."): value})
    if field.startswith("location.l"):
        return changed(location={"latitude": "0", "longitude": "0"}, **{field: value})
    if field.startswith("pricing."):
        return changed(pricing={"currency": "EUR"}, **{field: value})
    return changed(**{field: [value] if field.endswith(("endpoints", "Tags")) else value})


def says(refusal: Refused, field: str, message: str) -> bool:
    """Whether `message` about `field` tells what `refusal` wants to be told."""
    return field == refusal.field and re.search(refusal.remedy, message) is not None
