"""The certificate that a server shows, seen without trusting it: nothing is sent to it but the handshake."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.transport import certificate_refusal
from proxmox_offerings.resources.text import clean

CONNECT_SECONDS = 5.0
CLOSING_SECONDS = 1.0
PORT = 443
LONGEST_HEAD = 16_384
ON_THE_NODE = "openssl x509 -noout -fingerprint -sha256 -in /etc/pve/local/pve-ssl.pem"
"""What prints the fingerprint where it can be trusted; a certificate of one's own is pveproxy-ssl.pem beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Whose it says it is, who signed it, until when, and its SHA-256 as Proxmox writes it."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime
    fingerprint: str


def address_of(endpoint: str) -> tuple[str, int]:
    """Host and port of an endpoint that the schema let through."""
    parts = urlsplit(endpoint)
    return parts.hostname or "", parts.port or PORT


async def shown_by(endpoint: str) -> Certificate:
    """The certificate that the server shows. Raises OSError (TimeoutError, ssl.SSLError) where there is no TLS server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host, port = address_of(endpoint)
    async with asyncio.timeout(CONNECT_SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=_sni(host))
    try:
        shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return read(shown.getpeercert(binary_form=True) or b"")
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close the connection, and wait until it is: what is still closing when the loop ends is left to the garbage collector."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
        await asyncio.sleep(0)
    except OSError:
        pass  # the other side was faster


async def refusal(endpoint: str, policy: TLSPolicy) -> str | None:
    """Why `policy` refuses that server's certificate, in words; None where it accepts it. Raises OSError, InvalidHost."""
    host, port = address_of(endpoint)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=policy.context(), server_hostname=host)
    except ssl.SSLError as problem:
        found = certificate_refusal(problem)
        if found is None:
            raise
        return found
    await hang_up(writer)
    return None


async def clock_of(endpoint: str, policy: TLSPolicy) -> str | None:
    """The Date that the server writes above its start page, which takes no token; None where it writes none. Raises OSError, InvalidHost."""
    host, port = address_of(endpoint)
    async with asyncio.timeout(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(host, port, ssl=policy.context(), server_hostname=host)
        try:
            writer.write(
                f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode("ascii", "ignore")
            )
            head = b""
            while b"\r\n\r\n" not in head and len(head) < LONGEST_HEAD and (part := await reader.read(4096)):
                head += part
        finally:
            await hang_up(writer)
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")
    dates = [line.partition(b":")[2] for line in lines if line.lower().startswith(b"date:")]
    return dates[0].strip().decode("ascii", "replace") if dates else None


def read(der: bytes) -> Certificate:
    """Raises ssl.SSLError where it cannot be read."""
    from cryptography import x509  # noqa: PLC0415 - takes a tenth of a second
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    try:
        found = x509.load_der_x509_certificate(der)
        names = _names(found)
        return Certificate(
            subject=clean(found.subject.rfc4514_string()),
            issuer=clean(found.issuer.rfc4514_string()),
            names=tuple(map(clean, names)),
            begins=found.not_valid_before_utc,
            ends=found.not_valid_after_utc,
            fingerprint=found.fingerprint(hashes.SHA256()).hex(":").upper(),
        )
    except ValueError:
        raise ssl.SSLError("the certificate cannot be read") from None


def _names(certificate: "object") -> list[str]:
    from cryptography import x509  # noqa: PLC0415

    assert isinstance(certificate, x509.Certificate)  # noqa: S101 - the caller just made it
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(one.value) for one in found]


def _sni(host: str) -> str:
    """asyncio wants one even where nothing is verified."""
    return host or "localhost"
