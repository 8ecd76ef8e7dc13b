"""The consumer in Go of examples/go, compiled once for each version of its source."""

from pathlib import Path

from tools.gobuild import Log, Programs, to_stderr

from support.controlplane import ROOT


def tools(log: Log = to_stderr) -> Path:
    """The directory with `consumer`, built now where it does not exist yet. Raises BuildError."""
    return Programs(
        title="the consumer in Go, with client-go",
        module=ROOT / "examples" / "go",
        packages={"consumer": "."},
        leading="k8s.io/client-go",
    ).directory(log)
