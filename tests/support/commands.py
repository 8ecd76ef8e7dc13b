"""Commands as people call them, against simulated clusters over HTTPS."""

import asyncio
import json
from typing import Any, NamedTuple

import yaml
from click.testing import CliRunner

from proxmox_offerings.cli.main import cli
from proxmox_offerings.simulator.simulator import Simulator
from proxmox_offerings.simulator.statefiles import manifest


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def called(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Said:
    """In a thread, so that a simulator of this loop can answer it."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, list(arguments), input=stdin, env=env)
    return Said(result.exit_code, result.stdout, result.stderr)


def host_file(
    simulator: Simulator,
    *,
    name: str = "fra1",
    namespace: str | None = None,
    secret: str | None = None,
    **spec: Any,
) -> str:
    """A ProxmoxHost and its Secret for this simulator; `spec` goes over what is there, None takes out."""
    written = manifest(
        name=name,
        namespace=namespace,
        endpoints=list(simulator.endpoints),
        ca_pem=simulator.ca_pem,
        token_id=simulator.token_id,
        token_secret=secret or simulator.token_secret,
    )
    token, host = yaml.safe_load_all(written)
    host["spec"] = {key: value for key, value in (host["spec"] | spec).items() if value is not None}
    return yaml.safe_dump_all([token, host])
