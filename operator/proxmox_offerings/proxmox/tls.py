"""Which server certificates are accepted, decided inside the TLS handshake: nothing, above all not the token, is sent to another server.

Pins are checked by the SSLObject itself (`SSLContext.sslobject_class`), so that no HTTP library above it can forget to.
"""

import functools
import hashlib
import hmac
import re
import ssl
from dataclasses import dataclass

from proxmox_offerings.proxmox.errors import InvalidHost


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSPolicy:
    """At most one of the three; none of them: the system's trust store.

    `ca_bundle`: PEM certificates of the authorities that may have signed the server's, or of the servers themselves.
    `fingerprints`: SHA-256 of accepted server certificates, hexadecimal with or without ':'; they alone decide, whoever signed the certificate
    and whatever name it has. `insecure_skip_verify`: accept any certificate.
    """

    ca_bundle: str | None = None
    fingerprints: tuple[str, ...] = ()
    insecure_skip_verify: bool = False

    def context(self) -> ssl.SSLContext:
        """A client's TLS settings, 1.2 at least. Raises InvalidHost where the bundle or a fingerprint cannot be used."""
        if sum((self.ca_bundle is not None, bool(self.fingerprints), self.insecure_skip_verify)) > 1:
            raise InvalidHost("at most one of tls.caBundle, tls.fingerprints and tls.insecureSkipVerify may be set")
        context = _client_context()
        if self.fingerprints or self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if self.fingerprints:
                context.sslobject_class = _pinned(frozenset(map(_digest, self.fingerprints)))
            return context
        if self.ca_bundle is None:
            return _system_trust()
        # A cluster's own authority makes certificates that Python 3.13's VERIFY_X509_STRICT refuses (no authority key identifier), hence a
        # plain context, which has the same flags in every version of Python. A node's own certificate in the bundle is trusted too.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cadata=self.ca_bundle)
        except (ssl.SSLError, ValueError):
            raise InvalidHost(
                "tls.caBundle holds no certificate that can be read: put PEM certificates there, such as /etc/pve/pve-root-ca.pem"
            ) from None
        return context


def _client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # With TLS 1.2 a server could show another certificate later, which no pin would see.
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


@functools.cache
def _system_trust() -> ssl.SSLContext:
    """One for all hosts: reading the system's trust store takes 50 ms and 0.8 MiB each time (docs/explanation/performance.md)."""
    context = _client_context()
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


class FingerprintMismatch(ssl.SSLCertVerificationError):
    """The server's certificate is none of the pinned ones."""


def _pinned(digests: frozenset[bytes]) -> type[ssl.SSLObject]:
    class PinnedSSLObject(ssl.SSLObject):
        """Ends the handshake where the certificate is not a pinned one; application data can only be written after it."""

        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert(binary_form=True) or b""
            seen = hashlib.sha256(certificate).digest()
            if not any(hmac.compare_digest(seen, digest) for digest in digests):
                raise FingerprintMismatch(1, "the certificate is not a pinned one")

    return PinnedSSLObject


def _digest(fingerprint: str) -> bytes:
    plain = fingerprint.replace(":", "")
    if not re.fullmatch("[0-9A-Fa-f]{64}", plain):
        raise InvalidHost(
            "a fingerprint in tls.fingerprints is not a SHA-256: 32 pairs of hexadecimal digits joined by ':'"
        )
    return bytes.fromhex(plain)
