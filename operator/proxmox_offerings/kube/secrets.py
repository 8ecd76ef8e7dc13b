"""Reading the one Secret that a ProxmoxHost names. By name, in the host's own namespace, never listed or watched (operator-practice 4)."""

import base64
import binascii
from typing import Final

from proxmox_offerings.kube.client import KubeClient, path_of
from proxmox_offerings.kube.errors import Forbidden, NotFound
from proxmox_offerings.proxmox.errors import CredentialsMissing
from proxmox_offerings.proxmox.token import Token

TOKEN_ID: Final = "tokenID"  # noqa: S105 - the key's name
TOKEN_SECRET: Final = "tokenSecret"  # noqa: S105 - the key's name


class Secrets:
    """The Secrets of the API server, one at a time."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def token(self, namespace: str, name: str) -> Token:
        """The token in Secret `name`. Raises CredentialsMissing if the Secret or one of its two keys is missing or cannot be one, KubeError."""
        path = path_of(prefix="/api/v1", plural="secrets", namespace=namespace, name=name)
        try:
            secret = await self._client.request("GET", path)
        except NotFound:
            raise CredentialsMissing(
                f"there is no Secret {name} in namespace {namespace}: create it with the keys {TOKEN_ID} and {TOKEN_SECRET}"
            ) from None
        except Forbidden:
            raise CredentialsMissing(
                f"the operator may not read Secret {name}: grant its service account the verb get on Secrets of namespace {namespace}"
            ) from None
        data = secret.get("data") or {}
        return Token(id=_text(data, TOKEN_ID, name), secret=_text(data, TOKEN_SECRET, name))


def _text(data: dict[str, str], key: str, name: str) -> str:
    try:
        text = base64.b64decode(data.get(key) or "", validate=True).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    if not text:
        what = 'the token\'s full name, "user@realm!name"' if key == TOKEN_ID else "the token's secret"
        raise CredentialsMissing(f"Secret {name} has no usable key {key}: put {what} there")
    return text
