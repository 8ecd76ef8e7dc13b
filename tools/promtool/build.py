"""promtool of Prometheus: what alert rules are tested with, and every expression is parsed with.

`python -m tools.promtool.build` builds ahead of time and prints the directory with `promtool`.
"""

import sys
from pathlib import Path

from tools.gobuild import Log, Programs, run, to_stderr

MODULE = Path(__file__).resolve().parent
PROMETHEUS = "github.com/prometheus/prometheus"


def tools(log: Log = to_stderr) -> Path:
    """The directory with `promtool`, built now where it does not exist yet.

    Raises BuildError.
    """
    return Programs(
        title="promtool",
        module=MODULE,
        packages={"promtool": f"{PROMETHEUS}/cmd/promtool"},
        leading=PROMETHEUS,
        # Without the clients of two dozen clouds, which only service discovery needs.
        tags=("remove_all_sd",),
    ).directory(log)


if __name__ == "__main__":
    sys.exit(run(tools))
