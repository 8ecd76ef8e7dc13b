"""The files that a running simulator leaves for others: how to reach it, whom to trust, and what to apply to Kubernetes.

simulator.json   endpoints, certificate authority, token and control API (0600; gone when the simulator ends)
ca.pem           the cluster's certificate authority
host.yaml        a ProxmoxHost with its Secret, ready to apply (0600)
"""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import yaml

STATE = "simulator.json"
MANIFEST = "host.yaml"
AUTHORITY = "ca.pem"
MOST_ENDPOINTS = 16
"""As many as a ProxmoxHost takes."""


class NotRunningError(Exception):
    """No simulator runs in that directory. The message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What simulator.json says."""

    pid: int
    endpoints: list[str]
    ca_file: str
    token_id: str
    token_secret: str
    control_url: str
    control_token: str

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Raises NotRunningError."""
        try:
            return cls(**json.loads((directory / STATE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise NotRunningError(f"no simulator runs in {directory}") from None
        except (OSError, ValueError, TypeError) as problem:
            raise NotRunningError(f"{directory / STATE} cannot be read: {problem}") from None

    def write(self, directory: Path) -> None:
        write_private(directory / STATE, json.dumps(asdict(self), indent=2) + "\n")


def manifest(
    *, name: str, namespace: str | None, endpoints: list[str], ca_pem: str, token_id: str, token_secret: str
) -> str:
    """A ProxmoxHost and the Secret that it names, as YAML."""
    place = {} if namespace is None else {"namespace": namespace}
    secret: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}-token", **place},
        "stringData": {"tokenID": token_id, "tokenSecret": token_secret},
    }
    host: dict[str, Any] = {
        "apiVersion": "proxmox-offerings.io/v1alpha1",
        "kind": "ProxmoxHost",
        "metadata": {"name": name, **place},
        "spec": {
            "endpoints": endpoints[:MOST_ENDPOINTS],
            "credentialsSecretRef": {"name": f"{name}-token"},
            "tls": {"caBundle": _Literal(ca_pem)},
        },
    }
    return yaml.dump_all([secret, host], Dumper=_Dumper, sort_keys=False)


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _Literal(str):
    """Text of several lines, written as such."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    _Literal, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)
