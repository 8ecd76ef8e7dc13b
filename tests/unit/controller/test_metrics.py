"""Metrics: documented, bounded in number, gone with what they are about, and no number that may not be believed."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from proxmox_offerings.controller.figures import FIGURES, Figures
from proxmox_offerings.controller.metrics import Described, Metrics, QueueMetrics, lines_of
from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.proxmox.errors import ConnectionFailed, MissingPrivilege, PrivilegesMissing
from support.cluster import cluster, guest, node
from unit.controller.running import Running, running

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"
OURS = Ref("default", "fra1")
GONE = ConnectionFailed("no endpoint answered")


def described() -> Sequence[Described]:
    return (*Metrics().described, *FIGURES.values())


def test_every_metric_is_documented_as_it_is() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == list(lines_of(described())), "the table must be:\n" + "\n".join(lines_of(described()))


def test_the_names_that_dashboards_for_controllers_use_are_there() -> None:
    names = {one.name for one in described()}
    reconciles = ("total", "errors_total", "time_seconds")
    queue = ("depth", "adds_total", "queue_duration_seconds", "work_duration_seconds", "unfinished_work_seconds")
    assert names >= {
        *(f"controller_runtime_reconcile_{name}" for name in reconciles),
        *(f"controller_runtime_{name}" for name in ("max_concurrent_reconciles", "active_workers")),
        *(f"workqueue_{name}" for name in (*queue, "longest_running_processor_seconds", "retries_total")),
        *("leader_election_master_status", "rest_client_requests_total"),
    }
    assert all(name.startswith("proxmox_offerings_") for name in names if "_api_" in name)


def test_no_label_is_one_that_a_cluster_fills() -> None:
    """A cluster has thousands of guests and names its nodes as it likes."""
    ours = {"namespace", "host", "tier"}
    words = {
        "resource",
        "unit",
        "stock",
        "reason",
        "result",
        "call",
        "code",
        "method",
        "controller",
        "name",
        "direction",
        "page",
    }
    assert {label for one in described() for label in one.labels} == ours | words


def text_of(metrics: Metrics) -> str:
    return b"".join(metrics.pieces()).decode()


def test_a_server_that_answers_with_odd_numbers_makes_few_series() -> None:
    metrics = Metrics()
    for status in range(100, 1000):
        metrics.api_call("/cluster/status", str(status), 0.1)
    series = re.findall(r"^proxmox_offerings_api_calls_total\{.*", text_of(metrics), re.MULTILINE)
    assert 50 < len(series) < 85


def series_of(world: Running, *, leading: bool = True) -> dict[str, float]:
    """Name and labels, but for those of the host -> value."""
    metrics = Metrics()
    figures = Figures(live=world.live, seen=world.reconciler.seen, tells_of=lambda _: leading, now=world.now)
    metrics.add(figures.pieces)
    lines = [line for line in text_of(metrics).splitlines() if 'host="' in line]
    found = (re.match(r"proxmox_offerings_(\w+)\{(.*)\} (.*)", line) for line in lines)
    told = {}
    for one in found:
        if one is not None:
            labels = dict(re.findall(r'(\w+)="(.*?)"', one[2]))
            assert (labels.pop("host"), labels.pop("namespace")) == ("fra1", "default")
            told[" ".join((one[1], *(labels[key] for key in sorted(labels) if key != "unit")))] = float(one[3])
    return told


def scenario(actions: Callable[[Running], Awaitable[None]]) -> None:
    running(actions)


def test_a_host_and_its_offerings_are_told_in_numbers() -> None:
    async def actions(world: Running) -> None:
        world.seen = cluster(nodes=[node(threads=16, memory="64Gi")], guests=[guest(100, "pve1", cpu=6, memory="8Gi")])
        await asyncio.sleep(0.1)
        said = series_of(world)
        assert {name: value for name, value in said.items() if not name.endswith("storage")} == {
            "ready Observed": 1.0,
            "data_age_seconds": pytest.approx(0.1),
            "validity_seconds": 600.0,
            "privileges_missing": 0.0,
            "capacity cpu": 16.0,
            "committed cpu": 6.0,
            "headroom cpu": 10.0,
            "capacity memory": 64 * 2**30,
            "committed memory": 8 * 2**30,
            "headroom memory": 56 * 2**30,
            "offerings InStock": 1.0,
            "offerings LowStock": 0.0,
            "offerings OutOfStock": 0.0,
            "offerings Unknown": 0.0,
            "available InStock small": 5.0,
        }
        assert said["capacity storage"] == said["committed storage"] + said["headroom storage"] > 0

    scenario(actions)


def test_what_may_not_be_believed_any_more_is_no_number() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        lacks = MissingPrivilege(path="/vms", privilege="VM.Audit", effect="guests cannot be counted")
        world.seen = PrivilegesMissing("the token lacks rights", missing=(lacks,))
        await asyncio.sleep(70)
        said = series_of(world)
        assert (said["ready PrivilegesMissing"], said["privileges_missing"]) == (0.0, 1.0)
        assert (said["available InStock small"], said["capacity cpu"]) == (8.0, 16.0)
        world.seen = GONE
        await asyncio.sleep(600)
        said = series_of(world)
        assert said["offerings Unknown"] == 1.0
        assert said["data_age_seconds"] > 600
        assert not [name for name in said if name.startswith(("available", "capacity", "committed", "headroom"))]

    scenario(actions)


def test_a_statement_that_nobody_could_end_is_no_number_either() -> None:
    """The API server may be away when its time is over."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        await world.queue.stop()
        await asyncio.sleep(700)
        said = series_of(world)
        assert world.statement().available == 8
        assert (said["offerings InStock"], said["offerings Unknown"]) == (0.0, 1.0)
        assert "available InStock small" not in said
        assert "capacity cpu" not in said

    scenario(actions)


def test_the_age_of_what_an_earlier_process_read_goes_on_growing() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        await world.end()
        world.seen = GONE
        await asyncio.sleep(1000)
        world.begin()
        await asyncio.sleep(1)
        assert series_of(world)["data_age_seconds"] == pytest.approx(1002, abs=2)

    scenario(actions)


def test_a_cluster_that_was_left_for_another_has_no_numbers() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        world.seen = GONE
        world.apply(endpoints=["https://elsewhere.example.net:8006"])
        await asyncio.sleep(1)
        said = series_of(world)
        assert not [name for name in said if name.startswith(("available", "capacity", "committed", "headroom"))]

    scenario(actions)


def test_series_go_with_the_host_and_with_the_tier() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        whole = set(series_of(world))
        small = world.live.offering(Ref("default", "fra1-small"))
        assert small is not None
        world.live.offering_gone(small)
        assert whole - set(series_of(world)) == {"available InStock small"}
        world.live.host_gone(world.host())
        world.queue.add(OURS)
        await asyncio.sleep(1)
        assert series_of(world) == {}
        assert world.reconciler.seen(OURS) is None

    scenario(actions)


def test_only_the_leader_tells_of_hosts() -> None:
    """Otherwise whoever adds up counts the same stock once for each replica."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        assert series_of(world, leading=False) == {}

    scenario(actions)


def test_a_hand_that_writes_nonsense_into_a_status_breaks_no_scrape() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        small, host = world.kube.there["fra1-small"], world.host()
        for status in (None, {}, {"stock": "InStock"}, {"stock": "InStock", "available": 900}):
            world.live.saw_offering(world.kube.put(replace(small, status=status)))
            assert series_of(world)["offerings Unknown"] == 1.0
        odd = {"conditions": [{"type": "Ready", "status": "True", "reason": "Bespoke"}]}
        world.live.saw_host(world.kube.put(replace(host, status=odd)))
        assert not [name for name in series_of(world) if name.startswith("ready")]

    scenario(actions)


def test_the_queue_is_told_by_the_names_of_the_go_client() -> None:
    metrics = Metrics()
    watched = QueueMetrics(metrics)
    watched.added()
    watched.began(0.5)
    watched.ended(2)
    watched.repeated()
    metrics.watch_queue(depth=lambda: 3, active=lambda: 2, unfinished=lambda: 7.5, longest=lambda: 5, concurrency=32)
    text = text_of(metrics)
    labels = '{controller="proxmoxhost",name="proxmoxhost"}'
    for name, value in {
        "depth": 3,
        "adds_total": 1,
        "queue_duration_seconds_sum": 0.5,
        "work_duration_seconds_sum": 2,
        "unfinished_work_seconds": 7.5,
        "longest_running_processor_seconds": 5,
        "retries_total": 1,
    }.items():
        assert f"workqueue_{name}{labels} {float(value)}" in text
    assert 'controller_runtime_max_concurrent_reconciles{controller="proxmoxhost"} 32.0' in text
    assert 'controller_runtime_reconcile_errors_total{controller="proxmoxhost"} 0.0' in text
    assert "_created" not in text


def test_each_offering_is_one_series_and_no_more() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        before = len(series_of(world))
        small = world.kube.there["fra1-small"]
        for number in range(2000):
            ref = Ref("default", f"fra1-t{number}")
            spec = {**small.spec, "tier": f"t{number}"}
            world.live.saw_offering(replace(small, ref=ref, uid=str(number), version=10_000 + number, spec=spec))
        world.ahead = timedelta(seconds=1)
        assert len(series_of(world)) == before + 2000

    scenario(actions)
