"""Proxmox VE versions as far as answers depend on them. "9.1.1" and "7.4-16" are both forms that servers use."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Version:
    """The version of one node's pve-manager. Which release brought what: proxmox-api.md and proxmox-endpoints.md."""

    text: str
    numbers: tuple[int, int, int]

    @property
    def release(self) -> str:
        return f"{self.numbers[0]}.{self.numbers[1]}"

    @property
    def repoid(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[: 8 if self.numbers[0] < 8 else 16]

    @property
    def errors_have_message(self) -> bool:
        """Since libpve-http-server 5.2.0, which 8.3 got (proxmox-api.md 2.9)."""
        return self.numbers >= (8, 3, 0)

    @property
    def node_hastate(self) -> bool:
        """pve-manager 993d05ab, from 8.2.9."""
        return self.numbers >= (8, 2, 9)

    @property
    def kernel_free_memory(self) -> bool:
        """`memory.free` is the kernel's MemFree, `used` total - MemAvailable (libpve-common-8 ProcFSTools.pm:329)."""
        return self.numbers >= (8, 4, 0)

    @property
    def hides_why_refused(self) -> bool:
        """A 401 says "Authentication failed!" whatever the reason (pve-manager 26c10a2e of January 2026)."""
        return self.numbers >= (9, 2, 0)

    def __ge__(self, other: tuple[int, ...]) -> bool:
        return self.numbers >= other


@cache
def version(text: str) -> Version:
    """Raises ValueError where `text` is no version."""
    found = re.fullmatch(r"(\d+)\.(\d+)[.-](\d+)", text)
    if found is None:
        raise ValueError(f"{text!r} is not a version such as 9.1.1")
    return Version(text, (int(found[1]), int(found[2]), int(found[3])))
