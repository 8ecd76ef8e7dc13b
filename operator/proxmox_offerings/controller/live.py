"""What exists in Kubernetes, as far as we know: fed by the first full list, by watches, and by the answers to our own writes.

An object is only ever replaced by a newer version of itself, so that a late event undoes nothing, and the echo of our own write is no news. A watch
often tells of a write before its answer does; then what it tells is taken for the echo, until the answer shows whether it is.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import ProxmoxHost


@dataclass(slots=True)
class Writing:
    """What happens to an Offering while it is written: the newest version that was heard of, and that was written."""

    heard: int = 0
    written: int = 0

    @property
    def overtaken(self) -> bool:
        """Whether somebody else wrote after us, or instead of us."""
        return self.heard > self.written


class LiveObjects:
    """All ProxmoxHosts and Offerings that exist. `revision` grows with every change of them. `acts_on` tells whether we work on a host now."""

    def __init__(self, *, acts_on: Callable[[Ref], bool] = lambda _: True) -> None:
        self.revision = 0
        self._acts_on = acts_on
        self._writing: dict[Ref, Writing] = {}
        self._hosts: dict[Ref, LiveObject] = {}
        self._offerings: dict[Ref, LiveObject] = {}
        self._by_host: dict[Ref, set[Ref]] = {}
        self._revisions: dict[Ref, int] = {}

    def revision_of(self, host: Ref) -> int:
        """Another number whenever the host at `host`, or an Offering that belongs to it, changed; never one that was there before."""
        return self._revisions.get(host, 0)

    def hosts(self) -> Mapping[Ref, LiveObject]:
        """All hosts."""
        return self._hosts

    def host(self, ref: Ref) -> LiveObject | None:
        """The host at `ref`."""
        return self._hosts.get(ref)

    def host_versions(self) -> Mapping[tuple[Ref, str], int]:
        """The version of each host, by where it is and uid."""
        return {(live.ref, live.uid): live.version for live in self._hosts.values()}

    def offering_versions(self) -> Mapping[tuple[Ref, str], int]:
        """The version of each Offering, by where it is and uid."""
        return {(live.ref, live.uid): live.version for live in self._offerings.values()}

    def offering(self, ref: Ref) -> LiveObject | None:
        """The Offering at `ref`, whoever owns it."""
        return self._offerings.get(ref)

    def offerings_of(self, host: LiveObject) -> Mapping[str, LiveObject]:
        """The Offerings that `host` owns, by name."""
        refs = self._by_host.get(host.ref, ())
        offerings = (self._offerings[ref] for ref in sorted(refs))
        return {there.ref.name: there for there in offerings if there.owner is not None and there.owner.uid == host.uid}

    def knows(self, plural: str, ref: Ref, version: int) -> bool:
        """Whether this version of a host or Offering, or a newer one, was seen: to hear of it is no news."""
        known = self._hosts.get(ref) if plural == ProxmoxHost.PLURAL else self._offerings.get(ref)
        return known is not None and known.version >= version

    def hears(self, plural: str, seen: LiveObject) -> bool:
        """Take note of a version if nobody here has to act on it. Whether it is such a one.

        To act on are specs of hosts that we work on, and what others made of their Offerings.
        """
        if plural == ProxmoxHost.PLURAL:
            known = self._hosts.get(seen.ref)
            if (known is None or _differ(known, seen)) and self._acts_on(seen.ref):
                return False
            self.saw_host(seen)
            return True
        known = self._offerings.get(seen.ref)
        hosts = {host_of(one) for one in (known, seen) if one is not None}
        writing = self._writing.get(seen.ref)
        if any(host is not None and self._acts_on(host) for host in hosts) and (writing is None or len(hosts) > 1):
            return False
        if writing is not None:
            writing.heard = max(writing.heard, seen.version)
        self.saw_offering(seen)
        return True

    @contextlib.contextmanager
    def writing(self, ref: Ref) -> Iterator[Writing]:
        """While the Offering at `ref` is written. Not by two at a time."""
        self._writing[ref] = writing = Writing()
        try:
            yield writing
        finally:
            del self._writing[ref]

    def wrote(self, offering: LiveObject) -> None:
        """Take note of what we made of an Offering."""
        if (writing := self._writing.get(offering.ref)) is not None:
            writing.written = offering.version
        self.saw_offering(offering)

    def saw_host(self, host: LiveObject) -> bool:
        """Take note of a version of a host. Whether it is one to act on: new, deleted, or with another spec."""
        known = self._hosts.get(host.ref)
        if known is not None and known.version >= host.version:
            return False
        self._hosts[host.ref] = host
        self._changed(host.ref)
        return known is None or _differ(known, host)

    def host_gone(self, host: LiveObject) -> bool:
        """Take note that a host is gone. Whether it was there."""
        known = self._hosts.get(host.ref)
        if known is None or known.uid != host.uid:
            return False
        del self._hosts[host.ref]
        self._changed(host.ref)
        return True

    def saw_offering(self, offering: LiveObject) -> set[Ref]:
        """Take note of a version of an Offering. The hosts that it concerns; none if it is no news."""
        known = self._offerings.get(offering.ref)
        if known is not None and known.version >= offering.version:
            return set()
        concerned = set()
        if known is not None and (before := host_of(known)) is not None:
            concerned.add(before)
            self._no_longer_of(before, offering.ref)
        self._offerings[offering.ref] = offering
        if (now := host_of(offering)) is not None:
            concerned.add(now)
            self._by_host.setdefault(now, set()).add(offering.ref)
        self._changed(*concerned)
        return concerned

    def offering_gone(self, offering: LiveObject) -> set[Ref]:
        """Take note that an Offering is gone. The hosts that it concerns."""
        known = self._offerings.get(offering.ref)
        if known is None or known.uid != offering.uid:
            return set()
        del self._offerings[offering.ref]
        host = host_of(known)
        concerned = set() if host is None else {host}
        if host is not None:
            self._no_longer_of(host, offering.ref)
        self._changed(*concerned)
        return concerned

    def hosts_listed(self, hosts: Iterable[LiveObject], *, namespace: str | None, version: int) -> set[Ref]:
        """Take note of a full list of hosts of `namespace` (None: of all). The hosts to act on.

        What is not in the list is gone, unless it is newer than the list.
        """
        listed = list(hosts)
        concerned = {host.ref for host in listed if self.saw_host(host)}
        for known in _missing(self._hosts, listed, namespace, version):
            self.host_gone(known)
            concerned.add(known.ref)
        return concerned

    def offerings_listed(self, offerings: Iterable[LiveObject], *, namespace: str | None, version: int) -> set[Ref]:
        """The same for Offerings. The hosts that have to be looked at."""
        listed = list(offerings)
        concerned: set[Ref] = set()
        for offering in listed:
            concerned |= self.saw_offering(offering)
        for known in _missing(self._offerings, listed, namespace, version):
            concerned |= self.offering_gone(known)
        return concerned

    def _changed(self, *hosts: Ref) -> None:
        """Something is new about these hosts, or about an Offering that belongs to none."""
        self.revision += 1
        for host in hosts:
            if host in self._hosts or host in self._by_host:
                self._revisions[host] = self.revision
            else:
                self._revisions.pop(host, None)

    def _no_longer_of(self, host: Ref, offering: Ref) -> None:
        self._by_host[host].discard(offering)
        if not self._by_host[host]:
            del self._by_host[host]


def _differ(one: LiveObject, other: LiveObject) -> bool:
    """Whether two versions are of different objects, or of different specs."""
    return (one.uid, one.generation, one.deleting) != (other.uid, other.generation, other.deleting)


def host_of(offering: LiveObject) -> Ref | None:
    """The host that an Offering belongs to: its owner, or the one that its spec names where somebody took the owner away."""
    if offering.owner is not None and offering.owner.kind == ProxmoxHost.KIND:
        return Ref(offering.ref.namespace, offering.owner.name)
    name = (offering.spec.get("hostRef") or {}).get("name")
    return Ref(offering.ref.namespace, name) if name else None


def _missing(
    known: Mapping[Ref, LiveObject], listed: Iterable[LiveObject], namespace: str | None, version: int
) -> list[LiveObject]:
    there = {(live.ref, live.uid) for live in listed}
    return [
        live
        for live in known.values()
        if (namespace is None or live.ref.namespace == namespace)
        and (live.ref, live.uid) not in there
        and live.version <= version
    ]
