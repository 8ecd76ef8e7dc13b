"""What the API server says to kopf, before kopf hears it: whether kopf could go on with it, and whether it is news.

kopf takes a millisecond of CPU for each event, and remembers each object. What is known here already, above all the echoes of our own writes and what
was listed at the start, is not told to it.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from proxmox_offerings.kube.apply import PREFIX
from proxmox_offerings.kube.errors import NOT_AN_ANSWER, NOT_INSTALLED, KubeError, Unavailable
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import GROUP, Offering, ProxmoxHost

KINDS: Final = (ProxmoxHost.PLURAL, Offering.PLURAL)

IsKnown = Callable[[Ref, int], bool]
"""Whether this version of an object, or a newer one, is known: where it is, its resourceVersion."""


class NoEvent(Exception):
    """A line of a watch after which there is no going on from there. The message says why."""


class _Metadata(msgspec.Struct):
    namespace: str
    name: str
    version: str = msgspec.field(name="resourceVersion")


class _Object(msgspec.Struct):
    """Which version of which object it is, and nothing of what is in it."""

    metadata: _Metadata


class _Version(msgspec.Struct):
    type: Literal["ADDED", "MODIFIED"]
    object: _Object


class _Event(msgspec.Struct):
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: msgspec.Raw


class _Progress(msgspec.Struct):
    version: str = msgspec.field(name="resourceVersion")


class _Bookmark(msgspec.Struct):
    metadata: _Progress


class _Error(msgspec.Struct):
    code: int


class _Kind(msgspec.Struct):
    name: str
    kind: str
    singular: str = msgspec.field(name="singularName")
    namespaced: bool


class _Kinds(msgspec.Struct):
    resources: list[_Kind]


class _GroupVersion(msgspec.Struct):
    version: str


class _Group(msgspec.Struct):
    name: str
    preferred: _GroupVersion | None = msgspec.field(name="preferredVersion", default=None)
    versions: list[_GroupVersion] = []


class _Groups(msgspec.Struct):
    groups: list[_Group]


_VERSION: Final = msgspec.json.Decoder(_Version)
_OBJECT: Final = msgspec.json.Decoder(_Object)
_EVENT: Final = msgspec.json.Decoder(_Event)
_BOOKMARK: Final = msgspec.json.Decoder(_Bookmark)
_PROGRESS: Final = msgspec.json.Decoder(_Progress)
_ERROR: Final = msgspec.json.Decoder(_Error)
_KINDS: Final = msgspec.json.Decoder(_Kinds)
_GROUPS: Final = msgspec.json.Decoder(_Groups)
_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def is_known(line: bytes, known: IsKnown) -> bool:
    """Whether a line of a watch tells of a version that is known. Deletions and whatever is no event are not."""
    try:
        return _tells_of_known(_VERSION.decode(line).object, known)
    except (ValueError, RecursionError):
        return False


def version_in(line: bytes) -> LiveObject | None:
    """The new version of an object that a line of a watch tells of; None if it tells of a deletion or of progress. Raises NoEvent."""
    try:
        event = _EVENT.decode(line)
        if event.type == "ERROR":
            raise NoEvent(f"the watch was ended by the API server ({_ERROR.decode(event.object).code})")
        if event.type == "BOOKMARK":
            int(_BOOKMARK.decode(event.object).metadata.version)
            return None
        version = LiveObject.read(event.object)
    except (ValueError, RecursionError, KubeError):
        raise NoEvent("the watch said what is no event") from None
    return None if event.type == "DELETED" else version


def without_known(content: bytes, known: IsKnown) -> bytes:
    """A list, or a page of one, without the objects that are known. Raises Unavailable if it is none."""
    try:
        parts = _PARTS.decode(content)
        int(_PROGRESS.decode(parts["metadata"]).version)
        items = [item for item in _ITEMS.decode(parts["items"]) if not _tells_of_known(_OBJECT.decode(item), known)]
    except (ValueError, KeyError, RecursionError):
        raise Unavailable(NOT_AN_ANSWER) from None
    for item in items:
        LiveObject.read(item)
    return msgspec.json.encode(parts | {"items": items})


def problem_of(path: str, content: bytes) -> str | None:
    """Why kopf could not go on with what `path` says of the kinds that there are; None if it can.

    It looks only once for ours, and would never watch what was not there yet.
    """
    try:
        if path == "/apis":
            ours = [group for group in _GROUPS.decode(content).groups if group.name == GROUP]
            found = any(group.preferred and group.versions for group in ours)
        elif path == PREFIX:
            found = {kind.name for kind in _KINDS.decode(content).resources}.issuperset(KINDS)
        else:
            return None
    except (ValueError, RecursionError):
        return NOT_AN_ANSWER
    return None if found else NOT_INSTALLED


def _tells_of_known(found: _Object, known: IsKnown) -> bool:
    metadata = found.metadata
    return known(Ref(metadata.namespace, metadata.name), int(metadata.version))
