"""Whether a run is worse than another one, in what can be compared between machines: ratios, counts and sizes.

`python -m benchmarks.compare OLD NEW` prints what changed; exit code 1: something is worse by more than its tolerance.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure of two runs."""

    name: str
    before: Figure
    after: Figure

    @property
    def worse(self) -> bool:
        return self.after.worse_than(self.before)

    @property
    def times(self) -> float:
        return self.after.value / self.before.value if self.before.value else float(self.after.value > 0) + 1

    def __str__(self) -> str:
        verdict = "WORSE" if self.worse else "ok"
        allowed = f"tolerance {self.after.tolerance:.0%}" if self.after.tolerance is not None else ""
        change = f"{self.before.shown} -> {self.after.shown}"
        return f"  {verdict:<5}  {self.times:5.2f} x  {self.name}: {self.after.what}: {change}  ({allowed})"


def compared(before: Run, after: Run) -> Iterator[Comparison]:
    """All figures that both have, on clusters of the same size, and that are to be compared."""
    known = {(result.name, figure.what): figure for result in before.results for figure in result.figures}
    for result in after.results:
        for figure in result.figures:
            there = known.get((result.name, figure.what))
            if there is not None and figure.tolerance is not None:
                yield Comparison(name=result.name, before=there, after=figure)


def report(before: Run, after: Run) -> tuple[str, bool]:
    """What to print, and whether nothing is worse. Where nothing can be compared, that is not well either."""
    found = list(compared(before, after))
    worse = [one for one in found if one.worse]
    lines = [f"Before: {before.machine}, load {before.load:.1f}", f"After:  {after.machine}, load {after.load:.1f}"]
    lines += map(str, found)
    lines.append(
        f"{len(worse)} of {len(found)} figures are worse." if found else "There is nothing that both runs measured."
    )
    return "\n".join(lines), bool(found) and not worse


def main() -> int:
    """Read the command line, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args()
    try:
        text, well = report(Run.read(options.before), Run.read(options.after))
    except (OSError, ValueError, KeyError, TypeError) as problem:
        print(f"error: that is no run of benchmarks: {problem}", file=sys.stderr)
        return 2
    print(text)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
