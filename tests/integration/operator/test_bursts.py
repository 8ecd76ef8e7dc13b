"""One ProxmoxHost, edited again and again, by the real process on a real API server."""

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from integration.operator.harness import Kube, Process, eventually
from integration.operator.test_leadership import sell, serving
from integration.operator.test_publishing import SMALL
from proxmox_offerings.controller.pace import LONGEST_DELAY, SHORTEST_PAUSE

RECONCILES = "controller_runtime_reconcile_total"
PAUSE = 0.7 * SHORTEST_PAUSE
"""Between two edits; what the operator sees of it may be longer."""
READINGS = "proxmox_offerings_refresh_seconds_count"


class Editor:
    """Somebody who does not wait for what comes of an edit."""

    def __init__(self, kube: Kube, host: str) -> None:
        cluster = kube.cluster
        self._path = f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{kube.namespace}/proxmoxhosts/{host}"
        self._headers = {
            "Authorization": f"Bearer {cluster.admin_token}",
            "Content-Type": "application/merge-patch+json",
        }
        context = ssl.create_default_context(cafile=str(cluster.directory / "ca.crt"))
        self._connection = http.client.HTTPSConnection(
            cluster.server.removeprefix("https://"), context=context, timeout=10
        )

    def most_units(self, number: int) -> None:
        """One edit of the host: another limit of units for its only tier."""
        body = {"spec": {"tiers": [SMALL | {"maxUnits": number}]}}
        self._connection.request("PATCH", self._path, body=json.dumps(body), headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == 200

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def process(account: Path, namespace: str, tmp_path: Path) -> Iterator[Process]:
    running = Process(account, namespace, tmp_path / "log")
    yield running
    running.end()


def cost_of(kube: Kube, process: Process, *, edits: int, every: float) -> tuple[float, int]:
    """Reconciles that `edits` cost, one begun each `every` seconds at most, and how many they may cost.

    An editor that was held up looks like one who paused: each pause is answered, as is one minute of edits.
    """
    with serving() as simulated, contextlib.closing(Editor(kube, "fra1")) as editor:
        sell(kube, simulated, tiers=[SMALL | {"maxUnits": 5000}])
        eventually(lambda: kube.reason("fra1") == "Observed" and kube.stock("fra1-small")[1])
        fits = kube.stock("fra1-small")[1]
        assert fits is not None
        _until_quiet(process)

        def count() -> float:
            # One that reads Proxmox comes of the host's own rhythm, not of an edit: those use what is known.
            return process.metric(RECONCILES) - process.metric(READINGS)

        before = count()
        editor.most_units(1)
        eventually(lambda: kube.stock("fra1-small")[1] == 1)
        edited = [time.monotonic()]
        for number in range(2, edits + 1):
            begin = time.monotonic()
            editor.most_units(number)
            edited.append(time.monotonic())
            time.sleep(max(0.0, begin + every - time.monotonic()))
        pauses = sum(after - one > PAUSE for one, after in pairwise(edited))
        eventually(lambda: kube.stock("fra1-small")[1] == min(edits, fits))
        eventually(lambda: kube.get_host("fra1")["status"]["observedGeneration"] == edits + 1)
        _until_quiet(process)
        return count() - before, 2 + pauses + int((edited[-1] - edited[0]) // LONGEST_DELAY)


def _until_quiet(process: Process) -> None:
    """Until nothing was reconciled for a while: what a host that is new has to be read, one thing after another."""
    known = process.metric(RECONCILES), time.monotonic()

    def quiet() -> bool:
        nonlocal known
        if (now := process.metric(RECONCILES)) != known[0]:
            known = now, time.monotonic()
        return time.monotonic() - known[1] > 3

    eventually(quiet, within=60)


def test_a_burst_of_edits_costs_two_reconciles_also_where_each_edit_takes_longer_than_one(
    kube: Kube, process: Process
) -> None:
    reconciles, most = cost_of(kube, process, edits=40, every=0.2)
    assert 1 <= reconciles <= most


@pytest.mark.long
@pytest.mark.parametrize("every", [pytest.param(0.0, id="as fast as possible"), pytest.param(0.08, id="slowly")])
def test_a_thousand_edits_cost_two_reconciles_and_one_more_each_minute(
    kube: Kube, process: Process, every: float, record_property: Callable[[str, object], None]
) -> None:
    reconciles, most = cost_of(kube, process, edits=1000, every=every)
    record_property("done", f"{reconciles:.0f} reconciles for 1000 edits, of {most} at most")
    assert 1 <= reconciles <= most
