"""Each alert fires on its condition, in its own words, and is silent on the healthy and on the neighbouring case: Prometheus itself decides."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from integration.monitoring.test_expressions import ALERTS, RULES
from proxmox_offerings.controller.reasons import HostReason
from support.controlplane import ROOT

RUNBOOKS = ROOT / "docs" / "how-to" / "alerts.md"
OF_ONE = 'namespace="offerings",exported_namespace="shop",host="fra1"'
HOST = {"namespace": "offerings", "exported_namespace": "shop", "host": "fra1"}
SHARED = {"namespace": "offerings", "name": "lease"}
QUEUE = 'controller="proxmoxhost",name="proxmoxhost",namespace="offerings",pod="a"'
QUEUE_LABELS = {"namespace": "offerings", "pod": "a"}
ALIVE = {'controller_runtime_active_workers{controller="proxmoxhost",namespace="offerings",pod="a"}': "0x90"}
Series = Mapping[str, str]


def ready(reason: str, values: str) -> Series:
    return {f'proxmox_offerings_ready{{{OF_ONE},reason="{reason}"}}': values}


def leads(*values: str) -> Series:
    return {
        f'leader_election_master_status{{name="lease",namespace="offerings",pod="{pod}"}}': told
        for pod, told in zip("abc", values, strict=False)
    }


def shares(*values: str) -> Series:
    return {
        f'proxmox_offerings_members{{name="lease",namespace="offerings",pod="{pod}"}}': told
        for pod, told in zip("abc", values, strict=False)
    }


def divided(hosts: str, *owned: str, members: str = "2x90", name: str = "lease") -> Series:
    """Replicas that share the work, and how many of the hosts each owns."""
    told = dict(shares(*(members for _ in owned)))
    for pod, values in zip("abc", owned, strict=False):
        labels = f'{{name="{name}",namespace="offerings",pod="{pod}"}}'
        told |= {f"proxmox_offerings_hosts_owned{labels}": values, f"proxmox_offerings_hosts{labels}": hosts}
    return told


def handed_over(values: str, *, hosts: int) -> Series:
    labels = 'name="lease",namespace="offerings",pod="a"'
    return {
        f'proxmox_offerings_hosts_handed_over_total{{direction="gained",{labels}}}': values,
        f"proxmox_offerings_hosts{{{labels}}}": f"{hosts}x90",
    }


def of_host(metric: str, values: str, more: str = "") -> Series:
    return {f"proxmox_offerings_{metric}{{{OF_ONE}{more}}}": values}


def amounts(resource: str, capacity: float, committed: float, headroom: float) -> Series:
    more = f',resource="{resource}",unit="any"'
    told = {"capacity": capacity, "committed": committed, "headroom": headroom}
    return {key: value for name, number in told.items() for key, value in of_host(name, f"{number}x90", more).items()}


def buckets(**per_minute: int) -> Series:
    """Refreshes that worked, by the seconds within which they did: le10, le30, leInf."""
    labels = 'namespace="offerings",pod="a",result="ok"'
    return {
        f'proxmox_offerings_refresh_seconds_bucket{{le="{bound.removeprefix("le")}",{labels}}}': f"0+{count}x90"
        for bound, count in per_minute.items()
    }


class Case(NamedTuple):
    """What makes an alert fire, what hardly does not, and what it says: its labels, and `$value` in words."""

    fires: Series
    labels: Mapping[str, str]
    neighbours: Sequence[Series]
    value: str = "0"
    human: str = ""


CASES = {
    "ProxmoxOfferingsAbsent": Case({}, {"controller": "proxmoxhost"}, [ALIVE]),
    "ProxmoxOfferingsNotLed": Case(
        leads("0x90", "0x90"),
        {"namespace": "offerings", "name": "lease"},
        [leads("0x90", "1x90"), leads("1x5 0x1 1x90", "0x90"), shares("2x90", "2x90"), shares("0x90", "1x90"), {}],
    ),
    "ProxmoxOfferingsTwoLeaders": Case(
        leads("1x90", "1x90"),
        {"namespace": "offerings", "name": "lease"},
        [leads("1x90", "0x90"), leads("1x10 0x80", "0x9 1x80")],
        "2",
    ),
    "ProxmoxOfferingsNoShare": Case(
        shares("0x90", "1x90"),
        {"namespace": "offerings", "name": "lease", "pod": "a"},
        # All of them stand by: another alert. One joins. One leads, and others stand by for it.
        [shares("2x90", "2x90"), shares("0x90", "0x90"), shares("0x3 2x87", "2x90"), leads("1x90", "0x90")],
    ),
    "ProxmoxOfferingsHostsNotOwned": Case(
        divided("100x90", "41x90", "50x90"),
        SHARED,
        [
            divided("100x90", "41x90", "59x90"),
            # One is killed: the other owns all after 18 s, so at the next scrape.
            divided("100x90", "41x10 41 100x79", "59x10 stale _x79"),
            # Only one leads, and nobody does: another alert.
            {**leads("0x90", "0x90"), **divided("100x90", "0x90", "0x90", members="_x90")},
            divided("100x90", "0x90", "0x90", members="0x90"),
        ],
        "9",
    ),
    "ProxmoxOfferingsHostsOwnedTwice": Case(
        divided("100x90", "41x90", "62x90"),
        SHARED,
        [
            divided("100x90", "41x90", "59x90"),
            # Scraped in the middle of a hand-over.
            divided("100x90", "100x11 41x79", "0x10 59x80"),
            # Two installations in one namespace, each with its own hosts.
            {**divided("100x90", "100x90", members="1x90"), **divided("30x90", "30x90", name="other")},
        ],
        "3",
    ),
    "ProxmoxOfferingsHandOvers": Case(
        handed_over("0+2x90", hosts=100),
        SHARED,
        # A start, an upgrade of all replicas, one replica that restarts once an hour.
        [
            handed_over("0x5 100x85", hosts=100),
            handed_over("0x5 50x2 120x2 200x2 230x78", hosts=100),
            handed_over("0x5 50x59 100x25", hosts=100),
            handed_over("0+1x90", hosts=200),
        ],
        human="30%",
    ),
    "ProxmoxOfferingsNoKubernetes": Case(
        {'proxmox_offerings_kubernetes_lost_seconds{namespace="offerings",pod="a"}': "90x90"},
        {"namespace": "offerings", "pod": "a"},
        [{'proxmox_offerings_kubernetes_lost_seconds{namespace="offerings",pod="a"}': "60x90"}],
        "90",
        "1m 30s",
    ),
    "ProxmoxOfferingsErrors": Case(
        {'controller_runtime_reconcile_total{controller="proxmoxhost",result="error",namespace="offerings"}': "0+1x90"},
        {"namespace": "offerings", "controller": "proxmoxhost"},
        [
            {
                'controller_runtime_reconcile_total{controller="proxmoxhost",result="requeue_after",namespace="offerings"}': "0+9x90"
            },
            {
                'controller_runtime_reconcile_total{controller="proxmoxhost",result="error",namespace="offerings"}': "7x90"
            },
        ],
    ),
    "ProxmoxOfferingsNotPublished": Case(
        ready("PublishFailed", "0x90"), {**HOST, "reason": "PublishFailed"}, [ready("ConnectionFailed", "0x90")]
    ),
    "ProxmoxOfferingsQueueGrows": Case(
        {f"workqueue_depth{{{QUEUE}}}": "11x90"},
        QUEUE_LABELS,
        [{f"workqueue_depth{{{QUEUE}}}": "11x12 0x1 30x13 0x1 11x12 10x90"}],
        "11",
    ),
    "ProxmoxOfferingsRefreshSlow": Case(
        buckets(le10=0, le30=4, le60=4, leInf=4),
        {"namespace": "offerings"},
        [buckets(le10=38, le30=40, leInf=40), buckets(leInf=0)],
        human="28s",
    ),
    "ProxmoxHostUnreachable": Case(
        ready("ConnectionFailed", "0x90"),
        HOST,
        [ready("Observed", "1x90"), ready("Suspended", "0x90"), ready("ConnectionFailed", "0x3 stale _x80")],
    ),
    "ProxmoxHostUncertain": Case(
        ready("NotQuorate", "0x90"), HOST, [ready("ConnectionFailed", "0x90"), ready("Suspended", "0x90")]
    ),
    "ProxmoxHostStalled": Case(
        ready("Unauthorized", "0x90"),
        {**HOST, "reason": "Unauthorized"},
        [ready("ConnectionFailed", "0x90"), ready("Suspended", "0x90")],
    ),
    "ProxmoxPrivilegesMissing": Case(
        of_host("privileges_missing", "2x90"), HOST, [of_host("privileges_missing", "0x90")], "2"
    ),
    "ProxmoxDataStale": Case(
        {**of_host("data_age_seconds", "400x90"), **of_host("validity_seconds", "600x90")},
        HOST,
        [
            {**of_host("data_age_seconds", "300x90"), **of_host("validity_seconds", "600x90")},
            {**of_host("data_age_seconds", "400x90"), **of_host("validity_seconds", "14400x90")},
            {
                **of_host("data_age_seconds", "9000x90"),
                **of_host("validity_seconds", "600x90"),
                **ready("Suspended", "0x90"),
            },
        ],
        human="6m 40s",
    ),
    "ProxmoxStockUnknown": Case(
        of_host("offerings", "3x90", ',stock="Unknown"'),
        HOST,
        [
            {**of_host("offerings", "0x90", ',stock="Unknown"'), **of_host("offerings", "3x90", ',stock="OutOfStock"')},
            {**of_host("offerings", "3x90", ',stock="Unknown"'), **ready("Suspended", "0x90")},
        ],
        "3",
    ),
    "ProxmoxSoldOut": Case(
        of_host("available", "0x90", ',tier="small",stock="OutOfStock"'),
        {**HOST, "tier": "small"},
        [
            of_host("available", "1x90", ',tier="small",stock="LowStock"'),
            of_host("offerings", "1x90", ',stock="OutOfStock"'),
        ],
    ),
    "ProxmoxCommittedOverCapacity": Case(
        # Two nodes of 64 each: one with 80 committed, one with 32.
        amounts("memory", 128, 112, 32),
        {**HOST, "resource": "memory"},
        [amounts("memory", 128, 128, 0), amounts("cpu", 128, 112, 16), amounts("storage", 100, 90, 20)],
    ),
}
HARMLESS = {HostReason.OBSERVED, HostReason.SUSPENDED, HostReason.INSECURE_SKIP_VERIFY}
"""Reasons that need no alert, or that are none of Ready. `PrivilegesMissing` has a metric of its own."""
RULE = {rule["alert"]: rule for rule in RULES}


def rendered(template: str, case: Case) -> str:
    """What a person expects to read: our templates use labels, the first of two, and the value."""
    text = re.sub(r"\{\{ or ((?:\$labels\.\w+ ?)+) ?\}\}", lambda found: first(found[1], case), template)
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: case.labels[found[1]], text)
    return re.sub(r"\{\{ \$value \| \w+ \}\}", case.human, text.replace("{{ $value }}", case.value))


def first(names: str, case: Case) -> str:
    return next(case.labels[name] for name in re.findall(r"\$labels\.(\w+)", names) if name in case.labels)


def run(promtool: Path, where: Path, tests: list[dict[str, Any]]) -> str:
    """What promtool complains about; "" if all is as expected."""
    written = where / "tests.yaml"
    written.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", written], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def expecting(alert: str, series: Series, moments: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What Prometheus has to say at each of some moments. One test, because each has to be started."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": told} for at, told in moments.items()],
    }


def firing(alert: str, case: Case) -> list[dict[str, Any]]:
    words = {name: rendered(text, case) for name, text in RULE[alert]["annotations"].items()}
    return [{"exp_labels": {**case.labels, **RULE[alert]["labels"]}, "exp_annotations": words}]


def minutes(duration: str) -> int:
    assert duration.endswith("m")
    return int(duration[:-1])


@pytest.fixture(scope="module")
def complaints(promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of one run over all cases: starting promtool takes longer than all of them."""
    tests = []
    for alert, case in CASES.items():
        patient = minutes(RULE[alert]["for"]) - 1
        tests.append(expecting(alert, case.fires, {f"{patient}m": [], "80m": firing(alert, case)}))
        silent: dict[str, list[dict[str, Any]]] = {"5m": [], "12m": [], "29m": [], "80m": []}
        tests += [expecting(alert, neighbour, silent) for neighbour in case.neighbours]
    return run(promtool, tmp_path_factory.mktemp("promtool"), tests)


@pytest.mark.parametrize("alert", CASES)
def test_it_fires_on_its_condition_after_its_time_and_on_no_neighbour(complaints: str, alert: str) -> None:
    """A refresh that fails once wakes nobody."""
    assert RULE[alert]["for"] != "0m"
    assert f"alertname: {alert}," not in complaints, complaints


def test_the_rules_can_be_tested_at_all(complaints: str) -> None:
    """What promtool says of anything else, such as a mistake in these tests, is in no alert's name."""
    assert complaints == ""


def test_all_is_silent_where_all_is_well(promtool: Path, tmp_path: Path) -> None:
    healthy = {
        **ALIVE, **leads("1x90", "0x90"), **ready("Observed", "1x90"), **buckets(le1=60, le30=60, leInf=60),
        'proxmox_offerings_kubernetes_lost_seconds{namespace="offerings",pod="a"}': "0x90",
        'controller_runtime_reconcile_total{controller="proxmoxhost",result="error",namespace="offerings"}': "0x90",
        f"workqueue_depth{{{QUEUE}}}": "1x90",
        **of_host("data_age_seconds", "61x90"), **of_host("validity_seconds", "600x90"), **of_host("privileges_missing", "0x90"),
        **of_host("offerings", "0x90", ',stock="Unknown"'), **of_host("offerings", "5x90", ',stock="InStock"'),
        **of_host("available", "9x90", ',tier="small",stock="InStock"'),
        **amounts("memory", 128, 100, 28), **amounts("cpu", 0.3, 0.1, 0.2),
    }  # fmt: skip
    each = [expecting(alert, healthy, {"80m": []}) for alert in CASES]
    one = {**each[0], "alert_rule_test": [told for test in each for told in test["alert_rule_test"]]}
    assert run(promtool, tmp_path, [one]) == ""


def test_a_prometheus_that_renames_nothing_is_told_the_namespace_too(promtool: Path, tmp_path: Path) -> None:
    """Scraped without a label of its own, the metric's `namespace` stays what it is: that of the ProxmoxHost."""
    alert = "ProxmoxSoldOut"
    labels = {"namespace": "shop", "host": "fra1", "tier": "small"}
    series = {'proxmox_offerings_available{namespace="shop",host="fra1",tier="small",stock="OutOfStock"}': "0x90"}
    case = CASES[alert]._replace(labels=labels)
    assert "Offering shop/fra1-small" in rendered(RULE[alert]["annotations"]["description"], case)
    assert run(promtool, tmp_path, [expecting(alert, series, {"80m": firing(alert, case)})]) == ""


def test_every_alert_is_tested_and_every_reason_has_its_alert() -> None:
    assert set(CASES) == set(RULE)
    covered = [
        word for rule in RULES for found in re.findall(r'reason=~"([^"]*)"', rule["expr"]) for word in found.split("|")
    ]
    assert sorted(covered) == sorted(set(HostReason) - HARMLESS - {HostReason.PRIVILEGES_MISSING})


def test_every_alert_says_what_why_and_where_to_read_on() -> None:
    headings = re.findall(r"^### (\w+)$", RUNBOOKS.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list(RULE)
    for alert, rule in RULE.items():
        said = rule["annotations"]
        assert set(said) == {"summary", "description", "runbook_url"}
        assert said["summary"].endswith(".") and said["description"].endswith(".")  # noqa: PT018
        assert said["runbook_url"] == f"docs/how-to/alerts.md#{alert.lower()}"
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
