"""Reading ProxmoxHosts, their Secrets and Offerings from Kubernetes, with the rights of whoever runs the command. Nothing is written.

It takes `get` and `list` on proxmoxhosts and offerings, and `get` on the Secret of each host that is read (for `offers` and exports: on none).
"""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxmox_offerings.cli.manifests import (
    GROUP,
    HostManifest,
    UnreadableInput,
    Unusable,
    credentials_of,
    parse_host,
)

if TYPE_CHECKING:
    from proxmox_offerings.kube.client import KubeClient

POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
PAGE = "500"
KINDS = {"proxmoxhosts": "ProxmoxHost", "offerings": "Offering"}
API_VERSION = f"{GROUP}/v1alpha1"
DIFFERENT_EACH_TIME = ("managedFields", "creationTimestamp", "generation", "resourceVersion", "uid", "selfLink")


class ClusterUnreadable(click.ClickException):
    """The Kubernetes cluster did not answer as hoped; the message says what to do."""

    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which Kubernetes cluster, and which namespace of it; None: as kubectl would choose."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False


class Cluster:
    """An open connection to a Kubernetes cluster. `namespace` is what was chosen; None: all of them."""

    def __init__(self, client: "KubeClient", namespace: str | None) -> None:
        self._client = client
        self.namespace = namespace

    async def hosts(self, names: Sequence[str] = ()) -> list[Mapping[str, Any]]:
        """The ProxmoxHosts of the namespace, or those of `names`. Raises UnreadableInput for a name that is none, ClusterUnreadable."""
        found = await self._list("proxmoxhosts")
        missing = set(names) - {host["metadata"]["name"] for host in found}
        if missing:
            there = ", ".join(sorted(host["metadata"]["name"] for host in found)) or "none"
            raise UnreadableInput(
                f"there is no ProxmoxHost {min(missing)} in {self._where()}; there: {there}. -n names another namespace, -A looks in all"
            )
        return [host for host in found if not names or host["metadata"]["name"] in names]

    async def manifests(self, names: Sequence[str] = ()) -> tuple[HostManifest | Unusable, ...]:
        """The hosts with their tokens; Unusable where one has none that can be read. Raises as `hosts`."""
        found = await self.hosts(names)
        if not found:
            raise UnreadableInput(
                f"there is no ProxmoxHost in {self._where()}. -n names another namespace, -A looks in all"
            )
        return tuple([await self._manifest(host) for host in found])

    async def offerings(
        self, hosts: Sequence[str] = (), *, selector: str | None = None, with_bookkeeping: bool = False
    ) -> list[dict[str, Any]]:
        """The Offerings of the namespace as they are, by namespace and name; `hosts`: only theirs. Raises ClusterUnreadable.

        As `preview -o json` prints them: without what the API server keeps about every object, unless `with_bookkeeping`. `selector` is by labels.
        """
        return [
            offering if with_bookkeeping else without_bookkeeping(offering)
            for offering in await self._list("offerings", selector=selector)
            if not hosts or (offering.get("spec") or {}).get("hostRef", {}).get("name") in hosts
        ]

    async def _manifest(self, body: Mapping[str, Any]) -> HostManifest | Unusable:
        from proxmox_offerings.kube.client import path_of  # noqa: PLC0415
        from proxmox_offerings.kube.errors import Forbidden, KubeError, NotFound  # noqa: PLC0415

        name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
        try:
            host = parse_host(body, "Kubernetes", strict=False)
        except UnreadableInput as problem:
            return Unusable(host=name, problem=problem.message)
        secret = host.spec.credentials_secret_ref.name
        try:
            path = path_of(prefix="/api/v1", plural="secrets", namespace=namespace, name=secret)
            answer = await self._client.request("GET", path)
            return HostManifest(host=host, credentials=credentials_of(answer, f"Secret {secret}"))
        except UnreadableInput as problem:
            return Unusable(host=name, problem=problem.message)
        except NotFound:
            return Unusable(host=name, problem=f"there is no Secret {secret} in namespace {namespace}")
        except Forbidden:
            role = f"kubectl create role {secret}-reader -n {namespace} --verb=get --resource=secrets --resource-name={secret}"
            return Unusable(host=name, problem=f"you may not read its Secret {secret}; a role that allows it: {role}")
        except KubeError as problem:
            return Unusable(host=name, problem=f"its Secret {secret} could not be read: {problem}")

    async def _list(self, plural: str, *, selector: str | None = None) -> list[dict[str, Any]]:
        from proxmox_offerings.kube.client import path_of  # noqa: PLC0415
        from proxmox_offerings.kube.errors import NOT_INSTALLED, Forbidden, KubeError, NotFound  # noqa: PLC0415

        path = path_of(prefix=f"/apis/{API_VERSION}", plural=plural, namespace=self.namespace)
        query, found = {"limit": PAGE} | ({"labelSelector": selector} if selector else {}), []
        try:
            while True:
                page = await self._client.request("GET", path, query=query)
                found += [{"apiVersion": API_VERSION, "kind": KINDS[plural], **item} for item in page["items"]]
                query["continue"] = page["metadata"].get("continue") or ""
                if not query["continue"]:
                    break
        except NotFound:
            raise ClusterUnreadable(
                f"{NOT_INSTALLED} (proxmox-offerings crds | kubectl apply --server-side -f -)"
            ) from None
        except Forbidden:
            raise ClusterUnreadable(
                f"you may not list {plural} in {self._where()}; ask for the verb list on {plural}.proxmox-offerings.io"
            ) from None
        except KubeError as problem:
            raise ClusterUnreadable(f"{problem}; kubectl version tells whether kubectl reaches it") from None
        return sorted(found, key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"]))

    def _where(self) -> str:
        return "any namespace" if self.namespace is None else f"namespace {self.namespace}"


@asynccontextmanager
async def connect(scope: Scope) -> AsyncIterator[Cluster]:
    """Raises UnreadableInput where there are no usable credentials; sends nothing yet."""
    from proxmox_offerings.kube.client import connected  # noqa: PLC0415
    from proxmox_offerings.kube.errors import KubeError  # noqa: PLC0415

    if not logging.getLogger().handlers:
        # The library logs what it raises as well; whoever calls a command is told once.
        logging.getLogger().addHandler(logging.NullHandler())
    try:
        namespace = None if scope.all_namespaces else scope.namespace or await _own_namespace(scope)
        async with connected(kubeconfig=scope.kubeconfig, context=scope.context) as client:
            yield Cluster(client, namespace)
    except KubeError as problem:
        raise UnreadableInput(f"{problem}; name another with --kubeconfig or KUBECONFIG") from None


async def _own_namespace(scope: Scope) -> str:
    """That of the kubeconfig's context, of the pod, or "default": as kubectl chooses. Raises KubeError."""
    from kubernetes.aio import config  # noqa: PLC0415

    from proxmox_offerings.kube.client import kubeconfig_at  # noqa: PLC0415

    path = kubeconfig_at(scope.kubeconfig)
    if path is None:
        return _pod_namespace()
    chosen: Mapping[str, Any]
    try:
        contexts, current = config.list_kube_config_contexts(config_file=path)  # type: ignore[no-untyped-call]
        wanted = scope.context or current["name"]
        chosen = next((one["context"] for one in contexts if one["name"] == wanted), {})
    except Exception:  # noqa: BLE001 - whatever is wrong with that file is told when it is loaded in earnest
        return "default"
    return str(chosen.get("namespace") or "default")


def _pod_namespace() -> str:
    return POD_NAMESPACE.read_text(encoding="utf-8").strip() if POD_NAMESPACE.exists() else "default"


def without_bookkeeping(body: Mapping[str, Any]) -> dict[str, Any]:
    """An object as one would apply it: without what the API server keeps about every object."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in DIFFERENT_EACH_TIME}
    return {**body, "metadata": metadata}
