"""How a path of the API is declared: where it runs, what it takes, who may call it. The server refuses by this, in the real one's order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from proxmox_offerings.simulator.cluster import Cluster, Node
from proxmox_offerings.simulator.privileges import Access
from proxmox_offerings.simulator.refusals import forbidden, unknown_parameter, wrong_parameter
from proxmox_offerings.simulator.versions import Version


class Rows(list[object]):
    """A list whose order means nothing: it comes from a Perl hash, in another order each time."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An answer that is JSON already."""

    json: bytes


class HangingError(Exception):
    """The answering node waits for a storage that does not answer: no answer comes within the proxy's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated call. `entry` is the node that was connected to, `node` the one that answers; `query` is checked already."""

    cluster: Cluster
    entry: Node
    node: Node
    access: Access
    token: str
    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> Version:
        return self.node.version

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.query.get(name)
        return default if value is None else value.lower() in ("1", "on", "yes", "true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter. `choices`: each element of a comma list must be one of these, `since`: unknown before."""

    choices: Callable[[Version], frozenset[str]] | None = None
    boolean: bool = False
    several: bool = False
    since: tuple[int, ...] = (0,)

    def verify(self, name: str, value: str, version: Version) -> None:
        if self.boolean and value.lower() not in ("0", "1", "on", "off", "yes", "no", "true", "false"):
            raise wrong_parameter(name, f"type check ('boolean') failed - got '{value}'")
        if self.choices is not None:
            allowed = self.choices(version)
            for each in value.split(",") if self.several else [value]:
                if each not in allowed:
                    raise wrong_parameter(
                        name, f"value '{each}' does not have a value in the enumeration '{', '.join(sorted(allowed))}'"
                    )


Check = Callable[[Call], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One GET. `proxied`: the node named in the path answers; else the entry node does, whatever the path says."""

    path: str
    answer: Callable[[Call], object]
    check: Check | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    proxied: bool = False
    since: tuple[int, ...] = (0,)

    def verify(self, call: Call) -> None:
        """Refuse parameters that the answering node's version does not know."""
        for name, value in call.query.items():
            parameter = self.parameters.get(name)
            if parameter is None or not call.version >= parameter.since:
                raise unknown_parameter(name)
            parameter.verify(name, value, call.version)


def needs(path: str, *privileges: str) -> Check:
    """One of the privileges on the path, whose {names} are those of the call."""

    def check(call: Call) -> None:
        where = path.format_map(call.path)
        if not call.access.allows(where, *privileges):
            raise forbidden(where, *privileges)

    return check


class Table:
    """All endpoints, found by path."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._by_length: dict[int, list[tuple[list[str], Endpoint]]] = {}
        for endpoint in endpoints:
            parts = endpoint.path.strip("/").split("/")
            self._by_length.setdefault(len(parts), []).append((parts, endpoint))

    def find(self, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """The endpoint of "/nodes/pve1/status", and what its {names} are."""
        given = path.strip("/").split("/")
        for parts, endpoint in self._by_length.get(len(given), []):
            names: dict[str, str] = {}
            for wanted, actual in zip(parts, given, strict=True):
                if wanted.startswith("{"):
                    names[wanted[1:-1]] = actual
                elif wanted != actual:
                    break
            else:
                return endpoint, names
        return None
