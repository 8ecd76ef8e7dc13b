"""JSON as the server writes it: without blanks, and in the random order of Perl's hashes."""

import json
from collections.abc import Iterable
from typing import Any

from proxmox_offerings.simulator.cluster import Cluster
from proxmox_offerings.simulator.endpoints import Encoded, Rows


def text(value: object, cluster: Cluster) -> str:
    """One JSON value; keys and `Rows` in random order unless the cluster's behaviour says otherwise."""
    if cluster.behaviour.shuffle:
        value = _shuffled(value, cluster)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def join_rows(rows: Iterable[str]) -> bytes:
    return f"[{','.join(rows)}]".encode()


def envelope(answer: object, cluster: Cluster) -> bytes:
    """{"data": …} of an answer."""
    data = answer.json if isinstance(answer, Encoded) else text(answer, cluster).encode()
    return b'{"data":' + data + b"}"


def _shuffled(value: Any, cluster: Cluster) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        cluster.random.shuffle(items)
        return {key: _shuffled(each, cluster) for key, each in items}
    if isinstance(value, list):
        elements = [_shuffled(each, cluster) for each in value]
        if isinstance(value, Rows):
            cluster.random.shuffle(elements)
        return elements
    return value
