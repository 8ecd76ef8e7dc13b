"""Alerts and dashboard ask for what a running operator tells: a misspelt name is no error in Prometheus, it just never fires."""

import asyncio
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.operator.harness import Kube, Process, eventually
from proxmox_offerings.controller.figures import UNITS
from proxmox_offerings.controller.reasons import HostReason
from proxmox_offerings.resources import Stock
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import ROOT, Cluster, own_namespace
from support.helm import CHART
from support.promql import grouped_by, selectors

ALERTS = CHART / "files" / "alerts.yaml"
DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))
RULES = [rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{f"{panel['title']}/{target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]},
}
OF_THE_SCRAPE = {"namespace", "exported_namespace", "pod", "instance"}
"""Labels that Prometheus adds, or renames."""
WORDS = {"stock": set(Stock), "reason": set(HostReason), "resource": set(UNITS)}
DASHBOARD_VARIABLES = {"$namespace", "$host"}


@pytest.fixture(scope="module")
def exported(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each metric in a scrape of a real operator, which leads and reads a simulated cluster."""
    with own_namespace(control_plane) as namespace:
        kube = Kube(control_plane, namespace)
        log = tmp_path_factory.mktemp("operator") / "log"
        flags = ("--leader-elect", "--leader-elect-namespace", namespace)
        shop = ("--catalogue-address", "127.0.0.1", "--catalogue-port", "0")
        process = Process(control_plane.kubeconfig, namespace, log, flags=(*flags, *shop))
        try:
            asyncio.run(_observed(kube))
            # One that would share the work, and may not while another one leads: it tells that, and nothing of hosts.
            waiting = Process(
                control_plane.kubeconfig, namespace, log.with_name("waiting"), flags=(*flags, "--share-work")
            )
            try:
                text = process.get("/metrics")[1] + waiting.get("/metrics")[1]
            finally:
                waiting.end()
        finally:
            process.end()
    labels: dict[str, set[str]] = defaultdict(set)
    for name, inside in re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.MULTILINE):
        labels[name] |= set(re.findall(r'(\w+)="', inside))
    return labels


async def _observed(kube: Kube) -> None:
    async with Simulator(presets.demo(), behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
        kube.secret("fra1-token", token_id=simulated.token_id, token_secret=simulated.token_secret)
        spec = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}}
        await asyncio.to_thread(kube.host, "fra1", **spec)
        await asyncio.to_thread(eventually, lambda: kube.reason("fra1") == "Observed", within=30)


def test_a_running_operator_exports_every_metric_with_every_label(exported: dict[str, set[str]]) -> None:
    for place, expression in EXPRESSIONS.items():
        chosen = list(selectors(expression))
        assert chosen, place
        for selector in chosen:
            assert selector.name in exported, f"{place}: nobody exports {selector.name}"
            asked = {label for label, _, _ in selector.conditions}
            assert asked <= exported[selector.name] | OF_THE_SCRAPE, place
        told = set().union(*(exported[selector.name] for selector in chosen))
        assert grouped_by(expression) <= told | OF_THE_SCRAPE, place


def test_every_metric_has_its_braces() -> None:
    """The chart puts the release's namespace into them; without, an alert would be about other releases too."""
    for place, expression in EXPRESSIONS.items():
        bare = re.sub(r"\{[^}]*\}", "{}", expression)
        assert not re.search(
            r"\b(?:proxmox_offerings|workqueue|controller_runtime|leader|rest_client|process)_\w+(?!\w*\{)\b(?!\{)",
            bare,
        ), place


def test_the_choices_of_the_dashboard_are_filled(exported: dict[str, set[str]]) -> None:
    """An empty list of namespaces or hosts looks like an operator that tells nothing."""
    queries = [one["definition"] for one in DASHBOARD["templating"]["list"] if "definition" in one]
    found = [re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", query) for query in queries]
    assert len(found) == 2
    for one in found:
        assert one is not None
        assert one[2] in exported[one[1]] | OF_THE_SCRAPE


def test_words_that_are_asked_for_exist() -> None:
    for place, expression in EXPRESSIONS.items():
        for _, conditions in selectors(expression):
            for label, _, value in conditions:
                if label in WORDS and value not in DASHBOARD_VARIABLES:
                    assert set(value.split("|")) <= WORDS[label], place


def test_promtool_takes_rules_and_every_expression_of_the_dashboard(promtool: Path, tmp_path: Path) -> None:
    """As recording rules, so that one run parses all; Grafana's variables stand for a duration and for words."""
    written = (EXPRESSIONS[place].replace("$__rate_interval", "5m") for place in EXPRESSIONS)
    rules = [{"record": f"expression:{number}", "expr": text} for number, text in enumerate(written)]
    every = tmp_path / "every.yaml"
    every.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    for path in (ALERTS, ROOT / "manifests" / "monitoring" / "alerts.yaml", every):
        done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(EXPRESSIONS)} rules found" in done.stdout


def walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from walk(inner)


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """Panels are known by their ids, data come from the chosen source, numbers have units, and nothing lies on anything else."""
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert names == {"datasource", "namespace", "host"}
    sources = [value["datasource"] for value in walk(DASHBOARD) if isinstance(value, dict) and "datasource" in value]
    assert sources
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
    used = {word for expression in EXPRESSIONS.values() for word in re.findall(r"\$(\w+)", expression)}
    assert used <= names | {"__rate_interval"}
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
