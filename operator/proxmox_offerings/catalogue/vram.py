"""How much memory a graphics card has, by its PCI numbers: Proxmox never tells (peers.md 5).

Sources: the names in pci.ids, where they hold the size ("GA100 [A100 PCIe 80GB]"), else the vendor's data sheet of the card that pci.ids names.
What one number sells as cards of different sizes (10de:17fd is a Tesla M40 of 12 or 24 GB, 10de:1e30 a Quadro RTX 6000 or 8000) is left out, and
so is whatever nobody checked: no size is better than a wrong one. A board of several processors shows one device for each, with its own share.
"""

from collections.abc import Mapping

_GIB_OF: Mapping[str, Mapping[int, str]] = {
    "10de": {
        6: "2531",
        8: "13bd 13f2 1bb3 1eb1",
        10: "2206",
        11: "1e04 1e07",
        12: "102d 15f7 2208 220a 2571",
        16: "15f8 15f9 1bb4 1db1 1db2 1db3 1db4 1df5 1eb0 1eb8 24b0 25b6 2704",
        20: "2232 27b0 27b2",
        24: "1b38 1e36 20b7 20b9 2203 2204 2231 2233 2236 2237 2684 27b8",
        32: "1db5 1db6 1db7 1db8 1df6 26b2 2b85",
        40: "20b0 20b1 20f1 20f6",
        48: "2230 2235 26b1 26b5 26b9",
        64: "20b3",
        80: "20b2 20b5 20b8 20f3 20f5 2313 2322 2324 2330 2331",
        94: "2321",
        96: "2bb1 2bb5",
        141: "2335 233b",
    },
    "1002": {32: "738c 738e", 64: "7408 740c 740f", 192: "74a1", 256: "74a5"},
    "8086": {6: "56c1", 16: "56c0", 48: "0bda", 128: "0bd5 0bd6"},
}

_GIB: Mapping[str, int] = {
    f"{vendor}:{device}": size
    for vendor, sizes in _GIB_OF.items()
    for size, devices in sizes.items()
    for device in devices.split()
}


def memory_of(model: str) -> int | None:
    """Bytes of memory of a "vendor:device"; None where that is not known for sure."""
    size = _GIB.get(model)
    return None if size is None else size * 2**30
