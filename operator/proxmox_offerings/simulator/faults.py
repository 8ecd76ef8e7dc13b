"""Faults that are armed while the simulator runs: what networks, reverse proxies and sick servers do to an answer."""

import fnmatch
import itertools
from collections.abc import Callable

from pydantic import Field

from proxmox_offerings.simulator.model import Model


class Fault(Model):
    """What happens to calls of `path` (a glob over "/nodes/pve1/status") that come in at the entry `node` (absent: at any), `count` times.

    `delay` alone only delays. Of the others the first that is set acts, in this order.
    """

    path: str = "*"
    node: str | None = None
    count: int | None = Field(default=None, ge=1)
    delay: float = Field(default=0, ge=0)
    """Seconds before anything else."""
    hang: bool = False
    """No answer ever."""
    drop: bool = False
    """The connection breaks before the answer."""
    redirect: str | None = None
    """A 302 to this address."""
    oversized: int | None = Field(default=None, ge=1)
    """A well-formed answer of that many bytes."""
    status: int | None = Field(default=None, ge=100, le=999)
    """This status with `reason` and `body`: a 502 of a reverse proxy, a 500 of pmxcfs."""
    reason: str = ""
    body: str | None = None
    """Alone: a 200 with this body, such as a login page."""
    content_type: str | None = None
    truncate: bool = False
    """The answer is whole for its Content-Length, but its JSON is cut in the middle."""
    break_off: bool = False
    """The connection breaks in the middle of the body."""
    data: object = None
    """Well-formed JSON with other contents than the client expects, in the usual envelope."""


class Faults:
    """The armed faults. Several that match one call act in the order of their arming: the first that is left decides."""

    def __init__(self, matches: Callable[[str, str], bool] = fnmatch.fnmatchcase) -> None:
        self._matches = matches
        self._numbers = itertools.count(1)
        self._armed: dict[str, Fault] = {}
        self._left: dict[str, int] = {}

    def arm(self, fault: Fault) -> str:
        """Returns the name by which the fault can be disarmed."""
        name = f"fault-{next(self._numbers)}"
        self._armed[name] = fault
        if fault.count is not None:
            self._left[name] = fault.count
        return name

    def disarm(self, name: str | None = None) -> None:
        """One, or all. A fault that has done its count is disarmed already; that is no error."""
        for each in list(self._armed) if name is None else [name]:
            self._armed.pop(each, None)
            self._left.pop(each, None)

    def take(self, *, path: str, node: str) -> Fault | None:
        """The fault for this call, counted."""
        for name, fault in self._armed.items():
            if fault.node in (None, node) and self._matches(path, fault.path):
                if name in self._left:
                    self._left[name] -= 1
                    if self._left[name] == 0:
                        self.disarm(name)
                return fault
        return None

    @property
    def armed(self) -> dict[str, Fault]:
        return dict(self._armed)
