"""An API token, kept from everything that prints."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from proxmox_offerings.proxmox.errors import CredentialsMissing

LEAST: Final = 16
"""Characters of a secret that cannot be in an answer by chance. Those of Proxmox VE are UUIDs, of 36."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`id` is "user@realm!name". The secret is not in a repr. Raises CredentialsMissing where either cannot be one."""

    id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        # Shapes of libpve-access-control (AccessControl.pm); with them, neither part can end the header or begin another one.
        if not re.fullmatch(r"[^\s:/\x00-\x20\x7f]+@[A-Za-z][A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+", self.id):
            raise CredentialsMissing('tokenID is not the full name of an API token: it must read "user@realm!name"')
        if not re.fullmatch(r"[\x21-\x7e]{1,256}", self.secret):
            raise CredentialsMissing(
                "tokenSecret is not the secret of an API token: put there what Proxmox showed once, a UUID"
            )

    @property
    def authorization(self) -> str:
        """The value of the Authorization header, which the server URL-unescapes (libpve-http-server Formatter.pm)."""
        return f"PVEAPIToken={quote(self.id, safe='@!')}={quote(self.secret, safe='')}"

    def is_repeated_in(self, body: bytes) -> bool:
        """Whether its secret is in a JSON text, however the text writes characters. Honest servers never tell it; what they tell is published."""
        if len(self.secret) < LEAST:
            return False
        secret = self.secret.encode()
        return secret in body or (b"\\" in body and secret in _ESCAPES.sub(_unescaped, body))


_ESCAPES: Final = re.compile(rb"\\(?:u00([0-7][0-9a-fA-F])|([\"\\/]))")
"""Of the characters that a secret can consist of."""


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else found[2]
