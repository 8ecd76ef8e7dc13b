"""JSON objects that are kept for long and looked at seldom, as bytes.

Ten thousand Offerings are kept between refreshes. As dictionaries of dictionaries they take several times the memory of their text, and taking one
apart again costs a few microseconds.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

_MAPPING: Final = msgspec.json.Decoder(dict[str, Any])


class Packed(Mapping[str, Any]):
    """A mapping as any other, not to be modified. Equal to all mappings of the same content; hashable, by its text."""

    __slots__ = ("_text",)

    def __init__(self, content: Mapping[str, Any] | msgspec.Raw) -> None:
        """`content` is a mapping or the text of one. Raises TypeError or ValueError for anything else."""
        if isinstance(content, msgspec.Raw):
            _MAPPING.decode(content)
            self._text = bytes(content)
        else:
            self._text = msgspec.json.encode({**content})

    def __getitem__(self, key: str) -> Any:
        return _unpacked(self._text)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_unpacked(self._text))

    def __len__(self) -> int:
        return len(_unpacked(self._text))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Packed) and self._text == other._text:
            return True
        return _unpacked(self._text) == (_unpacked(other._text) if isinstance(other, Packed) else other)

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Packed({_unpacked(self._text)!r})"


@functools.lru_cache(maxsize=256)
def _unpacked(text: bytes) -> dict[str, Any]:
    """What is looked at now is looked at several times in a row."""
    whole: dict[str, Any] = msgspec.json.decode(text)
    return whole
