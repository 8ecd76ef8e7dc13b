"""One ProxmoxHost, from its manifest to its tiers: each step is tried only where the one before it held."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from proxmox_offerings.cli.doctor import cluster, network, rights
from proxmox_offerings.cli.doctor.findings import Finding, failed, ok, warning
from proxmox_offerings.cli.doctor.network import Endpoint
from proxmox_offerings.cli.manifests import HostManifest, Unusable
from proxmox_offerings.cli.progress import Tell
from proxmox_offerings.cli.reading import counted_of, preview_of
from proxmox_offerings.observation.connect import observe_once, open_client
from proxmox_offerings.proxmox.answers import ClusterStatus, Permissions, Version
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.errors import (
    CredentialsMissing,
    NotQuorate,
    ObservationError,
    PrivilegesMissing,
    Unauthorized,
)
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.token import Token

OLDEST = (7, 4)


async def unusable(found: Unusable) -> list[Finding]:
    """Of a host in Kubernetes whose manifest or Secret cannot be used."""
    return [failed("manifest", found.host, "read the ProxmoxHost and its Secret", found.problem)]


async def examine(manifest: HostManifest, *, now: datetime, tell: Tell) -> list[Finding]:
    """Everything that can be found out, in the order in which one step needs the one before."""
    host, name = manifest.host, manifest.host.metadata.name
    findings = [ok("manifest", name, "read the manifest", f"valid; {len(host.spec.tiers or ()) or 'derived'} tiers")]
    if host.spec.suspend:
        findings.append(
            warning(
                "manifest",
                "spec.suspend",
                "look whether it is suspended",
                "it is: the operator does not read this cluster",
            )
        )
    token = _token(manifest, findings)
    policy = TLSPolicy(
        ca_bundle=host.spec.tls.ca_bundle,
        fingerprints=host.spec.tls.fingerprints,
        insecure_skip_verify=host.spec.tls.insecure_skip_verify,
    )
    tell(name, f"trying {len(host.spec.endpoints)} endpoints")
    endpoints = await asyncio.gather(*(network.look_at(url, policy=policy, now=now) for url in host.spec.endpoints))
    network.certificate_findings(endpoints, policy, now)
    if token is None:
        return findings + [finding for endpoint in endpoints for finding in endpoint.findings]
    seen = await asyncio.gather(*(_ask(manifest, endpoint, token) for endpoint in endpoints))
    findings += [finding for endpoint in endpoints for finding in endpoint.findings]
    findings += _same_cluster(endpoints, seen)
    known = next((one for one in seen if one is not None), None)
    if known is None:
        return findings
    version, _, permissions = known
    if permissions is not None:
        findings += rights.findings_of(permissions, version, token_id=token.id)
    return findings + await _counted(manifest, token, tell)


Seen = tuple[Version, ClusterStatus | None, Permissions | None]


def _token(manifest: HostManifest, findings: list[Finding]) -> Token | None:
    tried = f"read tokenID and tokenSecret of Secret {manifest.host.spec.credentials_secret_ref.name}"
    try:
        token = Token(id=manifest.credentials.token_id, secret=manifest.credentials.token_secret)
    except CredentialsMissing as problem:
        fix = (
            "pveum user token add offerings@pve reader --privsep 1   # prints full-tokenid, which is tokenID, and value, which is tokenSecret",
        )
        findings.append(failed("token", "form", tried, str(problem), fix=fix))
        return None
    findings.append(ok("token", "form", tried, token.id))
    return token


async def _ask(manifest: HostManifest, endpoint: Endpoint, token: Token) -> Seen | None:
    """With the token, at this one endpoint: who are you, and what may I see?"""
    if not endpoint.trusted:
        return None
    spec = manifest.host.spec.model_copy(update={"endpoints": (endpoint.url,)})
    client = open_client(spec=spec, token=token)
    try:
        version = await _version(client, endpoint, token)
        if version is None:
            return None
        status = await _status(client, endpoint)
        try:
            permissions = await client.permissions()
        except ObservationError as problem:
            endpoint.findings.append(failed("token", endpoint.url, "read the token's permissions", str(problem)))
            permissions = None
        return version, status, permissions
    finally:
        await client.aclose()


async def _version(client: ProxmoxClient, endpoint: Endpoint, token: Token) -> Version | None:
    tried = "GET /version with the token"
    try:
        version = await client.version()
    except Unauthorized as problem:
        fix = rights.new_token(token.id)
        means = "the token is not known there, has expired, or its secret is another one; a secret is shown only once, when the token is made"
        endpoint.findings.append(failed("token", endpoint.url, tried, str(problem), means=means, fix=fix))
        return None
    except ObservationError as problem:
        fix = ("systemctl status pveproxy pvedaemon pve-cluster",)
        endpoint.findings.append(failed("version", endpoint.url, tried, str(problem), fix=fix))
        return None
    endpoint.findings.append(ok("token", endpoint.url, tried, "accepted"))
    supported = version.numbers >= OLDEST
    found = f"Proxmox VE {version.version}"
    endpoint.findings.append(
        ok("version", endpoint.url, tried, f"{found}, supported")
        if supported
        else failed(
            "version",
            endpoint.url,
            tried,
            f"{found} is older than {OLDEST[0]}.{OLDEST[1]}",
            means="its answers mean other things",
            fix=("pveupgrade",),
        )
    )
    return version


async def _status(client: ProxmoxClient, endpoint: Endpoint) -> ClusterStatus | None:
    tried = "GET /cluster/status"
    try:
        status = await client.cluster_status()
    except ObservationError as problem:
        endpoint.findings.append(failed("quorum", endpoint.url, tried, str(problem)))
        return None
    if status.quorate:
        found = (
            f"{sum(status.online.values())} of {len(status.online)} nodes are online"
            if status.name
            else "a standalone node"
        )
        endpoint.findings.append(ok("quorum", endpoint.url, tried, f"{found}; quorate" if status.name else found))
    else:
        means = "what this node shows is old; nothing new is said until a majority of the nodes is there"
        fix = ("pvecm status", "systemctl restart corosync pve-cluster   # on nodes that are up but not members")
        endpoint.findings.append(failed("quorum", endpoint.url, tried, "no quorum", means=means, fix=fix))
    return status


def _same_cluster(endpoints: Sequence[Endpoint], seen: Sequence[Seen | None]) -> list[Finding]:
    """Endpoints of two clusters in one ProxmoxHost would be read in turn, each contradicting the other."""
    clusters: defaultdict[tuple[str | None, frozenset[str]], list[str]] = defaultdict(list)
    for endpoint, one in zip(endpoints, seen, strict=True):
        if one is not None and one[1] is not None:
            clusters[one[1].name, frozenset(one[1].online)].append(endpoint.url)
    if len(clusters) < 2:
        return []
    parts = [f"{name or 'no cluster'} ({', '.join(urls)})" for (name, _), urls in clusters.items()]
    means = "one ProxmoxHost is one cluster: give each cluster a ProxmoxHost of its own"
    return [
        failed(
            "endpoints", "one cluster", "compare what cluster each endpoint belongs to", "; ".join(parts), means=means
        )
    ]


async def _counted(manifest: HostManifest, token: Token, tell: Tell) -> list[Finding]:
    name = manifest.host.metadata.name
    try:
        snapshot = await observe_once(spec=manifest.host.spec, token=token, on_progress=lambda text: tell(name, text))
        reading = counted_of(manifest, snapshot)
    except (PrivilegesMissing, NotQuorate):
        return []  # told above, where it was found
    except ObservationError as problem:
        return [failed("cluster", name, "read everything that is counted", f"{problem.reason}: {problem}")]
    assert reading.counted is not None  # noqa: S101 - it raises otherwise
    return cluster.findings_of(reading.counted, preview_of(reading))
