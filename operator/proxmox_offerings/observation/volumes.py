"""Which nodes list which storages' templates: shared ones are listed once, by one node."""

from collections.abc import Iterable, Mapping

from proxmox_offerings.proxmox.answers import Resources, StorageConfig

TEMPLATE_CONTENTS = ("vztmpl", "import")
"""Container templates, and images to make machines from (since 8.3; before, no storage can have this content)."""


def volumes_to_list(
    *, resources: Resources, configs: Iterable[StorageConfig]
) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Node -> (storage, content) pairs, for nodes that are online and storages that are available there."""
    online = {node.name for node in resources.nodes if node.status == "online"}
    definitions = {config.storage: config for config in configs}
    chosen: dict[str, list[tuple[str, str]]] = {node: [] for node in sorted(online)}
    listed: set[str] = set()
    for row in resources.storages:
        config = definitions.get(row.storage)
        if row.node not in online or row.status != "available" or config is None or row.storage in listed:
            continue
        if row.shared or config.shared:
            listed.add(row.storage)
        chosen[row.node] += [(row.storage, content) for content in TEMPLATE_CONTENTS if content in config.content]
    return {node: tuple(pairs) for node, pairs in chosen.items()}
