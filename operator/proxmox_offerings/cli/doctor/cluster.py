"""The cluster as it was counted: each node, each storage, what can be installed, and what each tier would say."""

from collections.abc import Iterable

from proxmox_offerings.capacity.disks import CONTENT
from proxmox_offerings.catalogue.count import Count
from proxmox_offerings.catalogue.explain import Explanation, NodeAccount, StorageAccount, explain
from proxmox_offerings.catalogue.messages import REASONS
from proxmox_offerings.catalogue.systems import system_name
from proxmox_offerings.catalogue.text import clean, listed
from proxmox_offerings.cli.doctor.findings import Finding, Verdict
from proxmox_offerings.cli.explanation import CARD_WORDS, NOT_SELECTED, STORAGE_WORDS, size
from proxmox_offerings.cli.reading import Preview
from proxmox_offerings.inventory.snapshot import Node, Template
from proxmox_offerings.resources import OperatingSystemRule
from proxmox_offerings.resources.globs import glob_matches

OK, WARNING, FAILED = Verdict.OK, Verdict.WARNING, Verdict.FAILED

NODES = {
    "Offline": (
        WARNING,
        "nothing is sold on it until it is back",
        ("on the node: systemctl status pve-cluster corosync",),
    ),
    "Maintenance": (
        WARNING,
        "nothing is sold on it until maintenance ends",
        ("ha-manager crm-command node-maintenance disable {node}",),
    ),
    "NoBridge": (
        FAILED,
        "nothing is sold on it: spec.bridge names a bridge that it does not have",
        ("on the node: ip -br link show type bridge",),
    ),
    "Unknown": (
        FAILED,
        "nothing is sold on it, whatever its guests look like",
        ("on the node: systemctl restart pvestatd",),
    ),
    "UncountableGuest": (
        FAILED,
        "nothing is sold on it until that guest's size is known",
        ("on the node: qm list; pct list",),
    ),
}
"""Why a node is left out -> how bad that is, what it means, and what helps."""
UNREADABLE = (
    FAILED,
    "nothing is sold on it until it can be read",
    ("on the node: systemctl restart pvedaemon pveproxy pvestatd",),
)
CARDS = {
    "NoIommu": (
        "add intel_iommu=on to /etc/kernel/cmdline, or to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub; AMD needs it in the firmware alone",
        "proxmox-boot-tool refresh; update-grub; reboot",
    ),
    "SharedIommuGroup": ("put the card into another slot, or switch on ACS in the firmware",),
}
STORAGES = {
    "NotVisible": (FAILED, ("pveum acl list   # shows the rule on /storage/{storage} that hides it",)),
    "Disabled": (WARNING, ("pvesm set {storage} --disable 0",)),
    "Inactive": (FAILED, ("on the node: pvesm status --storage {storage}",)),
    "Unknown": (FAILED, ("on the node: pvesm status --storage {storage}; systemctl restart pvestatd",)),
    "Contradictory": (FAILED, ("grep -A8 ': {storage}$' /etc/pve/storage.cfg",)),
    "Unread": (FAILED, ("on the node: timeout 30 pvesm status --storage {storage}",)),
}


def findings_of(counted: Count, preview: Preview) -> list[Finding]:
    """All of it, in the order in which one depends on the other."""
    told = explain(counted)
    return [*_nodes(counted, told), *_storages(counted, told), *_systems(counted), *_tiers(preview)]


def _nodes(counted: Count, told: Explanation) -> Iterable[Finding]:
    for account in told.nodes:
        node = counted.snapshot.nodes[account.name]
        yield _node(node, account)
        yield from _cards(node, account)


def _node(node: Node, account: NodeAccount) -> Finding:
    name = clean(node.name)
    bridges = (
        "bridges not read"
        if node.bridges is None
        else f"bridges {listed(sorted(map(clean, node.bridges)))}"
        if node.bridges
        else "no bridges"
    )
    seen = f"{node.state.value.lower()}; {node.threads or '?'} threads, {size(node.memory) if node.memory else '?'}, {bridges}"
    tried = f"read node {name}"
    if account.left_out is None:
        if node.hvm is False:
            means = "virtual machines cannot be sold on it, containers can"
            fix = ("switch on VT-x or AMD-V in the firmware",)
            return Finding(
                area="node",
                subject=name,
                verdict=WARNING,
                tried=tried,
                found=f"{seen}; no hardware virtualization",
                means=means,
                fix=fix,
            )
        return Finding(area="node", subject=name, verdict=OK, tried=tried, found=seen)
    if account.left_out not in REASONS:
        return Finding(area="node", subject=name, verdict=OK, tried=tried, found=f"{seen}; {NOT_SELECTED} (spec.nodes)")
    verdict, means, fix = NODES.get(account.left_out, UNREADABLE)
    lines = tuple(line.format(node=name) for line in fix)
    return Finding(
        area="node",
        subject=name,
        verdict=verdict,
        tried=tried,
        found=f"it {REASONS[account.left_out]}; {seen}",
        means=means,
        fix=lines,
    )


def _cards(node: Node, account: NodeAccount) -> Iterable[Finding]:
    name = clean(node.name)
    tried = f"GPUs of {name}"
    if account.left_out is None and (account.cards is None or account.cards_blind):
        why = account.cards_blind or "its PCI devices could not be read"
        means = "no GPU is sold on it; everything else is"
        yield Finding(
            area="gpu",
            subject=name,
            verdict=WARNING,
            tried=tried,
            found=why,
            means=means,
            fix=(f"pvesh get /nodes/{name}/hardware/pci",),
        )
    for card in account.cards or ():
        what = f"{name}: {clean(card.name)}"
        if card.sellable:
            yield Finding(
                area="gpu",
                subject=what,
                verdict=OK,
                tried=tried,
                found=f"{card.sellable} for sale, {'?' if card.free is None else card.free} free",
            )
        for word, count in card.unsellable.items():
            found = f"{count} not for sale: {CARD_WORDS.get(word, word)}"
            yield Finding(
                area="gpu",
                subject=what,
                verdict=WARNING,
                tried=tried,
                found=found,
                means="a guest could not have it alone",
                fix=CARDS.get(word, ()),
            )


def _storages(counted: Count, told: Explanation) -> Iterable[Finding]:
    content = {(place.storage, place.node): place.content for place in counted.snapshot.storages}
    for account in told.storages:
        name = clean(account.storage)
        held = frozenset().union(*(content.get((account.storage, node), frozenset()) for node in account.nodes))
        yield _storage(account, held, name)


def _storage(account: StorageAccount, content: frozenset[str], name: str) -> Finding:
    where = (
        f"{name}, shared by {listed(list(account.nodes))}"
        if account.shared
        else f"{name} on {listed(list(account.nodes))}"
    )
    tried, holds = f"read storage {where}", ", ".join(sorted(map(clean, content)))
    word = account.hidden or ("Unread" if account.headroom is None else None)
    if word == "NotSelected":
        return Finding(area="storage", subject=where, verdict=OK, tried=tried, found=STORAGE_WORDS[word])
    if not content & set(CONTENT.values()) and word is None:
        return Finding(
            area="storage",
            subject=where,
            verdict=OK,
            tried=tried,
            found=f"takes no disks of guests ({holds or 'nothing'})",
        )
    if word is not None:
        verdict, fix = STORAGES.get(word, (FAILED, ()))
        return Finding(
            area="storage",
            subject=where,
            verdict=verdict,
            tried=tried,
            found=STORAGE_WORDS.get(word, word),
            means="no disk is sold on it",
            fix=tuple(line.format(storage=name) for line in fix),
        )
    left = max(0, account.headroom or 0)
    same = f"; the same bytes as {clean(', '.join(account.same_bytes))}, counted once" if account.same_bytes else ""
    return Finding(
        area="storage",
        subject=where,
        verdict=OK,
        tried=tried,
        found=f"active; {account.storage_class}, {holds}; {size(left)} of {size(account.total or 0)} for sale{same}",
    )


def _systems(counted: Count) -> Iterable[Finding]:
    templates, rules = counted.snapshot.templates, counted.host.spec.operating_systems
    tried = "find templates to install from"
    if not templates:
        yield Finding(
            area="templates",
            subject="operating systems",
            verdict=WARNING,
            tried=tried,
            found="none",
            means="Offerings will not say which operating systems a customer can have",
            fix=(
                "qm template VMID   # makes a template of a prepared guest",
                "pveam download local debian-12-standard_12.7-1_amd64.tar.zst",
            ),
        )
        return
    names = sorted({system_name(template, rules) for template in templates})
    yield Finding(
        area="templates",
        subject="operating systems",
        verdict=OK,
        tried=tried,
        found=f"{len(templates)}: {listed(names, most=8)}",
    )
    for index, rule in enumerate(rules):
        if not any(_matches(rule, template) for template in templates):
            yield Finding(
                area="templates",
                subject=f"spec.operatingSystems[{index}] ({clean(rule.name)})",
                verdict=WARNING,
                tried="match it with the templates",
                found="no template matches",
                means=f"{clean(rule.name)} will not be offered",
                fix=("pvesh get /cluster/resources --type vm   # names and tags of templates",),
            )


def _matches(rule: OperatingSystemRule, template: Template) -> bool:
    match = rule.match
    return (
        (match.name is not None and glob_matches(match.name, template.name))
        or (match.tag is not None and match.tag.lower() in template.tags)
        or (match.vmid is not None and match.vmid == template.vmid)
    )


def _tiers(preview: Preview) -> Iterable[Finding]:
    if not preview.offerings:
        yield Finding(
            area="tier",
            subject="all",
            verdict=WARNING,
            tried="derive tiers from the hardware",
            found="none",
            means="nothing would be offered: no node could carry even the smallest",
            fix=("name your own in spec.tiers",),
        )
    for offering in preview.offerings:
        status = offering["status"]
        unknown = status["stock"] == "Unknown"
        yield Finding(
            area="tier",
            subject=offering["spec"]["tier"],
            verdict=FAILED if unknown else OK,
            tried="count how many fit",
            found=f"{status['stock']}: {status.get('message') or ''}",
            means="it cannot be sold until somebody can tell" if unknown else None,
        )
