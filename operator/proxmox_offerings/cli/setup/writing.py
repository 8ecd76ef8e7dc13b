"""The manifest as text: a Secret and a ProxmoxHost that a person goes on editing, readable by nobody else."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from proxmox_offerings.cli.manifests import UnreadableInput
from proxmox_offerings.resources import Architecture, Tier

WIDE = 10_000


def manifest(
    *,
    name: str,
    namespace: str | None,
    endpoints: Sequence[str],
    tls: Mapping[str, object],
    token_id: str,
    token_secret: str,
    tiers: Sequence[Tier],
    about: str,
    made: datetime,
) -> str:
    """Two documents. `about` says in a few words what cluster this is."""
    place = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**place, "name": f"{name}-token"},
        "stringData": {"tokenID": token_id, "tokenSecret": token_secret},
    }
    spec: dict[str, Any] = {"endpoints": list(endpoints), "credentialsSecretRef": {"name": f"{name}-token"}}
    if tls:
        spec["tls"] = dict(tls)
    host = {
        "apiVersion": "proxmox-offerings.io/v1alpha1",
        "kind": "ProxmoxHost",
        "metadata": place,
        "spec": spec,
    }
    return (
        f"# {about}; written by proxmox-offerings init on {made:%Y-%m-%d}.\n"
        "# The Secret is in here: keep this file to yourself, or move the Secret to where you keep others.\n"
        f"{_block(secret)}---\n{_block(host)}{_tiers(tiers)}"
    )


def _block(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=WIDE)


def _tiers(tiers: Sequence[Tier]) -> str:
    if not tiers:
        return "  # No tiers are named, so that they are derived from the hardware.\n"
    lines = [
        '  # What the hardware suggests. Change sizes and names as you like, and give prices: price: {currency: EUR, monthly: "5.00"}.',
        "  # Without this list the operator derives the same tiers by itself, and further ones as nodes are added.",
        "  tiers:",
    ]
    for tier in tiers:
        written: dict[str, Any] = {
            "name": tier.name,
            "cpu": tier.cpu,
            "memory": str(tier.memory),
            "disk": str(tier.disk),
        }
        if tier.architecture is not Architecture.AMD64:
            written["architecture"] = tier.architecture.value
        if tier.gpu is not None:
            written["gpu"] = {"count": tier.gpu.count, "models": list(tier.gpu.models)}
        lines.append(f"  - {yaml.safe_dump(written, default_flow_style=True, sort_keys=False, width=WIDE).strip()}")
    return "\n".join(lines) + "\n"


def refuse_unwritable(path: Path, *, force: bool) -> None:
    """Before anybody was asked anything. Raises UnreadableInput."""
    if not path.parent.is_dir():
        raise UnreadableInput(f"{path} cannot be written: there is no directory {path.parent}")
    if not force:
        refuse_existing(path)


def refuse_existing(path: Path) -> None:
    """Raises UnreadableInput where there is something already."""
    if path.exists() or path.is_symlink():
        raise UnreadableInput(f"{path} is there already: name another with -o, or overwrite it with --force")


def write(path: Path, text: str, *, force: bool) -> None:
    """For its owner alone, from its first byte on. Raises UnreadableInput."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            if force:
                temporary.replace(path)
            else:
                os.link(temporary, path)  # refuses where somebody was faster
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        refuse_existing(path)
    except OSError as problem:
        raise UnreadableInput(f"{path} cannot be written ({problem.strerror})") from None


class _Dumper(yaml.SafeDumper):
    """Texts of several lines are written as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
