"""From what was read to what is known: the one way into a Snapshot."""

from collections import defaultdict

from proxmox_offerings.inventory.gathered import Configs, Fast, Remembered, Slow, WantedConfig
from proxmox_offerings.inventory.nodes import card_needs_of, has_cards, nodes_of, state_of
from proxmox_offerings.inventory.privileges import hidden_storages, lesser_gaps, require_rights
from proxmox_offerings.inventory.snapshot import NodeState, Snapshot
from proxmox_offerings.inventory.storages import pairs_on_same_bytes, places_of, provisioned_of
from proxmox_offerings.inventory.templates import templates_of
from proxmox_offerings.proxmox.answers import GuestRow
from proxmox_offerings.proxmox.errors import CallFailed, NotQuorate


def configs_wanted(*, fast: Fast, slow: Slow, remembered: Remembered, provisioned: bool) -> tuple[WantedConfig, ...]:
    """The guest configurations that counting needs now, by vmid: few, and none on a cluster without GPUs, templates and unlimited
    containers.

    `provisioned`: storage is accounted by configured sizes, which takes the configuration of every guest. A node that has not reported for a
    while may answer all the same; of its guests only templates are asked for, because other nodes may use them.
    """
    states = {row.name: state_of(row, manager=fast.manager, online=fast.cluster.online) for row in fast.resources.nodes}
    answering = {
        row.name: row for row in fast.resources.nodes if states[row.name] in {NodeState.ONLINE, NodeState.MAINTENANCE}
    }
    with_cards = {name for name, reading in slow.nodes.items() if has_cards(reading)}
    wanted = []
    for guest in fast.resources.guests:
        node = answering.get(guest.node)
        if node is None:
            last = remembered.sizes.get(guest.vmid)
            if states.get(guest.node) is NodeState.UNKNOWN and last is not None and last.template and _unsized(guest):
                wanted.append(WantedConfig(node=guest.node, kind=guest.kind, vmid=guest.vmid, pending=False))
            continue
        names_cards = guest.kind == "qemu" and not guest.template and guest.node in with_cards
        limit_untold = (
            guest.kind == "lxc" and not guest.template and guest.maxcpu is not None and guest.maxcpu == node.maxcpu
        )
        if provisioned or guest.template or names_cards or limit_untold or _unsized(guest):
            pending = names_cards and guest.status != "stopped"
            wanted.append(WantedConfig(node=guest.node, kind=guest.kind, vmid=guest.vmid, pending=pending))
    return tuple(wanted)


def remember(*, fast: Fast, slow: Slow, snapshot: Snapshot, remembered: Remembered) -> Remembered:
    """What the turn after that of `snapshot` must still know; guests that are gone are forgotten."""
    sizes, card_needs = {}, {}
    for guest in fast.resources.guests:
        # These may matter when their node is not heard of any more: HA or a migration brings the first two elsewhere.
        moves = guest.hastate or guest.lock == "migrate"
        if not _unsized(guest):
            if moves or guest.template:
                sizes[guest.vmid] = guest
        elif guest.vmid in remembered.sizes:
            sizes[guest.vmid] = remembered.sizes[guest.vmid]
        if moves and guest.kind == "qemu":
            needs = snapshot.card_needs.get(guest.vmid, {})
            if needs is not None:
                card_needs[guest.vmid] = needs
            elif guest.vmid in remembered.card_needs:
                card_needs[guest.vmid] = remembered.card_needs[guest.vmid]
    return Remembered(
        sizes=sizes,
        card_needs=card_needs,
        same_bytes=pairs_on_same_bytes(slow=slow, remembered=remembered),
        definitions=slow.storages,
    )


def snapshot_of(*, fast: Fast, slow: Slow, configs: Configs, remembered: Remembered) -> Snapshot:
    """The cluster as seen.

    Raises NotQuorate, PrivilegesMissing, UncountableGuests or CallFailed where what was read must not be believed or is not enough to
    count.
    """
    _require_believable(fast, slow)
    # One look at each of thousands of rows.
    guests_of: dict[str, list[GuestRow]] = defaultdict(list)
    last_known = {}
    maybe_templates: list[GuestRow] = []
    configured: list[GuestRow] = []
    unread: set[str] = set()
    for guest in fast.resources.guests:
        if configs.get(guest.vmid) is None:
            unread.add(guest.node)
        else:
            configured.append(guest)
        if guest.template:
            maybe_templates.append(guest)
            continue
        if guest.maxmem is None:
            maybe_templates.append(guest)
        if guest.maxmem is None or guest.maxcpu is None:
            if _was_template(guest, configs=configs, remembered=remembered):
                continue
            if guest.vmid in remembered.sizes:
                last_known[guest.vmid] = remembered.sizes[guest.vmid]
        guests_of[guest.node].append(guest)
    nodes = nodes_of(fast=fast, slow=slow, configs=configs, guests_of=guests_of)
    places = places_of(
        fast=fast,
        slow=slow,
        hidden=hidden_storages(slow.permissions),
        pairs=pairs_on_same_bytes(slow=slow, remembered=remembered),
    )
    return Snapshot(
        observed_at=fast.read_at,
        version=slow.version.version,
        cluster_name=fast.cluster.name,
        endpoint=fast.endpoint,
        nodes=nodes,
        guests=dict(guests_of),
        configs=configs,
        last_known=last_known,
        card_needs=card_needs_of(nodes=nodes, slow=slow, configs=configs, guests_of=guests_of, remembered=remembered),
        storages=places,
        provisioned=provisioned_of(configured, unread=unread, configs=configs, places=places),
        templates=templates_of(maybe_templates, slow=slow, configs=configs, remembered=remembered, places=places),
        missing_privileges=lesser_gaps(slow.permissions, slow.version),
        ha_targets=fast.manager.targets,
    )


def _require_believable(fast: Fast, slow: Slow) -> None:
    """Raises as `snapshot_of`."""
    if not fast.cluster.quorate:
        raise NotQuorate("the cluster has no quorum: what it shows may be old, so nothing new is said until it is back")
    require_rights(slow.permissions)
    if not fast.resources.nodes:
        raise CallFailed("the cluster lists no node, not even the one that answered")
    if fast.cluster.online and not any(row.name in fast.cluster.online for row in fast.resources.nodes):
        raise CallFailed("the nodes that the cluster lists are other ones than its members")
    if fast.cluster.name is None and len(fast.resources.nodes) > 1:
        raise CallFailed("several nodes are listed, but nothing is told of a cluster that could have a quorum")
    listed = {row.name for row in fast.resources.nodes}
    # What is left of a node that was removed from the cluster is not heard of; a guest that is must be on another one, nobody knows which.
    if any(guest.node not in listed and _heard_of(guest) for guest in fast.resources.guests):
        raise CallFailed("a guest is listed on a node that is not listed itself")


def _unsized(guest: GuestRow) -> bool:
    return guest.maxcpu is None or guest.maxmem is None


def _heard_of(guest: GuestRow) -> bool:
    """Whether its node told of it in the last 300 s (proxmox-api.md, fact 3)."""
    return guest.status != "unknown" or guest.maxcpu is not None or guest.maxmem is not None


def _was_template(guest: GuestRow, *, configs: Configs, remembered: Remembered) -> bool:
    """A template loses its mark with its size when its node is not heard of for 300 s (proxmox-api.md, fact 3)."""
    read = configs.get(guest.vmid)
    if read is not None:
        return any(config.template for config in read)
    last = remembered.sizes.get(guest.vmid)
    return last is not None and bool(last.template)
