"""Coverage-guided fuzzing of all parsers: `python -m fuzz.coverage_guided SECONDS SEED`, ended by itself; exit code 0: nothing was found.

By atheris (libFuzzer), which sees what each input reaches in our code and goes on from what reached something new; that finds the one value in
one field which the sweeps do not think of. It owns its process, hence a program of its own. Inputs are JSON, mutated as values rather than bytes.
"""

import json
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import atheris

with atheris.instrument_imports(include=["proxmox_offerings.proxmox.parse"]):
    from proxmox_offerings.proxmox.parse import cluster, disk_trees, guests, nodes
    from proxmox_offerings.proxmox.parse.resources import resources
    from proxmox_offerings.proxmox.parse.values import LARGEST, Nonsense

from proxmox_offerings.proxmox.decoding import data_of
from proxmox_offerings.proxmox.errors import CallFailed

PARSERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "/version": cluster.version,
    "/access/permissions": cluster.permissions,
    "/storage": cluster.storage_configs,
    "/cluster/mapping/pci": cluster.pci_mappings,
    "/cluster/status": cluster.cluster_status,
    "/cluster/resources": resources,
    "/cluster/ha/status/manager_status": cluster.manager_status,
    "/status": nodes.node_status,
    "/network": nodes.interfaces,
    "/hardware/pci": nodes.pci_devices,
    "/mdev": nodes.mdev_types,
    "/content": nodes.volumes,
    "/disks/list": nodes.disks,
    "/disks/zfs": disk_trees.pool_names,
    "/disks/zfs/rpool": disk_trees.zpool,
    "/disks/lvm": disk_trees.volume_groups,
    "/disks/directory": disk_trees.directories,
    "qemu": lambda data: guests.guest_config(data, "qemu"),
    "lxc": lambda data: guests.guest_config(data, "lxc"),
    "/nodes/x/storage": nodes.node_storages,
}
"""By the end of the calls' paths. An input is a number of one of these, and the body of an answer."""
NAMES: Final = tuple(PARSERS)
ODD: Final = (
    None,
    True,
    "",
    0,
    -1,
    1,
    2,
    1e300,
    2**63,
    "1",
    "1.5",
    "NaN",
    [],
    {},
    [[]],
    "a:b,size=1G",
    "a=b,c",
    "٤",
    "size=9",
    "10de",
    "\x00",
)


def one_input(data: bytes) -> None:
    """Raises where anything but a usable answer or a refusal comes of it."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    try:
        answer = PARSERS[name](data_of(data[1:], most=10_000, what="fuzzing", path=name))
    except (CallFailed, Nonsense):
        return
    check(answer)


def check(answer: object) -> None:
    """Whether amounts are amounts: a negative one would be room."""
    if isinstance(answer, (int, float)):
        assert -1 <= answer <= LARGEST, answer
    elif isinstance(answer, Mapping):
        for key, value in answer.items():
            check(key)
            check(value)
    elif isinstance(answer, (tuple, list, frozenset)):
        for value in answer:
            check(value)
    elif hasattr(answer, "__slots__"):
        for name in answer.__slots__:
            check(getattr(answer, name))


def mutated(data: bytes, most: int, number: int) -> bytes:
    """Another value in some place of the answer; bytes now and then, for JSON that is none."""
    chance = random.Random(number)
    if len(data) > 1 and chance.random() < 0.9:
        try:
            answer = json.loads(data[1:])
        except ValueError:
            pass
        else:
            for _ in range(chance.randint(1, 3)):
                answer = changed(answer, chance)
            return (data[:1] + json.dumps(answer).encode())[:most]
    return atheris.Mutate(data, most)


def changed(value: Any, chance: random.Random) -> Any:
    """One place of it put otherwise."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        match chance.random():
            case share if share < 0.1:
                return {other: one for other, one in value.items() if other != key}
            case share if share < 0.15:
                return {**value, f"{key}{chance.randrange(20)}": value[key]}
            case _:
                return {**value, key: changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        index = chance.randrange(len(value))
        match chance.random():
            case share if share < 0.1:
                return [*value, value[index]]
            case share if share < 0.2:
                return [*value[:index], *value[index + 1 :]]
            case _:
                return [*value[:index], changed(value[index], chance), *value[index + 1 :]]
    if isinstance(value, str) and value and chance.random() < 0.5:
        cut = chance.randrange(len(value))
        return value[:cut] + chance.choice(("", ",", "=", ":", ";", "9", "é", "/", value)) + value[cut + 1 :]
    return chance.choice(ODD)


def seeds(answers: Mapping[str, Any]) -> list[bytes]:
    """Whole answers to begin with."""
    found = []
    for call, told in answers.items():
        path = call.partition("?")[0]
        for number, name in enumerate(NAMES):
            if path.endswith(name) or (name in ("qemu", "lxc") and f"/{name}/" in path):
                found.append(bytes([number]) + json.dumps({"data": told}).encode())
    return found


def main() -> None:
    import asyncio  # noqa: PLC0415 - before the fuzzer owns the process

    from fuzz.clusters import running  # noqa: PLC0415
    from support.answers import recorded  # noqa: PLC0415

    with TemporaryDirectory() as directory:
        corpus = Path(directory)
        for number, seed in enumerate(seeds(asyncio.run(recorded(running(in_trouble=True))))):
            (corpus / f"seed-{number}").write_bytes(seed)
        options = [
            f"-max_total_time={sys.argv[1]}",
            "-max_len=20000",
            "-timeout=10",
            "-rss_limit_mb=1024",
            f"-seed={sys.argv[2]}",
        ]
        atheris.Setup(
            [sys.argv[0], *options, f"-artifact_prefix={directory}/", directory], one_input, custom_mutator=mutated
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
