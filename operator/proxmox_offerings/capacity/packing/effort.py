"""How much a search may try: steps, never time, so that the same question has the same answer on every machine."""

from dataclasses import dataclass


class Exhausted(Exception):
    """The effort is used up."""


@dataclass(slots=True)
class Effort:
    """Steps that are left; `thinned` once something was left out, so that a "no" proves nothing."""

    left: int
    thinned: bool = False

    def spend(self, steps: int) -> None:
        """Raises Exhausted."""
        self.left -= steps
        if self.left < 0:
            raise Exhausted
