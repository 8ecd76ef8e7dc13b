"""Writing a file so that whoever reads it finds the old content or the new one, never a part."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from proxmox_offerings.cli.manifests import UnreadableInput


def read_file(name: str) -> bytes:
    """What the file is; nothing if there is none. Raises UnreadableInput."""
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        return b""
    except (OSError, ValueError) as problem:
        raise UnreadableInput(f"{name} could not be read: {_reason(problem)}") from None


def replace_file(name: str, content: bytes) -> bool:
    """Make the file be `content`; whether it was not already. Links are followed, its mode stays. Raises UnreadableInput."""
    try:
        target = Path(name).resolve()
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a pipe or a device, which cannot be replaced
            return True
        if target.is_file() and target.read_bytes() == content:
            return False
        _replace(target, content)
    except (OSError, RuntimeError, ValueError) as problem:
        raise UnreadableInput(f"{name} could not be written: {_reason(problem)}") from None
    return True


def _reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or "that is no path of a file"


def _replace(target: Path, content: bytes) -> None:
    handle, made = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(made).chmod(_mode(target))
        Path(made).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(made).unlink()
        raise


def _mode(target: Path) -> int:
    """As it was, or as any new file's."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
