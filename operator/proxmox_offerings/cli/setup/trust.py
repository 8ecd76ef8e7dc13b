"""Whom to trust: the system's trust store where it verifies the certificate, else the certificate itself once somebody has compared it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from proxmox_offerings.cli.certificates import ON_THE_NODE, Certificate
from proxmox_offerings.cli.doctor.findings import Verdict
from proxmox_offerings.cli.doctor.network import Endpoint, look_at
from proxmox_offerings.cli.manifests import UnreadableInput
from proxmox_offerings.cli.progress import progress
from proxmox_offerings.cli.setup.asking import Asker
from proxmox_offerings.proxmox.tls import TLSPolicy

PORT = 8006


class NotTrusted(Exception):
    """Whoever was asked said no, or it is not the certificate that was expected."""


@dataclass(slots=True, kw_only=True)
class Trust:
    """How the endpoints are trusted; `pins` by endpoint, `system` those that the system's trust store verifies."""

    expected: tuple[str, ...] = ()
    ca_bundle: str | None = None
    pins: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)

    @property
    def policy(self) -> TLSPolicy:
        if self.ca_bundle is not None:
            return TLSPolicy(ca_bundle=self.ca_bundle)
        return TLSPolicy(fingerprints=self.fingerprints) if self.pins else TLSPolicy()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of all endpoints as soon as one has to be pinned: pins alone decide then."""
        return tuple(dict.fromkeys({**self.shown, **self.pins}.values())) if self.pins else ()

    def tls(self) -> dict[str, object]:
        """spec.tls; empty for the system's trust store."""
        if self.ca_bundle is not None:
            return {"caBundle": self.ca_bundle}
        return {"fingerprints": list(self.fingerprints)} if self.pins else {}


def endpoint_of(text: str) -> str:
    """ "pve1", "pve1:8006" and "https://pve1:8006/" are all the same. Raises UnreadableInput."""
    plain = text.strip()
    if "://" not in plain:
        plain = f"https://{plain}"
    try:
        parts = urlsplit(plain)
        host, port = parts.hostname or "", parts.port or PORT
        plain_address = parts.scheme == "https" and not (parts.username or parts.path.strip("/") or parts.query)
    except ValueError:
        host, port, plain_address = "", PORT, False
    if not host or not plain_address:
        raise UnreadableInput(
            f"{text!r} is no address of a node: write pve1.example.net, or https://pve1.example.net:8006"
        )
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


async def look(endpoints: Sequence[str], trust: Trust, asker: Asker) -> list[Endpoint]:
    """Look at each endpoint, and tell what keeps one from being reached. What was found trustworthy is `trusted`."""
    policy = TLSPolicy(ca_bundle=trust.ca_bundle) if trust.ca_bundle is not None else TLSPolicy()
    async with progress(len(endpoints)) as tell:
        tell("looking at", ", ".join(endpoints))
        looked = await asyncio.gather(*(look_at(url, policy=policy, now=datetime.now(UTC)) for url in endpoints))
    for endpoint in looked:
        for finding in endpoint.findings:
            if finding.verdict is Verdict.FAILED:
                means = f"; {finding.means}" if finding.means else ""
                asker.tell(f"{endpoint.url}: {finding.tried}: {finding.found}{means}")
    return looked


def settle(endpoint: Endpoint, trust: Trust, asker: Asker) -> None:
    """Show its certificate, and settle whether it is trusted: by somebody who verifies it, or who is asked.

    Raises NotTrusted where it is not to be trusted, UnreadableInput where nobody can be asked.
    """
    if endpoint.certificate is not None:
        _settle(endpoint, endpoint.certificate, trust, asker)


def _settle(endpoint: Endpoint, shown: Certificate, trust: Trust, asker: Asker) -> None:
    asker.tell()
    asker.tell(asker.paint(f"{endpoint.url} shows this certificate:", bold=True))
    for head, text in (
        ("subject", shown.subject),
        ("issuer", shown.issuer),
        ("names", ", ".join(shown.names) or "none"),
        ("valid", f"{shown.begins:%Y-%m-%d} to {shown.ends:%Y-%m-%d}"),
        ("SHA-256", shown.fingerprint),
    ):
        asker.tell(f"  {head.ljust(8)} {text}")
    expected = {one.replace(":", "").upper() for one in trust.expected}
    if expected and shown.fingerprint.replace(":", "") not in expected:
        raise NotTrusted(
            f"{endpoint.url} shows another certificate than --fingerprint names: somebody may sit between, or it was renewed"
        )
    trust.shown[endpoint.url] = shown.fingerprint
    if endpoint.trusted and not expected:
        asker.tell(
            f"  {asker.paint('verified', 'green')} by {'--ca-bundle' if trust.ca_bundle else 'the trust store of this system'}"
        )
        return
    if trust.ca_bundle is not None:
        raise NotTrusted(f"{endpoint.url}: its certificate was refused with --ca-bundle: {endpoint.refusal}")
    if not expected:
        asker.tell(
            f"  No authority that this system trusts signed it. Compare its SHA-256 with what the node itself prints:\n    {ON_THE_NODE}"
        )
        if asker.person and not asker.confirm("  Is it the same, and shall it be pinned?", default=False):
            raise NotTrusted("nothing was sent to it and nothing written: the certificate was not confirmed")
        if not asker.person and not asker.yes:
            raise UnreadableInput(
                f"nobody is here to confirm the certificate of {endpoint.url}: give --fingerprint, --ca-bundle, or --yes to take it as it is shown"
            )
        if not asker.person:
            asker.tell("  --yes: pinned as shown, without anybody comparing it")
    trust.pins[endpoint.url] = shown.fingerprint
    endpoint.trusted = True
