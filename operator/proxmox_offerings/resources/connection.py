"""How a cluster is reached and trusted."""

from typing import Annotated

from pydantic import Field

from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.rules import Rule
from proxmox_offerings.resources.scalars import Bool, CABundle, Fingerprint, SecretName


class CredentialsSecretRef(Model):
    """The API token: a Secret of the same namespace with the keys `tokenID` ("user@realm!name") and `tokenSecret`."""

    name: SecretName
    """Name of the Secret."""


class TLS(Model):
    """Which server certificates are accepted. At most one of the three; none means the system's trust store."""

    RULES = (
        Rule(
            cel="[has(self.caBundle), has(self.fingerprints) && self.fingerprints.size() > 0, "
            "has(self.insecureSkipVerify) && self.insecureSkipVerify].filter(chosen, chosen).size() <= 1",
            message="at most one of caBundle, fingerprints and insecureSkipVerify may be set: keep the one you mean",
            holds=lambda tls: (tls.ca_bundle is not None) + bool(tls.fingerprints) + tls.insecure_skip_verify <= 1,
        ),
    )

    ca_bundle: CABundle | None = None
    """Certificates (PEM) of the authorities that may have signed the server's, such as /etc/pve/pve-root-ca.pem."""
    fingerprints: Annotated[tuple[Fingerprint, ...], Field(max_length=32)] = ()
    """SHA-256 fingerprints (AB:CD:...) of the server certificates that are accepted, whoever signed them."""
    insecure_skip_verify: Bool = False
    """Accept any certificate. Whoever sits between can then take the token: for trials only. Raises the condition TLSVerified=False."""
