"""The figures in docs/explanation/performance.md: written between two marks from a run that was kept, never by hand.

`python -m benchmarks.report` writes those of benchmarks/baseline.json; `--check` only tells whether they are there.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from benchmarks.figures import rows_of
from benchmarks.run import Run

ROOT: Final = Path(__file__).resolve().parents[1]
BASELINE: Final = ROOT / "benchmarks" / "baseline.json"
PAGE: Final = ROOT / "docs" / "explanation" / "performance.md"
BEGIN: Final = "<!-- figures: written by python -m benchmarks.report -->"
END: Final = "<!-- end of figures -->"


def figures_of(run: Run) -> str:
    """All tables, in Markdown."""
    lines = [f"Measured on {run.machine}; at most {run.load:.1f} processes wanted a processor at the same time.", ""]
    for result in run.results:
        lines += [f"**{result.name}**: {result.setting}", "", "| what | measured | beside | goal | | |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            f"| {' | '.join(cell.replace('|', '/') for cell in row)} |".replace("  ", " ") for row in rows_of(result)
        ]
        lines.append("")
    return "\n".join(lines)


def with_figures(page: str, run: Run) -> str:
    """The page with these figures in the place of those that it has. Raises ValueError without the two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for figures: {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{figures_of(run)}\n{END}{after}"


def main() -> int:
    """Read the command line, write or check."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_figures(page, Run.read(BASELINE))
    if options.check:
        if page != wanted:
            print(
                "docs/explanation/performance.md shows other figures: run python -m benchmarks.report", file=sys.stderr
            )
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
