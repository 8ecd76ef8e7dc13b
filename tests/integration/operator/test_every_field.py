"""Every field of both kinds, changed one after another under a running operator: what is published is what follows from ProxmoxHost.spec alone.

No reset in between: each change takes back the one before. What the plan says is asserted in tests/unit/catalogue/test_every_field.py; here the
operator must publish that, whatever it published before, and show what is not part of a plan.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tools.kube.controlplane import ApiError

from integration.operator.audit import Audit, differences
from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, eventually
from proxmox_offerings.catalogue.plan import Plan, plan
from proxmox_offerings.resources import OfferingSpec, ProxmoxHost, Stock
from support.fields import BASE, CLUSTER, FIELDS, Field, Shows, changed
from unit.resources.schemas import example

OF_THE_MOMENT = {"observedAt", "validUntil", "observedGeneration", "conditions", "soldOut", "hostGeneration"}


class Seller:
    """A host whose spec is set as a whole, and what is published for it."""

    def __init__(self, kube: Kube, clusters: Clusters) -> None:
        self.kube = kube
        self.clusters = clusters
        for name in ("fra1-token", "other-token"):
            kube.secret(name, token_id=f"monitor@pve!{name}")
        for endpoint in ("https://pve1.example.net:8006", "https://pve2.example.net:8006"):
            clusters.seen[endpoint] = CLUSTER
        self._path = f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{kube.namespace}/proxmoxhosts"

    def create(self, spec: Mapping[str, Any]) -> None:
        body = {"apiVersion": "proxmox-offerings.io/v1alpha1", "kind": "ProxmoxHost", "metadata": {"name": "fra1"}}
        # kubectl is patient with an API server that has only just learnt the kind.
        self.kube.kubectl("create", "-f", "-", body={**body, "spec": spec})

    def put(self, spec: Mapping[str, Any]) -> Any:
        """As `kubectl replace` does; the operator may write its status meanwhile."""
        while True:
            try:
                return self.kube.cluster.api("PUT", f"{self._path}/fra1", {**self.kube.get_host("fra1"), "spec": spec})
            except ApiError as refused:
                if refused.status != 409:
                    raise

    def planned(self, spec: Mapping[str, Any], *, before: Plan | None) -> Plan:
        """What somebody plans who knows nothing but what was published before."""
        host = ProxmoxHost.parse({**self.kube.get_host("fra1"), "spec": spec})
        sold_out = {
            one.name: one.statement.stock
            for one in (before.offerings if before else ())
            if one.statement.stock is Stock.OUT_OF_STOCK
        }
        existing: list[OfferingSpec] = [one.spec for one in before.offerings] if before else []
        return plan(host=host, snapshot=CLUSTER.snapshot(), past=sold_out, existing=existing)

    def publishes(self, wanted: Plan, after: str = "nothing") -> bool:
        """Raises AssertionError with what is different."""
        published = {
            name: [offering["spec"], _without(offering.get("status", {}), OF_THE_MOMENT)]
            for name, offering in self.kube.offerings().items()
        }
        expected = {
            one.name: [one.spec.to_wire(), _without(one.statement.to_wire(), OF_THE_MOMENT)] for one in wanted.offerings
        }
        assert differences(published, expected) == [], after
        host = self.kube.get_host("fra1")
        assert host["status"]["observedGeneration"] == host["metadata"]["generation"]
        return True

    def readings(self) -> int:
        """How many observers were opened."""
        return sum(map(len, self.clusters.opened.values()))


def _without(status: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    """And without empty lists: a list whose last entry was taken out by server-side apply is absent, one that never had any is empty."""
    return {key: value for key, value in status.items() if key not in keys and value != []}


def _shows(seller: Seller, field: Field, spec: Mapping[str, Any], readings: int) -> bool:
    """What a change shows beside the plan. Raises AssertionError."""
    status = seller.kube.get_host("fra1")["status"]
    if field.shows is Shows.READING:
        assert seller.readings() > readings, field.path
    if field.path == "endpoints":
        assert seller.clusters.open[field.to[0]] == 1
    if field.path == "credentialsSecretRef.name":
        assert seller.clusters.opened[BASE["endpoints"][0]][-1].id == "monitor@pve!other-token"
    if field.path == "tls.insecureSkipVerify":
        assert seller.kube.condition("fra1", "TLSVerified")["status"] == "False"
    if field.path == "suspend":
        assert seller.kube.reason("fra1") == "Suspended"
    if field.path == "validitySeconds":
        said = seller.kube.offering("fra1-small")["status"]
        lasts = datetime.fromisoformat(said["validUntil"]) - datetime.fromisoformat(said["observedAt"])
        assert lasts.total_seconds() == spec["validitySeconds"]
    if field.path == "refreshIntervalSeconds":
        wait = datetime.fromisoformat(status["nextRefreshTime"]) - datetime.fromisoformat(status["lastRefreshTime"])
        assert wait.total_seconds() <= spec["refreshIntervalSeconds"] + 60
    return True


def test_each_change_is_published_whatever_was_before_and_taken_back_leaves_no_trace(
    kube: Kube, clusters: Clusters, start: Start
) -> None:
    seller = Seller(kube, clusters)
    seller.create(BASE)
    start()
    plan_before = seller.planned(BASE, before=None)
    eventually(lambda: seller.publishes(plan_before))
    with Audit(kube) as audit:
        first = _timeless(audit.state())
        for field in FIELDS:
            spec = changed(field.path, field.to)
            readings = seller.readings()
            seller.put(spec)
            if field.path == "suspend":
                eventually(lambda: _shows(seller, field, spec, readings))  # noqa: B023 - called at once
                continue
            wanted = seller.planned(spec, before=plan_before)
            eventually(lambda: seller.publishes(wanted, field.path))  # noqa: B023
            eventually(lambda: _shows(seller, field, spec, readings))  # noqa: B023
            plan_before = wanted
        seller.put(BASE)
        eventually(lambda: seller.publishes(seller.planned(BASE, before=plan_before)))
        eventually(lambda: differences(first, _timeless(audit.state())) == [])


def _timeless(state: dict[str, Any]) -> dict[str, Any]:
    """Without what counts how often something was changed."""
    return {
        name: {
            **one,
            "metadata": _without(one["metadata"], {"generation", "managedFields"}),
            "status": _without(one["status"], {"observedGeneration", "conditions"}),
        }
        for name, one in state.items()
    }


def test_each_field_of_an_offering_that_somebody_changes_is_put_right(
    kube: Kube, clusters: Clusters, start: Start
) -> None:
    """Of what the operator alone writes nothing is anybody else's to say: neither what a unit is, nor that there is one."""
    seller = Seller(kube, clusters)
    seller.create(BASE)
    operator = start()
    eventually(lambda: seller.publishes(seller.planned(BASE, before=None)))
    operator.settle()
    before, other = kube.offering("fra1-small"), example("Offering")
    tried = 0
    for part, options in (("spec", ()), ("status", ("--subresource=status",))):
        for name, value in other[part].items():
            to = None if value == before[part].get(name) else value
            patch = json.dumps({part: {name: to}})
            refused = kube.kubectl(
                "patch", "offering", "fra1-small", "--type=merge", *options, "-p", patch, check=False
            )
            tried += bool(refused)
            eventually(lambda: _is_put_right(before, kube.offering("fra1-small"), f"{part}.{name}"))  # noqa: B023
    assert tried > 25


def _is_put_right(before: Mapping[str, Any], now: Mapping[str, Any], changed: str) -> bool:
    """Raises AssertionError. Times may be later: what was changed is said anew."""
    assert now["spec"] == before["spec"], changed
    assert now["status"]["observedGeneration"] == now["metadata"]["generation"], changed
    times = {"observedAt", "validUntil", "observedGeneration", "conditions"}
    assert _without(now["status"], times) == _without(before["status"], times), changed
    own, again = (
        [(one["reason"], one["status"]) for one in offering["status"]["conditions"] if one["type"] == "Ready"]
        for offering in (before, now)
    )
    assert own == again, changed
    lasts = [
        datetime.fromisoformat(one["status"]["validUntil"]) - datetime.fromisoformat(one["status"]["observedAt"])
        for one in (before, now)
    ]
    assert lasts[0] == lasts[1], changed
    assert now["status"]["observedAt"] >= before["status"]["observedAt"], changed
    return True
