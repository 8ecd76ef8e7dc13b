"""A token's secret is nowhere but in its Secret: a hunt through all that the operator ever wrote, in success and in every kind of failure."""

import asyncio
import base64
import json
import re
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.operator.harness import Kube, Process, eventually
from integration.operator.spoilt import CRASHING
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.faults import Fault
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import ROOT, Cluster
from support.hunt import Hunt

TIER = {"name": "small", "cpu": 2, "memory": "4Gi", "disk": "50Gi"}
ODD_SECRET = 'Zq%7k"<&>\\mW+/=vT9' + secrets.token_hex(6)


class Place:
    """One operator over hosts that all have something wrong with them, but for fra1 as long as its cluster is well."""

    def __init__(self, kube: Kube, simulated: Simulator, process: Process, written: Path) -> None:
        self.kube = kube
        self.simulated = simulated
        self.process = process
        self.written = written
        self.said: list[str] = []
        """What each host was in between: a later status takes the place of an earlier one."""
        self._intervals = iter(range(601, 10_000))

    async def told(self, reason: str, *, host: str = "fra1") -> None:
        def seen() -> bool:
            told = self.kube.get_host(host)
            self.said.append(json.dumps(told, ensure_ascii=False))
            assert {one["type"]: one["reason"] for one in told["status"]["conditions"]}["Ready"] == reason, told
            return True

        await asyncio.to_thread(eventually, seen, within=30)

    async def becomes(self, reason: str) -> None:
        """Have fra1 read at once: a change of the inventory interval asks for that."""
        patch = f'{{"spec":{{"inventoryIntervalSeconds":{next(self._intervals)}}}}}'
        await asyncio.to_thread(self.kube.kubectl, "patch", "proxmoxhost", "fra1", "--type=merge", "-p", patch)
        await self.told(reason)

    def everything(self) -> dict[str, str]:
        """All that it wrote, by where: its output and its files, what it serves, and every object of the namespace but the Secrets."""
        places = {str(path): path.read_text(errors="replace") for path in self.written.rglob("*") if path.is_file()}
        places["in between"] = "\n".join(self.said)
        places |= {path: self.process.get(path)[1] for path in ("/healthz", "/readyz", "/metrics")}
        return places | dict(self.objects())

    def objects(self) -> Iterator[tuple[str, str]]:
        """Kind -> all objects of the namespace, managedFields and all. A kind that is stored nowhere cannot be listed."""
        get = self.kube.cluster.api
        groups = [f"/apis/{group['preferredVersion']['groupVersion']}" for group in get("GET", "/apis")["groups"]]
        for group in ("/api/v1", *groups):
            for kind in get("GET", group)["resources"]:
                if kind["namespaced"] and "list" in kind["verbs"] and kind["kind"] != "Secret":
                    listed = get("GET", f"{group}/namespaces/{self.kube.namespace}/{kind['name']}")
                    yield f"{group}/{kind['name']}", json.dumps(listed, ensure_ascii=False)


def secret(name: str, **data: str) -> dict[str, Any]:
    """With data, not stringData, as it is applied from the server's side: without kubectl's copy in an annotation."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-token"}, "data": encoded}


def host(name: str, **spec: Any) -> dict[str, Any]:
    terms = {
        "credentialsSecretRef": {"name": f"{name}-token"},
        "refreshIntervalSeconds": 3600,
        "validitySeconds": 14400,
    }
    kind = {"apiVersion": "proxmox-offerings.io/v1alpha1", "kind": "ProxmoxHost"}
    return {**kind, "metadata": {"name": name}, "spec": {**terms, **spec}}


async def apply(kube: Kube, *objects: dict[str, Any]) -> None:
    body = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    await asyncio.to_thread(kube.kubectl, "apply", "--server-side", "--force-conflicts", "-f", "-", body=body)


@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_the_secret_of_a_token_is_in_nothing_that_the_operator_ever_wrote(
    control_plane: Cluster, namespace: str, tmp_path: Path, log_format: str
) -> None:
    kube = Kube(control_plane, namespace)
    written = tmp_path / "written"
    written.mkdir()
    wrong, swapped, misplaced, cut = (str(uuid.uuid4()) for _ in range(4))
    async with Simulator(presets.demo(), behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
        first, rotated = simulated.token_secret, str(uuid.uuid4())
        own = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}, "tiers": [TIER]}
        right = {"tokenID": simulated.token_id, "tokenSecret": first}
        hosts: list[tuple[str, dict[str, str], dict[str, Any], str]] = [
            ("fra1", right, {}, "Observed"),
            ("wrong", right | {"tokenSecret": wrong}, {}, "Unauthorized"),
            ("odd", {"tokenID": "we%ird+<user>@pve!a-b_c.d", "tokenSecret": ODD_SECRET}, {}, "Unauthorized"),
            ("swapped", {"tokenID": swapped, "tokenSecret": simulated.token_id}, {}, "CredentialsMissing"),
            ("misplaced", {"token": f"PVEAPIToken=a@pve!b={misplaced}", misplaced: ""}, {}, "CredentialsMissing"),
            ("cut", right | {"tokenSecret": f"{cut}\n{cut}"}, {}, "CredentialsMissing"),
            ("pinned", right, {"tls": {"fingerprints": [":".join(["AB"] * 32)]}}, "CertificateRejected"),
            ("crash", right, {"endpoints": [CRASHING]}, "InternalError"),
            ("gone", right, {"endpoints": ["https://gone.invalid:8006"]}, "ConnectionFailed"),
            ("forbidden", right, {"endpoints": ["https://169.254.169.254:8006"]}, "EndpointForbidden"),
        ]
        await apply(kube, *(secret(name, **data) for name, data, _, _ in hosts))
        await apply(kube, *(host(name, **(own | special)) for name, _, special, _ in hosts))
        process = Process(
            control_plane.kubeconfig,
            namespace,
            written / "output",
            program=(str(ROOT / "tests" / "integration" / "operator" / "spoilt.py"),),
            environment={
                "PROXMOX_OFFERINGS_LOG_FORMAT": log_format,
                "PROXMOX_OFFERINGS_LOG_LEVEL": "debug",
                "PYTHONPATH": str(ROOT / "tests"),
                "PYTHONASYNCIODEBUG": "1",
                "TMPDIR": str(written),
                "HOME": str(written),
            },
        )
        place = Place(kube, simulated, process, written)
        try:
            for name, _, _, reason in hosts:
                await place.told(reason, host=name)
            if (
                log_format == "console"
            ):  # what follows differs from what was by its messages alone, which both formats show
                await fail_in_every_way(place, first)
            simulated.set_secret(simulated.token_id, rotated)
            await place.becomes("Unauthorized")
            await apply(kube, secret("fra1", **(right | {"tokenSecret": rotated})))
            await place.told("Observed")
            everything = await asyncio.to_thread(place.everything)

            hunt = Hunt([first, rotated, wrong, swapped, misplaced, cut, ODD_SECRET])
            assert hunt.where(everything) == []
            output = everything[str(written / "output")]
            assert "Traceback" in output
            assert "a fault of ours" in output
            assert re.search("debug", output)
            assert all(line.isprintable() for line in output.splitlines())
            assert all(text.isprintable() for text in messages_of(kube))
            await prove_that_it_would_be_found(place, hunt, rotated)
        finally:
            assert await asyncio.to_thread(process.end) == 0
        assert not hunt.finds((written / "output").read_text())


async def fail_in_every_way(place: Place, token_secret: str) -> None:
    """fra1's cluster, through all that servers do; some give the secret back as their own words."""
    simulated, echo = place.simulated, f"PVEAPIToken={place.simulated.token_id}={token_secret}"
    hostile = "pve1\x1b[2J\u202e" + echo
    faults = [
        (Fault(status=401, reason=f"invalid token {echo}", body=echo), "Unauthorized"),
        (Fault(path="/cluster/status", status=403, reason=f"Permission check failed ({echo})"), "CallFailed"),
        (Fault(path="/cluster/resources", status=500, reason=echo, body=f'{{"message":"{echo}"}}'), "CallFailed"),
        (Fault(path="/cluster/resources", body=f"<html>{echo}</html>", content_type="text/html"), "CallFailed"),
        (Fault(path="/cluster/resources", truncate=True), "CallFailed"),
        (Fault(path="/cluster/resources", data={echo: echo}), "CallFailed"),
        (Fault(path="/cluster/resources", data=[node_called(token_secret)]), "CallFailed"),
        (Fault(path="/cluster/resources", body=escaped([node_called(f"a{token_secret}")])), "CallFailed"),
        (Fault(path="/version", data={"version": token_secret, "release": "9"}), "CallFailed"),
        (Fault(path="/cluster/resources", redirect=f"https://example.net/?{echo}"), "CallFailed"),
        (Fault(path="/access/permissions", data={"/vms/\x1b[2J\u202e1": {}}), "PrivilegesMissing"),
        (Fault(path="/version", data={"version": hostile[:9], "release": "9"}), "Observed"),
        (Fault(drop=True), "ConnectionFailed"),
    ]
    for fault, reason in faults:
        simulated.add_fault(fault)
        await place.becomes(reason)
        simulated.remove_fault()
        await place.becomes("Observed")
    simulated.replace_certificate("expired")
    await place.becomes("CertificateRejected")
    simulated.replace_certificate("renewed")
    await place.becomes("Observed")


def node_called(name: str) -> dict[str, Any]:
    """A row that is well-formed, and would be published by its name."""
    return {"type": "node", "id": f"node/{name}", "node": name, "status": "online", "maxcpu": 8, "maxmem": 2**36}


def escaped(data: object) -> str:
    """An answer whose JSON writes every character of its texts as an escape."""
    text = json.dumps({"data": data})
    return re.sub(
        r'"([^"]*)"(?=[,}\]])',
        lambda value: '"' + "".join(f"\\u{ord(one):04x}" for one in value[1]) + '"',
        text,
    )


def messages_of(kube: Kube) -> list[str]:
    """The conditions' messages of all hosts."""
    hosts = kube.cluster.api("GET", f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{kube.namespace}/proxmoxhosts")
    return [condition["message"] for host in hosts["items"] for condition in host["status"]["conditions"]]


async def prove_that_it_would_be_found(place: Place, hunt: Hunt, leaked: str) -> None:
    """Put it where a careless operator would, and hunt again."""
    kube = place.kube
    coded = base64.b64encode(f"x{leaked}".encode()).decode()
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "leak"},
        "involvedObject": {"kind": "ProxmoxHost", "name": "fra1", "namespace": kube.namespace},
        "message": f"refused: {leaked[:20]}…",
    }
    await asyncio.to_thread(kube.kubectl, "create", "-f", "-", body=event)
    await asyncio.to_thread(kube.kubectl, "annotate", "offering", "fra1-small", f"leak={coded}")
    await asyncio.to_thread(kube.kubectl, "label", "proxmoxhost", "fra1", f"leak-{leaked[:8]}=x")
    await asyncio.to_thread(kube.kubectl, "create", "configmap", "leak", f"--from-literal=log={leaked.upper()}")
    (place.written / "core").write_bytes(b"\xff\x00" + leaked.encode().hex().encode())
    found = hunt.where(await asyncio.to_thread(place.everything))
    kinds = {place.rpartition("/")[2] for place in found}
    assert {"events", "offerings", "proxmoxhosts", "configmaps"} <= kinds
    assert str(place.written / "core") in found
    assert str(place.written / "output") not in found
    (place.written / "core").unlink()
