"""Choosing things by name: nodes and storages."""

from typing import Annotated

from pydantic import Field

from proxmox_offerings.resources.globs import glob_matches
from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.scalars import Glob


class Selector(Model):
    """Names that match an entry of `include` and none of `exclude`. `*` is any text, `?` one character, case matters."""

    include: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=64)] = ("*",)
    """What is taken. At least one entry: leave it out to take all."""
    exclude: Annotated[tuple[Glob, ...], Field(max_length=64)] = ()
    """What is left out again."""

    def matches(self, name: str) -> bool:
        """Whether `name` is chosen."""
        if not self.exclude and "*" in self.include:
            return True
        return any(glob_matches(glob, name) for glob in self.include) and not any(
            glob_matches(glob, name) for glob in self.exclude
        )
