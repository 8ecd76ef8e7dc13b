"""What exists in Kubernetes, as far as we know: fed by the first full list, by watches, and by the answers to our own writes.

An object is only ever replaced by a newer version of itself, so that a late event undoes nothing, and the echo of our own write is no news.
"""

from collections.abc import Iterable, Mapping

from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import ProxmoxHost


class LiveObjects:
    """All ProxmoxHosts and Offerings that we look after. `revision` grows with every change of them."""

    def __init__(self) -> None:
        self.revision = 0
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

    def saw_host(self, host: LiveObject) -> bool:
        """Take note of a version of a host. Whether it is one to act on: new, deleted, or with another spec."""
        known = self._hosts.get(host.ref)
        if known is not None and known.version >= host.version:
            return False
        self._hosts[host.ref] = host
        self._changed(host.ref)
        return known is None or (known.uid, known.generation, known.deleting) != (
            host.uid,
            host.generation,
            host.deleting,
        )

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
