"""Which operating systems a tier can be installed with, and what they are called."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from proxmox_offerings.catalogue.text import clean
from proxmox_offerings.inventory.snapshot import Template
from proxmox_offerings.resources import OperatingSystem, OperatingSystemRule, Virtualization
from proxmox_offerings.resources.globs import glob_matches

KINDS = {Virtualization.KVM: "qemu", Virtualization.LXC: "lxc"}

NAMES = {
    "almalinux": "AlmaLinux",
    "alpine": "Alpine",
    "arch": "Arch Linux",
    "archlinux": "Arch Linux",
    "centos": "CentOS",
    "debian": "Debian",
    "devuan": "Devuan",
    "fedora": "Fedora",
    "freebsd": "FreeBSD",
    "gentoo": "Gentoo",
    "opensuse": "openSUSE",
    "rocky": "Rocky Linux",
    "rockylinux": "Rocky Linux",
    "ubuntu": "Ubuntu",
    "windows": "Windows",
}
VERSION = re.compile(r"[-_ ]?v?([0-9]+(?:\.[0-9]+)?)(?![0-9])")


def systems_of(
    *,
    virtualization: Virtualization,
    templates: Iterable[Template],
    rules: Iterable[OperatingSystemRule],
    carriers: Collection[str],
) -> tuple[OperatingSystem, ...]:
    """The templates of the tier's kind that can be used on nodes that can carry the tier, by name."""
    rules = tuple(rules)
    found: dict[tuple[str, int | str], set[str]] = defaultdict(set)
    for template in templates:
        nodes = template.nodes.intersection(carriers)
        source = template.vmid if template.vmid is not None else template.volid
        if template.kind == KINDS[virtualization] and nodes and source is not None:
            found[system_name(template, rules), source].update(nodes)
    return tuple(
        OperatingSystem(name=name, template=source, nodes=tuple(sorted(nodes)))
        for (name, source), nodes in sorted(found.items(), key=lambda item: (item[0][0], str(item[0][1])))
    )


def system_name(template: Template, rules: Iterable[OperatingSystemRule]) -> str:
    """By the first rule that matches, else read from the template's name ("debian-12-standard_12.7-1_amd64.tar.zst": "Debian 12")."""
    for rule in rules:
        match = rule.match
        if match.name is not None and glob_matches(match.name, template.name):
            return rule.name
        if match.tag is not None and match.tag in template.tags:
            return rule.name
        if match.vmid is not None and match.vmid == template.vmid:
            return rule.name
    return _readable(template.name)


def _readable(name: str) -> str:
    lowered = name.lower()
    for word, title in sorted(NAMES.items(), key=lambda item: -len(item[0])):
        at = re.search(rf"(?<![a-z]){word}(?![a-z])", lowered)
        if at:
            version = VERSION.match(lowered, at.end())
            return f"{title} {version[1]}" if version else title
    return clean(name)
