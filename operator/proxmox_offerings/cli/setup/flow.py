"""The way from an address to a written manifest, each step on what the one before found out."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import click

from proxmox_offerings.cli.certificates import address_of
from proxmox_offerings.cli.doctor import rights
from proxmox_offerings.cli.doctor.findings import Finding, Verdict
from proxmox_offerings.cli.doctor.report import PICTURES, WORDS, render
from proxmox_offerings.cli.manifests import Credentials, HostManifest, UnreadableInput, parse_host
from proxmox_offerings.cli.progress import progress, writes
from proxmox_offerings.cli.reading import counted_of
from proxmox_offerings.cli.setup import writing
from proxmox_offerings.cli.setup.asking import Asker
from proxmox_offerings.cli.setup.trust import NotTrusted, Trust, endpoint_of, look, settle
from proxmox_offerings.observation.connect import observe_once, open_client
from proxmox_offerings.proxmox.answers import ClusterStatus, Version
from proxmox_offerings.proxmox.errors import CredentialsMissing, ObservationError
from proxmox_offerings.proxmox.network import resolve
from proxmox_offerings.proxmox.token import Token

MOST_ENDPOINTS = 16
LONGEST_NAME = 42
"""Of a ProxmoxHost, so that <host>-<tier> fits a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was given on the command line. `file` None: standard output."""

    endpoints: tuple[str, ...]
    token_id: str | None
    token_secret_file: str | None
    fingerprints: tuple[str, ...]
    ca_bundle: str | None
    discover: bool
    tiers: bool
    name: str | None
    namespace: str | None
    file: Path | None
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the cluster said of itself to this token."""

    version: Version
    status: ClusterStatus


async def run(wishes: Wishes, asker: Asker) -> int:
    """The exit code. Raises UnreadableInput."""
    if wishes.file is not None:
        writing.refuse_unwritable(wishes.file, force=wishes.force)
    try:
        return await _run(wishes, asker)
    except (NotTrusted, ObservationError) as problem:
        raise click.ClickException(str(problem)) from None


async def _run(wishes: Wishes, asker: Asker) -> int:
    secret = asker.given_secret(wishes.token_secret_file)
    endpoints = _endpoints(wishes, asker)
    trust = Trust(expected=wishes.fingerprints, ca_bundle=wishes.ca_bundle)
    looked = await look(endpoints, trust, asker)
    for endpoint in looked:
        settle(endpoint, trust, asker)
    if not all(one.trusted for one in looked):
        raise NotTrusted("not every node that was named can be reached and trusted: nothing was written")
    token, answered = await _token(wishes, asker, endpoints, trust, given=secret)
    asker.tell(
        f"\nProxmox VE {answered.version.version}, {_cluster(answered.status)}: the token is accepted, and sees all that is counted."
    )
    if wishes.discover:
        endpoints = [*endpoints, *await _others(answered.status, endpoints, trust, asker)]
    name = _name(wishes, asker, answered.status)
    manifest = _manifest(name, wishes.namespace, endpoints, trust, token)
    async with progress(1) as tell:
        snapshot = await observe_once(spec=manifest.host.spec, token=token, on_progress=lambda text: tell(name, text))
    counted = counted_of(manifest, snapshot).counted
    assert counted is not None  # noqa: S101 - it raises otherwise
    text = writing.manifest(
        name=name,
        namespace=wishes.namespace,
        endpoints=endpoints,
        tls=trust.tls(),
        token_id=token.id,
        token_secret=token.secret,
        tiers=counted.tiers if wishes.tiers else (),
        about=f"{_cluster(answered.status)}, Proxmox VE {answered.version.version}",
        made=datetime.now(UTC),
    )
    if wishes.file is None:
        click.echo(text, nl=False)
        return 0
    writing.write(wishes.file, text, force=wishes.force)
    asker.tell(
        f"\n{asker.paint('Written:', 'green')} {wishes.file} ({len(endpoints)} endpoint{'' if len(endpoints) == 1 else 's'}, "
        f"{len(counted.tiers)} tiers, readable by you alone). Next:\n"
        f"  proxmox-offerings preview -f {wishes.file}   what it would sell\n"
        f"  proxmox-offerings check -f {wishes.file}     every part of the way, looked at\n"
        f"  kubectl apply -f {wishes.file}               where the operator runs"
    )
    return 0


def _endpoints(wishes: Wishes, asker: Asker) -> list[str]:
    given = wishes.endpoints or (asker.text("Address of a node", given=None, flag="--endpoint"),)
    return list(dict.fromkeys(endpoint_of(text) for text in given))


async def _token(
    wishes: Wishes, asker: Asker, endpoints: Sequence[str], trust: Trust, *, given: str | None
) -> tuple[Token, Answered]:
    """A token that was tried. A person may try again; nobody else. Raises ObservationError, NotTrusted, UnreadableInput."""
    while True:
        token_id = asker.text("\nFull name of the token (user@realm!name)", given=wishes.token_id, flag="--token-id")
        secret = asker.secret("Secret of the token", given=given)
        try:
            token = Token(id=token_id, secret=secret)
            return token, await _try(token, endpoints, trust, asker)
        except CredentialsMissing as problem:
            if not asker.person:
                raise UnreadableInput(str(problem)) from None
            asker.tell(str(problem))
        except (ObservationError, NotTrusted) as problem:
            if not asker.person:
                raise
            asker.tell(f"\n{problem}")
        if not asker.confirm("Try again?", default=True):
            raise NotTrusted("nothing was written")


async def _try(token: Token, endpoints: Sequence[str], trust: Trust, asker: Asker) -> Answered:
    """Raises ObservationError; NotTrusted where rights are missing, after telling which and how to grant them."""
    client = open_client(spec=_manifest("new", None, endpoints, trust, token).host.spec, token=token)
    try:
        version, permissions = await client.version(), await client.permissions()
        findings = rights.findings_of(permissions, version, token_id=token.id)
        if any(one.verdict is not Verdict.OK for one in findings):
            asker.tell("\n" + _report(token.id, findings, asker))
        if any(one.verdict is Verdict.FAILED for one in findings):
            raise NotTrusted("the token lacks rights: run the lines above on any node, then try again")
        return Answered(version=version, status=await client.cluster_status())
    finally:
        await client.aclose()


def _report(title: str, findings: Sequence[Finding], asker: Asker) -> str:
    signs = PICTURES if writes(sys.stderr.encoding, "".join(PICTURES)) else WORDS
    return render(title, findings, paint=asker.paint, signs=signs, quiet=True)


async def _others(status: ClusterStatus, endpoints: Sequence[str], trust: Trust, asker: Asker) -> list[str]:
    """The other nodes, those of them that answer and are trusted. Nobody has to be able to reach them from here."""
    found = await unnamed(status, endpoints)
    if not found:
        return []
    asker.tell(f"\nOther nodes of the cluster: {', '.join(f'{node} ({url})' for node, url in found.items())}.")
    found = dict(list(found.items())[: MOST_ENDPOINTS - len(endpoints)])
    added = []
    for node, endpoint in zip(found, await look(list(found.values()), trust, asker), strict=True):
        if not trust.pins and endpoint.refusal is not None:
            # Where the others are verified by name, one that is known by its address alone would make pins necessary for all.
            asker.tell(
                f"  {node} is left out: {endpoint.refusal}. Name it with -e under the name that its certificate has"
            )
            continue
        try:
            settle(endpoint, trust, asker)
        except NotTrusted as problem:
            asker.tell(f"  {node} is left out: {problem}")
            continue
        if endpoint.trusted:
            added.append(endpoint.url)
        else:
            asker.tell(f"  {node} is left out: it does not answer there. Name another address with -e if it has one")
    return added


async def unnamed(status: ClusterStatus, endpoints: Sequence[str]) -> dict[str, str]:
    """Endpoints of the nodes that `endpoints` do not name, by node, at the same port as the first."""
    port = address_of(endpoints[0])[1]
    known: set[str] = set()
    for url in endpoints:
        known.update(await resolve(*address_of(url)))
    named = {address_of(url)[0].partition(".")[0] for url in endpoints}
    found = {}
    for node, address in sorted(status.addresses.items()):
        try:
            ip = ip_address(address)
        except ValueError:
            continue
        if node != status.local and node not in named and str(ip) not in known:
            found[node] = f"https://{f'[{ip}]' if ip.version == 6 else ip}:{port}"
    return found


def _name(wishes: Wishes, asker: Asker, status: ClusterStatus) -> str:
    told = status.name or status.local or "proxmox"
    suggested = re.sub(r"[^a-z0-9-]+", "-", told.lower())[:LONGEST_NAME].strip("-") or "proxmox"
    return asker.text("\nName of the ProxmoxHost", given=wishes.name, flag="--name", default=suggested)


def _manifest(name: str, namespace: str | None, endpoints: Sequence[str], trust: Trust, token: Token) -> HostManifest:
    """Raises UnreadableInput where the name or an address cannot be one."""
    document = {
        "apiVersion": "proxmox-offerings.io/v1alpha1",
        "kind": "ProxmoxHost",
        "metadata": {"name": name} | ({} if namespace is None else {"namespace": namespace}),
        "spec": {
            "endpoints": list(endpoints),
            "credentialsSecretRef": {"name": f"{name}-token"},
            "tls": trust.tls(),
        },
    }
    return HostManifest(
        host=parse_host(document, "what was given"),
        credentials=Credentials(token_id=token.id, token_secret=token.secret),
    )


def _cluster(status: ClusterStatus) -> str:
    nodes = len(status.online)
    return (
        f"cluster {status.name} of {nodes} node{'' if nodes == 1 else 's'}"
        if status.name
        else f"node {status.local or 'without a cluster'}"
    )
