"""Each endpoint: its name, its port, its certificate, its clock. The token is not sent for any of this."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic

import httpcore

from proxmox_offerings.cli import certificates
from proxmox_offerings.cli.certificates import ON_THE_NODE, Certificate, address_of
from proxmox_offerings.cli.doctor.findings import Finding, Verdict, failed, ok
from proxmox_offerings.proxmox.errors import InvalidHost
from proxmox_offerings.proxmox.network import resolve
from proxmox_offerings.proxmox.tls import TLSPolicy

EXPIRES_SOON = timedelta(days=21)
SKEW_SECONDS = 30
DAY = "%Y-%m-%d"


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """What was found out about one endpoint. `trusted`: the token may be sent there."""

    url: str
    findings: list[Finding] = field(default_factory=list)
    certificate: Certificate | None = None
    refusal: str | None = None
    trusted: bool = False


async def look_at(url: str, *, policy: TLSPolicy, now: datetime) -> Endpoint:
    """From its name to its clock, until something fails."""
    endpoint = Endpoint(url=url)
    if not await _resolves(endpoint) or not await _connects(endpoint):
        return endpoint
    try:
        endpoint.certificate = await certificates.shown_by(url)
        endpoint.refusal = await certificates.refusal(url, policy)
        endpoint.trusted = endpoint.refusal is None
    except InvalidHost as problem:
        endpoint.findings.append(failed("TLS", url, "make ready to verify certificates", str(problem)))
        return endpoint
    except (OSError, ssl.SSLError) as problem:
        endpoint.findings.append(
            failed(
                "TLS",
                url,
                "TLS handshake",
                f"no TLS there ({type(problem).__name__})",
                means="something else than Proxmox VE listens on that port, or a device in between interferes",
                fix=("systemctl status pveproxy",),
            )
        )
        return endpoint
    if endpoint.trusted:
        await _compare_clocks(endpoint, policy, now)
    return endpoint


def certificate_findings(endpoints: Sequence[Endpoint], policy: TLSPolicy, now: datetime) -> None:
    """Judge all certificates together: what has to be pinned has to be pinned for all nodes."""
    pins = [(one.certificate.fingerprint, one.url) for one in endpoints if one.certificate is not None]
    for endpoint in endpoints:
        shown = endpoint.certificate
        if shown is None or (not endpoint.trusted and endpoint.refusal is None):
            continue
        endpoint.findings.append(_certificate(endpoint, shown, policy, pins, now))


def _certificate(
    endpoint: Endpoint, shown: Certificate, policy: TLSPolicy, pins: Sequence[tuple[str, str]], now: datetime
) -> Finding:
    told = f"{shown.subject}, signed by {shown.issuer}, until {shown.ends:{DAY}}, SHA-256 {shown.fingerprint}"
    how = "pinned" if policy.fingerprints else "spec.tls.caBundle" if policy.ca_bundle else "the system's trust store"
    if endpoint.refusal is not None:
        return failed(
            "certificate",
            endpoint.url,
            f"verify the certificate ({how})",
            f"refused: {endpoint.refusal}; it is {told}",
            means="nothing is sent to a server that cannot prove who it is. Compare the fingerprint with what the node itself prints; "
            "if it is the same, pin it",
            fix=(f"on the node: {ON_THE_NODE}", "spec:", "  tls:", "    fingerprints:", *_pinned(pins)),
        )
    if policy.insecure_skip_verify:
        return Finding(
            area="certificate",
            subject=endpoint.url,
            verdict=Verdict.WARNING,
            tried="connect without verifying the certificate (spec.tls.insecureSkipVerify)",
            found=told,
            means="whoever sits between can take the token. Compare the fingerprint with what the node itself prints, and pin it instead",
            fix=(f"on the node: {ON_THE_NODE}", "spec:", "  tls:", "    fingerprints:", *_pinned(pins)),
        )
    ends_soon = shown.ends - now < EXPIRES_SOON
    return Finding(
        area="certificate",
        subject=endpoint.url,
        verdict=Verdict.WARNING if ends_soon else Verdict.OK,
        tried=f"verify the certificate ({how})",
        found=f"accepted: {shown.subject}, until {shown.ends:{DAY}}",
        means="it ends soon; once it is renewed, a pinned fingerprint has to be listed beside the old one"
        if ends_soon
        else None,
        fix=("pvenode acme cert renew   # or, with the cluster's own authority: pvecm updatecerts --force",)
        if ends_soon
        else (),
    )


def _pinned(pins: Sequence[tuple[str, str]]) -> list[str]:
    return [f'    - "{fingerprint}"   # {url}' for fingerprint, url in pins]


async def _resolves(endpoint: Endpoint) -> bool:
    host, port = address_of(endpoint.url)
    try:
        async with asyncio.timeout(certificates.CONNECT_SECONDS):
            found = await resolve(host, port)
    except (httpcore.ConnectError, TimeoutError):
        endpoint.findings.append(
            failed(
                "name",
                endpoint.url,
                f"look up {host}",
                "no such name",
                means="this machine's resolver does not know it; the operator's may, where it runs",
                fix=(f"getent hosts {host}   # or write the node's address into spec.endpoints",),
            )
        )
        return False
    if found != [host]:
        endpoint.findings.append(ok("name", endpoint.url, f"look up {host}", ", ".join(found[:4])))
    return True


async def _connects(endpoint: Endpoint) -> bool:
    host, port = address_of(endpoint.url)
    began = monotonic()
    try:
        async with asyncio.timeout(certificates.CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
        await certificates.hang_up(writer)
    except (OSError, TimeoutError) as problem:
        refused = isinstance(problem, ConnectionRefusedError)
        found = "refused" if refused else "no answer in 5 s" if isinstance(problem, TimeoutError) else "no way there"
        means = (
            "the node is up, but pveproxy does not listen"
            if refused
            else "the node is down, or a firewall drops what comes from here"
        )
        fix = (
            "systemctl restart pveproxy",
            f"pve-firewall status; ss -ltn 'sport = :{port}'",
        )
        endpoint.findings.append(failed("port", endpoint.url, f"connect to port {port}", found, means=means, fix=fix))
        return False
    took = (monotonic() - began) * 1000
    endpoint.findings.append(ok("port", endpoint.url, f"connect to port {port}", f"open, after {took:.0f} ms"))
    return True


async def _compare_clocks(endpoint: Endpoint, policy: TLSPolicy, now: datetime) -> None:
    began = monotonic()
    try:
        date = await certificates.clock_of(endpoint.url, policy)
        told = parsedate_to_datetime(date) if date else None
    except (OSError, ValueError, InvalidHost):
        return
    if told is None:
        return
    skew = (told - now).total_seconds() - (monotonic() - began) / 2
    ahead = f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    far = abs(skew) > SKEW_SECONDS
    endpoint.findings.append(
        Finding(
            area="clock",
            subject=endpoint.url,
            verdict=Verdict.WARNING if far else Verdict.OK,
            tried="compare its clock with this machine's",
            found=ahead if far else "the same time as here",
            means="one of the two clocks is wrong: certificates and validUntil are judged by them" if far else None,
            fix=("timedatectl status; chronyc tracking   # on the node and here",) if far else (),
        )
    )
