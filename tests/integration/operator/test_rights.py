"""The rights that the manifests and the chart grant are those that the operator uses: none is missing, none is superfluous.

What it uses is read from the API server's audit log, while the operator does all that it does, as the account that it is deployed with.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tools.kube.controlplane import ApiError, Cluster, ControlPlane

from integration.operator.harness import Kube, Process, eventually, json_lines
from integration.operator.test_leadership import QUICK, sell, serving
from integration.operator.test_publishing import BIG, SMALL
from proxmox_offerings.controller.ring import MOST_MEMBERS
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import ROOT
from support.helm import Helm

HOME = "proxmox-offerings"
"""The operator's namespace, and the name of its account and of its Lease."""
EXAMPLE = ROOT / "tests" / "unit" / "resources" / "examples" / "offering.yaml"
POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, userGroups: ["system:serviceaccounts"]}
- {level: None}
"""


class Right(NamedTuple):
    """A verb on a resource, with its subresource if any; `group` "" is that of Secrets."""

    group: str
    resource: str
    verb: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """An operator's account on an API server of its own, with the rights that are granted it for `served` (None: everywhere)."""

    plane: ControlPlane
    home: str
    served: str | None
    token: str
    kubeconfig: Path

    @property
    def requests(self) -> list[Mapping[str, Any]]:
        """All that it ever asked for: audit events."""
        return [
            line
            for line in json_lines(self.plane.audit_log)
            if line["user"]["username"] == f"system:serviceaccount:{self.home}:{HOME}"
        ]

    def refused(self) -> list[str]:
        return [line["requestURI"] for line in self.requests if line["responseStatus"]["code"] == 403]

    def used(self) -> set[Right]:
        """Server-side apply is a patch, and where it creates the API server asks for that right too."""
        rights = set()
        for line in self.requests:
            if (what := line.get("objectRef")) is None:  # discovery
                continue
            resource = "/".join(filter(None, (what["resource"], what.get("subresource"))))
            right = Right(what.get("apiGroup", ""), resource, line["verb"])
            rights.add(right)
            if line["verb"] == "patch" and line["responseStatus"]["code"] == 201:
                rights.add(right._replace(verb="create"))
        return rights

    def granted(self, namespace: str) -> set[Right]:
        """What the API server says that it may do there, but for what every account may (ask about itself, for one)."""
        everybody = self.plane.kubectl_run("-n", self.home, "create", "token", "default").stdout.strip()
        return self._rights(self.token, namespace) - self._rights(everybody, namespace)

    def may(self, method: str, path: str, body: object = None) -> bool:
        """Whether it is let send that, whatever comes of it."""
        try:
            self._api(self.token).api(method, path, body)
        except ApiError as error:
            return error.status != 403
        return True

    def applies(self, body: Mapping[str, Any]) -> bool:
        """Apply as the operator does, by the server; whether it is let."""
        arguments = ("--kubeconfig", self.kubeconfig, "apply", "--server-side", "--validate=false", "-f", "-")
        done = self.plane.kubectl_run(*arguments, input=json.dumps(body), check=False)
        assert done.returncode == 0 or "forbidden" in done.stderr, done.stderr
        return done.returncode == 0

    def _rights(self, token: str, namespace: str) -> set[Right]:
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        told = self._api(token).api("POST", path, {"spec": {"namespace": namespace}})["status"]
        assert not told["incomplete"]
        return {
            Right(group, resource, verb)
            for rule in told["resourceRules"]
            for group in rule.get("apiGroups", ())
            for resource in rule.get("resources", ())
            for verb in rule["verbs"]
        }

    def _api(self, token: str) -> Cluster:
        plane = self.plane
        return Cluster(
            directory=plane.directory, server=plane.server, kubectl=plane.kubectl, admin_token=token, controllers=True
        )


def rendered(
    plane: ControlPlane, helm: Helm, home: str, served: str | None, *, share_work: bool = False
) -> list[dict[str, Any]]:
    """What people apply for an operator in namespace `home`: the manifests for the whole cluster, the chart for the namespace `served`."""
    if served is not None:
        values = {"watchNamespaces": [served], "crds": {"enabled": False}, "shareWork": share_work}
        return helm.template(values, namespace=home, name=HOME)
    documents = []
    for document in yaml.safe_load_all(plane.kubectl_run("kustomize", ROOT / "manifests").stdout):
        for place in (document["metadata"], *document.get("subjects", ())):
            if place.get("namespace") == HOME:
                place["namespace"] = home
        if document["kind"] not in ("CustomResourceDefinition", "Namespace"):
            documents.append(document)
    return documents


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One of its own: an operator for all namespaces would work on the hosts of other tests."""
    policy = tmp_path_factory.mktemp("audit") / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    with ControlPlane(crds=ROOT / "crds", audit=policy) as running:
        yield running


@pytest.fixture
def deploy(plane: ControlPlane, helm: Helm, tmp_path: Path) -> Callable[..., Account]:
    """Makes an account, in a namespace of its own beside those that it serves."""

    def deployed(home: str, *, served: str | None, namespaces: Iterable[str], share_work: bool = False) -> Account:
        for namespace in (home, *namespaces):
            plane.api("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        manifests = yaml.safe_dump_all(rendered(plane, helm, home, served, share_work=share_work))
        plane.kubectl_run("apply", "--server-side", "-f", "-", input=manifests)
        token = plane.kubectl_run("-n", home, "create", "token", HOME).stdout.strip()
        kubeconfig = tmp_path / f"{home}.kubeconfig"
        content = json.loads(plane.kubeconfig.read_text(encoding="utf-8"))
        content["users"][0]["user"] = {"token": token}
        kubeconfig.write_text(json.dumps(content), encoding="utf-8")
        return Account(plane=plane, home=home, served=served, token=token, kubeconfig=kubeconfig)

    return deployed


def everything_happens(account: Account, kubes: Sequence[Kube], simulated: Simulator, log: Path, *more: str) -> None:
    """The life of an operator: hosts come, change, fail and go; another process takes over."""
    flags = ("--leader-elect-namespace", account.home, *QUICK, *more)
    kube = kubes[0]
    processes = [Process(account.kubeconfig, account.served, log / "one", flags=flags)]
    try:
        for one in kubes:
            sell(one, simulated)
        for one in kubes:
            eventually(lambda one=one: one.stock("fra1-small")[0] == "InStock", within=30)
        # Somebody else wrote into what is ours, in the spec and in the status.
        kube.kubectl("patch", "offering", "fra1-small", "--type=merge", "-p", '{"spec":{"storageClass":"nvme"}}')
        foreign = '{"status":{"gpu":{"name":"of somebody else"}}}'
        kube.kubectl("patch", "offering", "fra1-small", "--subresource=status", "--type=merge", "-p", foreign)
        eventually(lambda: "storageClass" not in kube.offering("fra1-small")["spec"])
        eventually(lambda: "gpu" not in kube.offering("fra1-small")["status"])
        # Tiers are changed, added and removed; one is sold out; the token is replaced, first by a wrong one.
        sell(kube, simulated, tiers=[SMALL | {"cpu": 4}, BIG])
        eventually(lambda: kube.stock("fra1-big")[0] == "InStock")
        sell(kube, simulated, tiers=[BIG | {"memory": "900Gi"}])
        eventually(lambda: kube.stock("fra1-big") == ("OutOfStock", 0) and "fra1-small" not in kube.offerings())
        wrong = "00000000-0000-0000-0000-000000000000"
        sell(kube, simulated, tiers=[BIG], token_secret=wrong, inventoryIntervalSeconds=3000)
        eventually(lambda: kube.reason("fra1") == "Unauthorized")
        sell(kube, simulated, tiers=[BIG])
        eventually(lambda: kube.reason("fra1") == "Observed")
        sell(kube, simulated, tiers=[BIG], suspend=True)
        eventually(lambda: kube.reason("fra1") == "Suspended")
        # The one that leads ends, and the next one does what there is to do.
        assert processes[0].end() == 0
        processes.append(Process(account.kubeconfig, account.served, log / "two", flags=flags))
        sell(kube, simulated, tiers=[SMALL])
        eventually(lambda: kube.stock("fra1-small")[0] == "InStock", within=30)
        for one in kubes:
            one.kubectl("delete", "proxmoxhost", "fra1", "--wait=false")
        eventually(lambda: not any(one.offerings() for one in kubes), within=30)
        assert processes[-1].end() == 0
    finally:
        for process in processes:
            process.destroy()


@pytest.mark.parametrize(
    ("home", "served", "others", "share_work"),
    [
        pytest.param(HOME, None, ("fra", "ams"), False, id="for the whole cluster"),
        pytest.param("tenant-home", "tenant", (), False, id="for one namespace"),
        pytest.param("sharing-home", "shared", (), True, id="as members that share the work"),
    ],
)
def test_the_operator_uses_each_right_that_it_has_and_no_other(
    plane: ControlPlane,
    deploy: Callable[..., Account],
    tmp_path: Path,
    home: str,
    served: str | None,
    others: tuple[str, ...],
    share_work: bool,
) -> None:
    """A right that is not used would be given away for nothing; one that is missing shows as a refusal."""
    namespaces = others or (served or "",)
    account = deploy(home, served=served, namespaces=namespaces, share_work=share_work)
    more = ("--share-work",) if share_work else ()
    with serving() as simulated:
        everything_happens(account, [Kube(plane, namespace) for namespace in namespaces], simulated, tmp_path, *more)
    assert account.refused() == []
    used, granted = account.used(), account.granted(home) | account.granted(namespaces[0])
    assert (granted - used, used - granted) == (set(), set())


def test_apply_that_creates_is_refused_without_the_right_to_create(deploy: Callable[..., Account]) -> None:
    """What `used` takes for granted, and the log does not show."""
    account = deploy("maker-home", served="maker", namespaces=("maker",))
    example = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    names = (f"new-{number}" for number in itertools.count())

    def create() -> bool:
        return account.applies(example | {"metadata": {"name": next(names), "namespace": "maker"}})

    assert create()
    role = yaml.safe_load(account.plane.kubectl_run("-n", "maker", "get", "role", "-o", "yaml").stdout)["items"][0]
    for rule in (rule for rule in role["rules"] if rule["resources"] == ["offerings"]):
        rule["verbs"] = [verb for verb in rule["verbs"] if verb != "create"]
    account.plane.kubectl_run("replace", "-f", "-", input=json.dumps(role))
    eventually(lambda: not create())


SERVED = {
    Right("proxmox-offerings.io", "proxmoxhosts", "get"),
    Right("proxmox-offerings.io", "proxmoxhosts", "list"),
    Right("proxmox-offerings.io", "proxmoxhosts", "watch"),
    Right("proxmox-offerings.io", "proxmoxhosts/status", "patch"),
    Right("proxmox-offerings.io", "offerings", "list"),
    Right("proxmox-offerings.io", "offerings", "watch"),
    Right("proxmox-offerings.io", "offerings", "create"),
    Right("proxmox-offerings.io", "offerings", "patch"),
    Right("proxmox-offerings.io", "offerings", "delete"),
    Right("proxmox-offerings.io", "offerings/status", "patch"),
    Right("events.k8s.io", "events", "create"),
    Right("", "secrets", "get"),
}
AT_HOME = {
    Right("coordination.k8s.io", "leases", "create"),
    Right("coordination.k8s.io", "leases", "get"),
    Right("coordination.k8s.io", "leases", "update"),
}
GROUP = "/apis/proxmox-offerings.io/v1alpha1"
LEASES = "/apis/coordination.k8s.io/v1/namespaces"


@pytest.mark.parametrize("everywhere", [True, False], ids=["for the whole cluster", "for one namespace"])
def test_whoever_takes_over_the_account_gets_at_little(deploy: Callable[..., Account], everywhere: bool) -> None:
    """Not at Secrets that it cannot name, not at what others wrote, and with one namespace at nothing of any other."""
    home, served, other = (f"{name}-{'all' if everywhere else 'one'}" for name in ("home", "served", "other"))
    account = deploy(home, served=None if everywhere else served, namespaces=(served, other))
    assert account.granted(served) == SERVED
    assert account.granted(home) == AT_HOME | (SERVED if everywhere else set())
    assert account.granted(other) == (SERVED if everywhere else set())

    assert account.may("GET", f"/api/v1/namespaces/{served}/secrets/fra1-token")
    assert account.may("GET", f"/api/v1/namespaces/{other}/secrets/fra1-token") == everywhere
    for path in ("/api/v1/secrets", f"/api/v1/namespaces/{served}/secrets", f"/api/v1/namespaces/{home}/secrets"):
        assert not account.may("GET", path)
        assert not account.may("GET", f"{path}?watch=true")
        assert not account.may("GET", f"{path}?fieldSelector=metadata.name%3Dfra1-token")
    assert account.may("GET", f"{GROUP}/namespaces/{other}/offerings") == everywhere
    assert account.may("GET", f"{GROUP}/proxmoxhosts") == everywhere

    # What people wrote is theirs; what they say of their clusters too.
    hosts, offerings = f"{GROUP}/namespaces/{served}/proxmoxhosts", f"{GROUP}/namespaces/{served}/offerings"
    assert not account.may("POST", hosts, {})
    for method in ("PUT", "PATCH", "DELETE"):
        assert not account.may(method, f"{hosts}/fra1", {})
    assert not account.may("PATCH", f"{hosts}/fra1/finalizers", {})
    assert not account.may("DELETE", offerings)

    # Its own Lease, and nobody else's.
    assert account.may("GET", f"{LEASES}/{home}/leases/proxmox-offerings")
    for path in (
        f"{home}/leases/another",
        f"{served}/leases/proxmox-offerings",
        "kube-system/leases/proxmox-offerings",
    ):
        assert not account.may("GET", f"{LEASES}/{path}")
        assert not account.may("PUT", f"{LEASES}/{path}", {})
    assert not account.may("DELETE", f"{LEASES}/{home}/leases/proxmox-offerings")
    assert not account.may("POST", f"/api/v1/namespaces/{home}/pods", {})
    assert not account.may("POST", f"/api/v1/namespaces/{home}/serviceaccounts/proxmox-offerings/token", {})
    assert not account.may("GET", f"/apis/events.k8s.io/v1/namespaces/{served}/events")


def test_members_get_at_their_own_leases_and_no_others(deploy: Callable[..., Account]) -> None:
    """Those of as many as may share the work, by name; all that others keep in Leases of that namespace can be seen, and nothing changed."""
    account = deploy("members-home", served="members-served", namespaces=("members-served",), share_work=True)
    assert account.granted("members-home") == AT_HOME | {Right("coordination.k8s.io", "leases", "list")}
    leases = f"{LEASES}/members-home/leases"
    for number in range(MOST_MEMBERS):
        assert account.may("PUT", f"{leases}/proxmox-offerings-{number}", {})
    for name in (f"proxmox-offerings-{MOST_MEMBERS}", "another"):
        assert not account.may("PUT", f"{leases}/{name}", {})
    assert not account.may("DELETE", f"{leases}/proxmox-offerings-0")
    assert not account.may("GET", f"{LEASES}/members-served/leases")
