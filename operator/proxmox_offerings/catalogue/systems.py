"""Which operating systems a tier can be installed with, and what they are called."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from proxmox_offerings.catalogue.bounds import MOST_SYSTEMS, names
from proxmox_offerings.catalogue.system_names import readable_name
from proxmox_offerings.catalogue.text import clean
from proxmox_offerings.inventory.snapshot import Template
from proxmox_offerings.resources import Architecture, OperatingSystem, OperatingSystemRule, Tier, Virtualization
from proxmox_offerings.resources.globs import glob_matches

KINDS = {Virtualization.KVM: "qemu", Virtualization.LXC: "lxc"}
ARCHITECTURES = {
    Architecture.AMD64: re.compile(r"(?<![a-z0-9])(amd64|x86[-_]64|x64)(?![a-z0-9])", re.IGNORECASE),
    Architecture.ARM64: re.compile(r"(?<![a-z0-9])(arm64|aarch64)(?![a-z0-9])", re.IGNORECASE),
}
"""How files that are made for one architecture say so ("debian-12-standard_12.7-1_amd64.tar.zst")."""


def systems_of(
    tier: Tier, *, templates: Iterable[Template], rules: Iterable[OperatingSystemRule], carriers: Collection[str]
) -> tuple[OperatingSystem, ...]:
    """The templates of the tier's kind that can be used on nodes that can carry the tier (`carriers`), by name."""
    rules = tuple(rules)
    found: dict[tuple[str, int | str], set[str]] = defaultdict(set)
    for template in templates:
        nodes = template.nodes.intersection(carriers)
        source = template.vmid if template.vmid is not None else template.volid
        if nodes and source is not None and template.kind == KINDS[tier.virtualization] and _runs_on(template, tier):
            found[system_name(template, rules), source].update(nodes)
    listed = sorted(found.items(), key=lambda item: (item[0][0], str(item[0][1])))[:MOST_SYSTEMS]
    return tuple(
        OperatingSystem(name=name, template=source, nodes=names(nodes, lists=len(listed)))
        for (name, source), nodes in listed
    )


def system_name(template: Template, rules: Iterable[OperatingSystemRule]) -> str:
    """By the first rule that matches, else as read from the template's name and tags, else that name itself."""
    for rule in rules:
        match = rule.match
        if match.name is not None and glob_matches(match.name, template.name):
            return rule.name
        # Proxmox writes tags in lower case, however they were typed.
        if match.tag is not None and not {match.tag, match.tag.lower()}.isdisjoint(template.tags):
            return rule.name
        if match.vmid is not None and match.vmid == template.vmid:
            return rule.name
    return readable_name(template.name, tags=template.tags) or clean(template.name)


def _runs_on(template: Template, tier: Tier) -> bool:
    """Unless its name says that it is made for other processors alone."""
    made_for = {architecture for architecture, spelled in ARCHITECTURES.items() if spelled.search(template.name)}
    return not made_for or tier.architecture in made_for
