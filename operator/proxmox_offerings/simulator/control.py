"""A client of the control API, synchronous, for scripts, tests in other processes and the command line.

control = Control.of(Path(".simulator"))
control.do("kill-node", name="pve2")
"""

from pathlib import Path
from typing import Any, Self

import httpx

from proxmox_offerings.simulator.statefiles import NotRunningError, State

TIMEOUT = 10.0


class ControlError(Exception):
    """The running simulator refused. The message is its sentence."""


class Control:
    """Acts on a running simulator. Raises ControlError where it refuses, NotRunningError where it does not answer."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    @classmethod
    def of(cls, directory: Path) -> Self:
        """The simulator that was started with this directory. Raises NotRunningError."""
        state = State.read(directory)
        return cls(state.control_url, state.control_token)

    def do(self, operation: str, /, **arguments: Any) -> Any:
        """One of control_api.OPERATIONS, with its arguments as JSON has them (sizes in bytes or "10Gi" within guests)."""
        return self._ask("POST", f"/do/{operation}", arguments)["result"]

    def state(self) -> dict[str, Any]:
        """What the cluster is like now: nodes, storages, guests."""
        told: dict[str, Any] = self._ask("GET", "/state")
        return told

    def requests(self) -> list[dict[str, str]]:
        """The requests that came in: method, path, query, node."""
        told: list[dict[str, str]] = self._ask("GET", "/requests")
        return told

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = httpx.request(
                method, self._url + path, json=body, headers=self._headers, timeout=TIMEOUT, trust_env=False
            )
        except httpx.HTTPError as problem:
            raise NotRunningError(f"the simulator does not answer: {problem}") from None
        if answer.is_error:
            raise ControlError(
                answer.json()["error"]
                if "json" in answer.headers.get("Content-Type", "")
                else f"HTTP {answer.status_code}"
            )
        return answer.json()
