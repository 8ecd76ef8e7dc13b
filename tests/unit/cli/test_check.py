"""`check` finds what is broken, says what that means, and names what mends it: each world is broken in one way."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from proxmox_offerings.cli.doctor.findings import Verdict
from proxmox_offerings.cli.doctor.rights import findings_of
from proxmox_offerings.proxmox.answers import Permissions, Version
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import AclConfig
from proxmox_offerings.simulator.simulator import Simulator
from support.commands import Said, called, host_file
from support.proxmox import simulated

AUDITOR = AclConfig(role="PVEAuditor")
TOKEN = "offerings@pve!reader"


def failed(said: Said) -> dict[str, dict[str, Any]]:
    """What failed first, by area."""
    return {one["area"]: one for one in reversed(said.json) if one["verdict"] == "Failed"}


async def examined(break_it: Callable[[Simulator], Any], **spec: Any) -> Said:
    async with simulated(presets.demo()) as simulator:
        changes = break_it(simulator) or {}
        return await called("check", "-f", "-", "-o", "json", stdin=host_file(simulator, **(spec | changes)))


async def test_a_healthy_cluster_is_found_healthy_and_every_part_was_looked_at() -> None:
    said = await examined(lambda _: None)
    assert (said.code, said.err) == (0, "")
    assert {one["verdict"] for one in said.json} == {"Ok"}
    areas = {one["area"] for one in said.json}
    parts = "manifest token port certificate clock version quorum privilege node gpu storage templates tier"
    assert areas == set(re.findall(r"\w+", parts))
    assert len([one for one in said.json if one["area"] == "certificate"]) == 3
    assert {one["subject"] for one in said.json if one["area"] == "node"} == {"pve1", "pve2", "pve3"}


def taken(simulator: Simulator, *privileges: str) -> None:
    """The token may do only these."""
    simulator.set_acls(TOKEN, [AclConfig(privileges=list(privileges))], user_acls=[AUDITOR])


GRANTED = f"pveum acl modify / --tokens '{TOKEN}' --roles PVEAuditor --propagate 1"


@pytest.mark.parametrize(
    ("break_it", "area", "means", "fix"),
    [
        pytest.param(
            lambda simulator: {"secret": "another-secret"},
            "token",
            "its secret is another one",
            "pveum user token add 'offerings@pve' 'reader' --privsep 1",
            id="another secret",
        ),
        pytest.param(
            lambda simulator: {"secret": "two words"},
            "token",
            "",
            "pveum user token add offerings@pve reader",
            id="no secret at all",
        ),
        pytest.param(
            lambda simulator: simulator.set_acls(TOKEN, [], user_acls=[AUDITOR]),
            "privilege",
            "sold again",
            GRANTED,
            id="privilege separation, and nothing given to the token",
        ),
        pytest.param(
            lambda simulator: taken(simulator, "Sys.Audit", "Datastore.Audit", "SDN.Audit", "Mapping.Audit"),
            "privilege",
            "guests may be hidden",
            GRANTED,
            id="guests hidden",
        ),
        pytest.param(
            lambda simulator: simulator.set_acls(
                TOKEN, [AUDITOR, AclConfig(path="/storage/nfs", privileges=["Datastore.AllocateSpace"])]
            ),
            "privilege",
            "this storage is not sold",
            f"pveum acl modify /storage/nfs --tokens '{TOKEN}' --roles PVEAuditor --propagate 1",
            id="another role on one storage",
        ),
        pytest.param(
            lambda simulator: simulator.set_acls(TOKEN, [AUDITOR, AclConfig(path="/vms", role="NoAccess")]),
            "privilege",
            "guests may be hidden",
            f"pveum acl delete /vms --tokens '{TOKEN}' --roles NoAccess",
            id="all guests taken away",
        ),
        pytest.param(
            lambda simulator: {"tls": None},
            "certificate",
            "Compare the fingerprint",
            "    fingerprints:",
            id="the cluster's own authority, not trusted",
        ),
        pytest.param(
            lambda simulator: simulator.replace_certificate("expired", node="pve2"),
            "certificate",
            "Compare the fingerprint",
            "on the node: openssl x509 -noout -fingerprint -sha256 -in /etc/pve/local/pve-ssl.pem",
            id="expired",
        ),
        pytest.param(
            lambda simulator: simulator.set_quorum(quorate=False),
            "quorum",
            "a majority",
            "pvecm status",
            id="no quorum",
        ),
        pytest.param(
            lambda simulator: simulator.set_version("pve1", "7.1-10"), "version", "", "pveupgrade", id="too old"
        ),
        pytest.param(
            lambda simulator: {"bridge": "vmbr7"},
            "node",
            "spec.bridge names a bridge",
            "on the node: ip -br link",
            id="no such bridge",
        ),
        pytest.param(
            lambda simulator: simulator.set_storage("nfs", active=False),
            "storage",
            "no disk is sold on it",
            "on the node: pvesm status --storage nfs",
            id="a storage that is down",
        ),
        pytest.param(
            lambda simulator: {"endpoints": [*simulator.endpoints, "https://no-such-name.invalid:8006"]},
            "name",
            "resolver does not know it",
            "getent hosts no-such-name.invalid",
            id="a name that is none, beside endpoints that work",
        ),
        pytest.param(
            lambda simulator: {"endpoints": [*simulator.endpoints, "https://127.0.0.1:1"]},
            "port",
            "pveproxy does not listen",
            "systemctl restart pveproxy",
            id="a port where nobody listens, beside endpoints that work",
        ),
    ],
)
async def test_what_is_broken_is_found_with_what_mends_it(
    break_it: Callable[[Simulator], Any], area: str, means: str, fix: str
) -> None:
    said = await examined(break_it)
    assert said.code == 1
    found = failed(said)
    assert area in found, found
    assert means in (found[area]["means"] or "")
    assert any(line.startswith(fix) for line in found[area]["fix"]), found[area]["fix"]
    assert "another-secret" not in said.out + said.err


async def test_token_is_not_sent_where_the_certificate_is_not_accepted() -> None:
    async with simulated(presets.standalone()) as simulator:
        said = await called("check", "-f", "-", stdin=host_file(simulator, tls=None))
        assert said.code == 1
        assert not simulator.requests


async def test_pins_of_all_nodes_are_printed_so_that_pasting_them_once_is_enough() -> None:
    async with simulated(presets.demo()) as simulator:
        said = await called("check", "-f", "-", "-o", "json", stdin=host_file(simulator, tls=None))
        lines = failed(said)["certificate"]["fix"]
        pins = [line.split('"')[1] for line in lines if '"' in line]
        assert pins == list(simulator.fingerprints.values())
        again = await called("check", "-f", "-", "-o", "json", stdin=host_file(simulator, tls={"fingerprints": pins}))
    assert (again.code, failed(again)) == (0, {})


async def test_nodes_that_are_away_are_warnings_that_end_with_zero() -> None:
    async with simulated(presets.demo()) as simulator:
        simulator.kill_node("pve2")
        simulator.set_maintenance("pve3", on=True)
        file = host_file(simulator, endpoints=[simulator.endpoint("pve1")])
        said = await called("check", "-f", "-", "-o", "json", stdin=file)
    warned = {one["subject"]: one for one in said.json if one["area"] == "node" and one["verdict"] == "Warning"}
    assert warned["pve2"]["found"].startswith("it is offline")
    assert warned["pve3"]["fix"] == ["ha-manager crm-command node-maintenance disable pve3"]
    assert said.code == 0


async def test_endpoints_of_two_clusters_in_one_host_are_told() -> None:
    async with simulated(presets.demo()) as one, simulated(presets.standalone()) as other:
        spec = {"endpoints": [one.endpoint("pve1"), *other.endpoints], "tls": {"insecureSkipVerify": True}}
        other.set_secret(other.token_id, one.token_secret)
        said = await called("check", "-f", "-", "-o", "json", stdin=host_file(one, **spec))
    assert "give each cluster a ProxmoxHost of its own" in failed(said)["endpoints"]["means"]


async def test_what_mends_several_things_is_told_once_and_quiet_leaves_out_what_is_fine() -> None:
    async with simulated(presets.demo()) as simulator:
        file = host_file(simulator, tls=None)
        said = await called("check", "-f", "-", "-q", stdin=file)
    assert said.code == 1
    assert said.out.count("fingerprints:") == 1
    assert said.out.count("mended as above") == 2
    assert "✓" not in said.out
    assert said.out.rstrip().endswith("3 failed")


def test_token_that_may_change_things_is_warned_of() -> None:
    """PVEAuditor everywhere, and one privilege more: whoever gets hold of the Secret could use it."""
    audit = ("Sys.Audit", "VM.Audit", "Datastore.Audit", "SDN.Audit", "Mapping.Audit")
    paths = {
        path: dict.fromkeys((*audit, "VM.Allocate"), True)
        for path in ("/", "/vms", "/pool", "/storage", "/nodes", "/sdn")
    }
    found = findings_of(Permissions(paths=paths), Version(version="9.1.1", release="9.1"), token_id=TOKEN)
    assert [(one.verdict, one.found) for one in found if one.verdict is not Verdict.OK] == [
        (Verdict.WARNING, "it has VM.Allocate")
    ]
    assert found[-1].fix[0] == "pveum user token modify 'offerings@pve' 'reader' --privsep 1"
