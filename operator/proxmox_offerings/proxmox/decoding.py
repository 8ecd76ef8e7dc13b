"""From the bytes of an answer to its `data`, within bounds, and believed only if it is JSON as Proxmox VE answers.

Rows of /cluster/resources are most of all that is read, and nearly all are of the types in which the server usually writes them. Those are read
from the bytes into what is kept of them, without anything in between; where a single row is different in any way, the whole answer is read the
long way (docs/design/usual-rows-are-read-from-the-bytes.md).
"""

from typing import Final

import msgspec
from msgspec import Struct
from pydantic_core import from_json

from proxmox_offerings.proxmox.answers import Amount, ContainerRow, MachineRow, Switch, Told
from proxmox_offerings.proxmox.errors import CallFailed

RESOURCES: Final = "/cluster/resources"


class UsualNode(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="node"):
    """A `node` row; see answers.NodeRow."""

    node: Told
    status: Told = "unknown"
    maxcpu: Amount | None = None
    maxmem: Amount | None = None
    uptime: Amount | None = None
    hastate: Told | None = None
    host_arch: Told | None = msgspec.field(default=None, name="host-arch")


class UsualStorage(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="storage"):
    """A `storage` row; see answers.StorageRow."""

    storage: Told
    node: Told
    status: Told = "unknown"
    plugintype: Told | None = None
    content: Told | None = None
    shared: Switch = False
    maxdisk: Amount | None = None
    disk: Amount | None = None


class _NotCounted(Struct, frozen=True, gc=False, tag_field="type"):
    """A row that says nothing about capacity (proxmox-api.md 2.1). One with a vmid may be a guest, whatever its type: the long way tells."""

    vmid: msgspec.UnsetType = msgspec.UNSET


class _Pool(_NotCounted, frozen=True, gc=False, tag="pool"):
    pass


class _Zone(_NotCounted, frozen=True, gc=False, tag="sdn"):
    pass


class _Network(_NotCounted, frozen=True, gc=False, tag="network"):
    pass


UsualRow = MachineRow | ContainerRow | UsualStorage | UsualNode | _Pool | _Zone | _Network


class _Usual(Struct, frozen=True):
    data: list[UsualRow]


_USUAL: Final = msgspec.json.Decoder(_Usual)


def data_of(body: bytes, *, most: int, what: str, path: str = "") -> object:
    """The `data` of an answer to `path`, with no more than `most` values in it; of RESOURCES a list of UsualRows if all are such.

    Raises CallFailed.
    """
    # Each value but the first comes after one of these; a body that is too short for that many need not be counted.
    if len(body) > most and sum(map(body.count, (b",", b"[", b"{"))) > most:
        raise CallFailed(f"{what} with more than {most} values")
    if path == RESOURCES:
        try:
            # What is skipped is read as strictly as what is kept, but for the encoding of its texts.
            if not body.isascii():
                body.decode()
            return _USUAL.decode(body).data
        except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
            pass  # the long way tells what is wrong, if anything is
    try:
        # Refuses NaN and infinity, and nesting that could exhaust the stack.
        answer = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise CallFailed(f"{what}, but not in JSON: is this a Proxmox VE?") from None
    if not isinstance(answer, dict) or "data" not in answer:
        raise CallFailed(f"{what}, but not as Proxmox VE answers")
    return answer["data"]
