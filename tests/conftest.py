"""Fixtures for tests against a real API server and against recordings of real Proxmox servers."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.controlplane import ROOT, Cluster, build, own_namespace, shared_control_plane
from support.goexample import tools as go_example
from support.helm import build as helm_build
from support.promql import build as promtool_build

RECORDINGS = ROOT.parent / "shared" / "pve-recordings"
MARKED_BY_FIXTURE = {
    "control_plane": "controlplane",
    "helm": "helm",
    "promtool": "promtool",
    "go_consumer": "goexample",
    "recordings": "recordings",
}
BUILT_FIRST = {
    "controlplane": build.tools,
    "helm": helm_build.tools,
    "promtool": promtool_build.tools,
    "goexample": go_example,
}


# Ctrl-C is heard as at a terminal, here and in what tests start: who runs them in the background of a script has told them not to.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in each run, and none that a busy machine finds too slow.
settings.register_profile(
    "tests", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
# Other examples in each run, many more of them, and how to see one again: make test-search.
settings.register_profile(
    "search",
    settings.get_profile("tests"),
    derandomize=False,
    max_examples=1000,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("tests")

DONE = "done"
"""A property of a test (`record_property`): how much it did, and with which seed. Shown at the end, whether it passed or not."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much the long tests did: a search that searched nothing passes as well as any."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == DONE and report.when == "call":
                    terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they ask for, so that no marker can be forgotten."""
    for item in items:
        for fixture in MARKED_BY_FIXTURE.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKED_BY_FIXTURE[fixture])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs that are asked for before the first test: that takes minutes, and tests have a time limit."""
    wanted = [
        tools for marker, tools in BUILT_FIRST.items() if any(i.get_closest_marker(marker) for i in session.items)
    ]
    if session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")

    def show(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, file=sys.__stderr__, flush=True)

    try:
        for tools in wanted:
            tools(show)
    except build.BuildError as problem:
        pytest.exit(f"the tests cannot run: {problem}", returncode=1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Cluster]:
    """A real API server with the CRDs of this checkout, shared by all tests of this run: stay in your `namespace`."""
    own = tmp_path_factory.getbasetemp()
    with shared_control_plane(own if worker_id == "master" else own.parent) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker of rules and expressions."""
    return promtool_build.tools() / "promtool"


@pytest.fixture
def namespace(control_plane: Cluster) -> Iterator[str]:
    """The name of a fresh namespace, which goes away after the test without anybody waiting for it."""
    with own_namespace(control_plane) as name:
        yield name


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded answers of real Proxmox servers, which lies beside the checkout."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings of real servers at {RECORDINGS}")
    return RECORDINGS
