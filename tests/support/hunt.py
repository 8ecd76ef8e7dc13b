"""Looking for a secret in everything that a process wrote: as it is, in part, and in the encodings in which things get around."""

import base64
import html
import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote

PIECE = 8
"""So many characters in a row of a secret, in whatever encoding, are a find: nothing that is random otherwise is equal by chance."""


class Hunt:
    """Finds secrets of at least `PIECE` characters. Upper and lower case are the same."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._pieces = frozenset(
            form[start : start + PIECE].lower()
            for secret in secrets
            for form in _forms(secret)
            for start in range(len(form) - PIECE + 1)
        )

    def finds(self, text: str) -> bool:
        """Whether a piece of a secret is in the text."""
        lowered = text.lower()
        return any(lowered[start : start + PIECE] in self._pieces for start in range(len(lowered) - PIECE + 1))

    def where(self, places: Mapping[str, str]) -> list[str]:
        """Those of the places whose text holds a piece of a secret."""
        return [place for place, text in places.items() if self.finds(text)]


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode()
    yield from (secret, json.dumps(secret)[1:-1], html.escape(secret), repr(secret)[1:-1], quote(secret, safe=""))
    yield from ("".join(f"%{byte:02x}" for byte in raw), raw.hex(), "".join(f"\\x{byte:02x}" for byte in raw))
    for before in range(3):
        # Base64 depends on where in the encoded text the secret begins; the ends depend on its neighbours.
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        inner = encoded[4 if before else 0 : len(encoded) // 4 * 4 - 4]
        yield from (inner, inner.translate(str.maketrans("+/", "-_")))
