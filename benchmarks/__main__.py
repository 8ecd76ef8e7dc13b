"""`python -m benchmarks`: run all benchmarks, or those that are named."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from tools.kube.build import BuildError
from tools.kube.controlplane import StartError

from benchmarks import compare, peers, planning, publishing, refresh, report, scraping, start, steady
from benchmarks.figures import Result, table
from benchmarks.run import Run
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.workplace import BenchmarkFailed, Workplace, progress

BENCHMARKS: Final[Mapping[str, Callable[[Workplace, Scale], Coroutine[Any, Any, Result]]]] = {
    "refresh": refresh.run,
    "peers": peers.run,
    "planning": planning.run,
    "scraping": scraping.run,
    "start": start.run,
    "publishing": publishing.run,
    "steady": steady.run,
}
HELP: Final = """\
Measure how fast and how large the operator is.

  refresh     one turn of the fast loop on clusters of up to 50,000 guests, beside fetching the same bytes and json.loads
  peers       the same beside one call for each node and guest in turn, as others read a cluster
  planning    each stage alone, beside json.loads of the answers; failover reserve
  scraping    a scrape of the metrics of 500 hosts, beside prometheus_client writing as many samples
  start       from the start of the process to ready and to the first Offering, imports, memory without any host
  publishing  10,000 Offerings from cold, beside the same server-side applies sent without any thought
  steady      500 hosts refreshed every minute while guests change: processor, memory, delay, writes beside the least possible;
              then hosts are edited and new ones applied

Everything runs on this machine: recorded clusters, a real API server, the operator. What is compared is measured in turns, and medians are
shown, because others may use the machine too; where a ratio matters to you, run it again. All together takes about ten minutes, --quick two.
"""
EPILOG: Final = """\
Results go to standard output, progress to standard error. A goal that is missed is shown as MISSED and is no error: the exit code is 0 if
everything was measured, 1 if not, or if --compare found something worse. What the floors are: docs/explanation/performance.md
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
    parser.add_argument("--quick", action="store_true", help="fewer and smaller: to see that nothing broke")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in FILE")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="compare with the figures in FILE, by ratio")
    parser.add_argument(
        "--record", action="store_true", help="keep the figures as those to compare with, and show them in the docs"
    )
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    if options.record and (options.names or options.quick):
        parser.error("--record keeps a whole run: leave out names and --quick")
    try:
        before = Run.read(options.compare) if options.compare is not None else None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        parser.error(f"{options.compare} is no run of benchmarks: {problem}")
    results: list[Result] = []
    load = 0.0
    try:
        for name in options.names or BENCHMARKS:
            began = time.monotonic()
            progress(f"{name}:")
            with Workplace() as place:
                results.append(asyncio.run(BENCHMARKS[name](place, QUICK if options.quick else FULL)))
            load = max(load, os.getloadavg()[0])
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
    run = Run.of(results, load=load)
    if options.json is not None:
        run.write(options.json)
    if options.record:
        run.write(report.BASELINE)
        report.PAGE.write_text(report.with_figures(report.PAGE.read_text(encoding="utf-8"), run), encoding="utf-8")
    if before is None:
        return 0
    text, well = compare.report(before, run)
    print(text)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
