"""Names in our own sentences."""

from proxmox_offerings.resources.text import clean

__all__ = ["clean", "listed"]


def listed(names: list[str], *, most: int = 5) -> str:
    """ "a", "a and b", "a, b and c", or the first `most` and how many more."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
