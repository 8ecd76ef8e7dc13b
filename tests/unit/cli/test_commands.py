"""The command line as people meet it: help that costs nothing, mistakes answered in a sentence."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from proxmox_offerings.cli.main import COMMANDS, cli
from proxmox_offerings.resources import Offering
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.simulator import Simulator
from support.commands import host_file

HOST = """
apiVersion: proxmox-offerings.io/v1alpha1
kind: ProxmoxHost
metadata: {name: fra1}
spec:
  endpoints: ["https://pve1.example.net:8006"]
  credentialsSecretRef: {name: fra1-token}
"""
SECRET = """
---
apiVersion: v1
kind: Secret
metadata: {name: fra1-token}
stringData: {tokenID: "a@pve!b", tokenSecret: hunter2-hunter2}
"""


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    result = CliRunner().invoke(cli, list(arguments), input=stdin)
    return result.exit_code, result.stdout, result.stderr


def test_overview_imports_no_operator() -> None:
    """`--help` must answer at once, so nothing of kopf, kubernetes, httpx, aiohttp or pydantic may be imported for it."""
    heavy = "kopf kubernetes httpx aiohttp pydantic cryptography"
    code = (
        "import sys; from proxmox_offerings.cli.main import cli; cli(['--help'], standalone_mode=False); "
        f"loaded = [name for name in '{heavy}'.split() if name in sys.modules]; sys.exit(' '.join(loaded) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert "Usage: " in out


def test_crds_are_what_kubectl_applies() -> None:
    code, out, _ = run("crds")
    assert code == 0
    assert [document["metadata"]["name"] for document in yaml.safe_load_all(out)] == [
        "proxmoxhosts.proxmox-offerings.io",
        "offerings.proxmox-offerings.io",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "there is no ProxmoxHost", id="empty file"),
        pytest.param("kind: x\nname: [", "line 2: this is not YAML", id="broken YAML"),
        pytest.param("just text", "must be a mapping", id="text"),
        pytest.param(
            HOST, "names the Secret fra1-token of namespace default, which is not in the file", id="no Secret"
        ),
        pytest.param(
            HOST + SECRET.replace("tokenSecret", "token"), "the key tokenSecret is missing", id="a key is missing"
        ),
        pytest.param(
            HOST + SECRET.replace("stringData", "data"),
            "data.tokenID is not base64",
            id="plain text where base64 belongs",
        ),
        pytest.param(
            HOST.replace("endpoints", "endpoint") + SECRET, "spec.endpoint: is not a known field", id="a typo"
        ),
        pytest.param(HOST.replace("https:", "http:") + SECRET, "must begin with https://", id="http"),
    ],
)
def test_unreadable_input_is_answered_in_a_sentence(text: str, expected: str) -> None:
    code, out, err = run("preview", "-f", "-", stdin=text)
    assert (code, out) == (2, "")
    assert expected in err
    assert "Traceback" not in err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        pytest.param("small", "'small' is not TIER=UNITS; write for instance small=10,large=4", id="no number"),
        pytest.param("small=1,", "'' is not TIER=UNITS", id="a comma too many"),
        pytest.param("small=-1", "'small=-1' is not TIER=UNITS", id="negative"),
        pytest.param("small=0", "units of small must be from 1 to 1000000", id="none"),
        pytest.param("small=1,small=2", "small is named twice", id="twice"),
        pytest.param("smal=1", "fra1: there is no tier smal; there are small and large", id="no such tier"),
    ],
)
def test_mistaken_mix_is_answered_before_anything_is_read(mix: str, expected: str) -> None:
    tiers = "  tiers: [{name: small, cpu: 1, memory: 1Gi, disk: 1Gi}, {name: large, cpu: 2, memory: 2Gi, disk: 2Gi}]\n"
    code, out, err = run("preview", "-f", "-", "--mix", mix, stdin=HOST + tiers + SECRET)
    assert (code, out) == (2, "")
    assert expected in err


def test_missing_file_is_named() -> None:
    code, _, err = run("preview", "-f", "no-such-file.yaml")
    assert code == 2
    assert "no-such-file.yaml" in err


async def test_preview_explains_below_the_table_and_never_into_what_is_piped() -> None:
    async with Simulator(presets.standalone(), behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
        file = host_file(simulated, name="garage")
        code, table, _ = await asyncio.to_thread(run, "preview", "-f", "-", stdin=file)
        explained = await asyncio.to_thread(run, "preview", "-f", "-", "--explain", stdin=file)
        piped = await asyncio.to_thread(run, "preview", "-f", "-", "--explain", "-o", "json", stdin=file)
    assert (code, explained[0], piped[0]) == (0, 0, 0)
    head, _, explanation = explained[1].partition("\ngarage: how these figures came about\n")
    assert head.split("; read at")[0] == table.split("; read at")[0]
    # 128 GiB less the 2 GiB that are kept by default, less 12.5 GiB of three guests.
    assert "memory: (128 GiB - 2 GiB) x 100 % = 126 GiB; 12.5 GiB committed by 3 guests; 113.5 GiB left" in explanation
    assert "  local-lvm on pve" in explanation
    # 1600 GiB, of which 1300 are free and 160 kept back: 45 disks of 25 GiB, while memory is there for 56 units of 2 GiB.
    assert "\nstd-1: 45 fit; disk runs out first\n" in explanation
    assert [one["metadata"]["name"] for one in json.loads(piped[1])][:1] == ["garage-std-1"]
    assert explanation in piped[2]


async def test_mix_is_answered_by_exit_code_and_placement() -> None:
    """Derived tiers as well; a yes is 0 with a place for each unit, a no is 1 with as much as fits."""
    async with Simulator(presets.standalone(), behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
        file = host_file(simulated, name="garage")

        async def asked(mix: str, *options: str) -> tuple[int, str, str]:
            return await asyncio.to_thread(run, "preview", "-f", "-", "--mix", mix, *options, stdin=file)

        code, out, _ = await asked("std-1=2,std-2=1", "-o", "json")
        said = json.loads(out)
        assert (code, said["mix"], said["hosts"][0]["verdict"]) == (0, {"std-1": 2, "std-2": 1}, "Fits")
        assert sum(one["units"] for one in said["hosts"][0]["placement"]) == 3
        code, out, _ = await asked("std-1=1,std-2=100000")
        assert code == 1
        assert "garage: 1 std-1 and 100000 std-2 do not fit at the same time\n  std-2 alone: " in out
        code, out, err = await asked("huge=1")
        assert (code, out) == (2, "")
        assert "garage: there is no tier huge; there are std-1, std-2" in err


async def test_preview_prints_what_the_operator_would_apply() -> None:
    """Labels, status and conditions as they are written to Kubernetes; nothing else on standard output."""
    async with Simulator(presets.standalone(), behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
        file = host_file(simulated, name="garage")
        code, out, _ = await asyncio.to_thread(run, "preview", "-f", "-", "-o", "json", stdin=file)
    offerings = json.loads(out)
    assert code == 0
    for offering in offerings:
        assert Offering.parse(offering).to_wire() == offering
        assert offering["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "proxmox-offerings"
        assert offering["status"]["conditions"][0]["reason"] == "Observed"
        assert offering["status"]["validUntil"] > offering["status"]["observedAt"]
    assert any(offering["status"]["available"] > 0 for offering in offerings)


def test_durations_of_the_election_that_cannot_work_are_refused_before_anything_runs() -> None:
    """A leader that believes longer than others wait would be one of two."""
    for durations in (("15", "15", "2"), ("15", "10", "6"), ("15", "nan", "2"), ("15", "10", "0")):
        flags = zip(("lease-duration", "renew-deadline", "retry-period"), durations, strict=True)
        code, _, error = run("run", *(f"--leader-elect-{name}={value}" for name, value in flags))
        assert code == 2
        assert "must be longer than the renew deadline" in error


def test_an_election_nobody_knows_where_is_refused_with_what_to_do(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    cluster = {"name": "test", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
    content = {
        "current-context": "test",
        "clusters": [cluster],
        "users": [{"name": "test", "user": {}}],
        "contexts": [context],
    }
    kubeconfig.write_text(json.dumps(content), encoding="utf-8")
    command = [sys.executable, "-m", "proxmox_offerings", "run", "--leader-elect", "--kubeconfig", str(kubeconfig)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert "--leader-elect-namespace" in ended.stderr
    assert "Traceback" not in ended.stderr
