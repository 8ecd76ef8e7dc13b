"""`python -m benchmarks`: run all benchmarks, or those that are named."""

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from tools.kube.build import BuildError
from tools.kube.controlplane import StartError

from benchmarks import planning, publishing, refresh, size, steady
from benchmarks.figures import Result, table
from benchmarks.workplace import BenchmarkFailed, Workplace, progress

BENCHMARKS: Final[Mapping[str, Callable[[Workplace], Coroutine[Any, Any, Result]]]] = {
    "refresh": refresh.run,
    "planning": planning.run,
    "publishing": publishing.run,
    "memory": size.run,
    "steady": steady.run,
}
HELP: Final = """\
Measure how fast and how large the operator is.

  refresh     one turn of the fast loop on 32 nodes and 5,000 guests, beside fetching the same bytes and json.loads
  planning    the snapshot and the plan of 20 tiers, beside parsing the answers they are made from; growth; failover reserve
  publishing  1,000 Offerings from cold, beside the same server-side applies sent without any thought
  memory      the operator with 50 hosts x 20 tiers; its start
  steady      what is written to Kubernetes while nothing changes

Everything runs on this machine: simulated clusters, a real API server, the operator. What is compared is measured in turns, and medians are
shown, because others may use the machine too; where a ratio matters to you, run it again. All together takes about five minutes.
"""
EPILOG: Final = """\
Results go to standard output, progress to standard error. A goal that is missed is shown as MISSED and is no error: the exit code is 0 if
everything was measured, else 1. What the floors are, and figures to compare with: docs/explanation/performance.md
"""


def main() -> int:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=HELP,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(BENCHMARKS)}; default: all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE too, for comparing runs")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    results: list[Result] = []
    try:
        for name in options.names or BENCHMARKS:
            began = time.monotonic()
            progress(f"{name}:")
            with Workplace() as place:
                results.append(asyncio.run(BENCHMARKS[name](place)))
            progress(f"  done in {time.monotonic() - began:.0f} s")
            print(table(results[-1:]), flush=True)
    except (BenchmarkFailed, BuildError, StartError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    missed = [
        f"{result.name}: {figure.what}" for result in results for figure in result.figures if figure.verdict == "MISSED"
    ]
    print(f"MISSED: {'; '.join(missed)}" if missed else "All goals are met.")
    if options.json is not None:
        told = {
            "python": platform.python_version(),
            "processors": os.cpu_count(),
            "results": {result.name: [figure.to_json() for figure in result.figures] for result in results},
        }
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
