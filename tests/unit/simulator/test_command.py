"""The command as people run it, and the control API behind it, in a process of its own."""

import json
import re
import shlex
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from click.testing import CliRunner, Result

from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.command import PRESETS, simulate
from proxmox_offerings.simulator.control import Control, ControlError
from proxmox_offerings.simulator.statefiles import NotRunningError, State

SIMULATE = "from proxmox_offerings.simulator.command import simulate; simulate(prog_name='simulate')"
PATIENCE = 30


def run(*arguments: str) -> Result:
    return CliRunner().invoke(simulate, list(arguments))


@pytest.fixture
def process(tmp_path) -> Iterator[subprocess.Popen[str]]:
    """`simulate --dir tmp_path`, ready."""
    child = subprocess.Popen(
        [sys.executable, "-c", SIMULATE, "--dir", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("To act on it"):
            break
    yield child
    child.kill()
    child.wait(PATIENCE)
    child.stdout.close()


def ctl(directory: Path, *arguments: str) -> str:
    done = run("ctl", "--dir", str(directory), *arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_simulator_can_be_used_from_its_files_changed_while_it_runs_and_ends_cleanly(process, tmp_path):
    state = State.read(tmp_path)
    secret, host = yaml.safe_load_all((tmp_path / "host.yaml").read_text())
    assert (host["kind"], host["metadata"]["name"]) == ("ProxmoxHost", "fra1")
    assert host["spec"]["credentialsSecretRef"]["name"] == secret["metadata"]["name"]
    assert host["spec"]["endpoints"] == state.endpoints
    for private in ("host.yaml", "simulator.json"):
        assert stat.S_IMODE((tmp_path / private).stat().st_mode) == 0o600

    token = secret["stringData"]
    trust = ssl.create_default_context(cadata=host["spec"]["tls"]["caBundle"])
    headers = {"Authorization": f"PVEAPIToken={token['tokenID']}={token['tokenSecret']}"}
    with httpx.Client(verify=trust, headers=headers, trust_env=False) as client:

        def guests() -> dict[str, dict]:
            told = client.get(f"{state.endpoints[0]}/api2/json/cluster/resources").raise_for_status()
            return {row["id"]: row for row in told.json()["data"]}

        assert guests()["qemu/100"]["status"] == "running"
        ctl(tmp_path, "stop-guest", "100")
        ctl(tmp_path, "remove-guest", "101")
        ctl(
            tmp_path,
            "add-guest",
            "500",
            "--node",
            "pve1",
            "--cpu",
            "2",
            "--memory",
            "4Gi",
            "--count",
            "2",
            "--tag",
            "new",
        )
        ctl(tmp_path, "fill-storage", "nfs", "10Ti")
        ctl(tmp_path, "kill-node", "pve2")
        ctl(tmp_path, "set-maintenance", "pve3")
        ctl(tmp_path, "advance", "301")
        rows = guests()
        assert rows["qemu/100"]["status"] == "stopped"
        assert "qemu/101" not in rows
        assert (rows["qemu/501"]["maxmem"], rows["qemu/501"]["tags"]) == (4 * 2**30, "new")
        assert rows["storage/pve1/nfs"]["disk"] == 10 * 2**40
        assert (rows["node/pve2"]["status"], rows["node/pve3"]["hastate"]) == ("offline", "maintenance")
        assert rows["qemu/120"]["status"] == "unknown"
        ctl(tmp_path, "restore-node", "pve2")
        ctl(tmp_path, "start-guest", "100")
        ctl(tmp_path, "set-quorum", "lost")
        ctl(tmp_path, "do", "set-guest", "vmid=100", "memory=12Gi")
        assert (
            ctl(tmp_path, "do", "add-fault", "fault={path: /version, status: 502, reason: Bad Gateway}") == "fault-1\n"
        )
        assert client.get(f"{state.endpoints[0]}/api2/json/version").status_code == 502
        rows = guests()
        assert (rows["node/pve2"]["status"], rows["qemu/100"]["maxmem"]) == ("online", 12 * 2**30)
    assert json.loads(ctl(tmp_path, "state"))["quorate"] is False
    assert {"method": "GET", "path": "/version", "query": "", "node": "pve1"} in json.loads(ctl(tmp_path, "requests"))

    again = run("--dir", str(tmp_path))
    assert again.exit_code == 2
    assert "already" in again.output

    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert not (tmp_path / "simulator.json").exists()
    assert run("ctl", "--dir", str(tmp_path), "state").exit_code == 2


def test_commands_in_the_documentation_are_accepted(process, tmp_path):
    page = Path(__file__).parents[3] / "docs" / "reference" / "simulator.md"
    commands = re.findall(r"^\$ proxmox-offerings simulate ctl (.*)$", page.read_text(), re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        ctl(tmp_path, *shlex.split(command))


def test_refusals_are_one_sentence_with_exit_code_1(process, tmp_path):
    done = run("ctl", "--dir", str(tmp_path), "kill-node", "pve9")
    assert (done.exit_code, done.output) == (1, "Error: there is no node 'pve9'\n")
    control = Control.of(tmp_path)
    with pytest.raises(ControlError, match="there is no operation 'explode'"):
        control.do("explode")
    with pytest.raises(ControlError, match=r"^config\.memory: a size is"):
        control.do("add-guest", config={"vmid": 1000, "node": "pve1", "memory": "much"})
    with pytest.raises(ControlError, match="control token"):
        Control(State.read(tmp_path).control_url, "wrong").state()


def test_interrupt_ends_it_with_code_0(process):
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0


def test_what_a_killed_simulator_left_behind_is_not_taken_for_a_running_one(process, tmp_path):
    process.kill()
    process.wait(PATIENCE)
    with pytest.raises(NotRunningError, match="does not answer"):
        Control.of(tmp_path).state()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "none.yaml"], "none.yaml cannot be read"),
        (["--preset", "moon"], "'moon' is not one of 'demo', 'standalone'"),
        (["--preset", "demo", "--config", "x"], "give either --config or --preset"),
        (["--port", "99999"], "99999"),
    ],
)
def test_wrong_usage_is_one_sentence_with_exit_code_2(arguments, said, tmp_path):
    done = run(*arguments, "--dir", str(tmp_path))
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_port_in_use_is_told(process, tmp_path):
    port = State.read(tmp_path).endpoints[0].rpartition(":")[2]
    done = run("--port", port, "--dir", str(tmp_path / "other"))
    assert done.exit_code == 2
    assert "in use" in done.output


def test_help_loads_neither_server_nor_certificates():
    loaded = "import sys; from proxmox_offerings.simulator import command; print({'aiohttp', 'cryptography', 'httpx', 'pydantic'} & set(sys.modules))"
    assert (
        subprocess.run(
            [sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=PATIENCE
        ).stdout
        == "set()\n"
    )


def test_simulator_behind_another_name_is_found_and_trusted_under_it(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", SIMULATE, "--dir", str(tmp_path), "--advertise", "fra1.sim.svc", "--listen", "0.0.0.0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if line.startswith("To act on it"):
                break
        _, host = yaml.safe_load_all(ctl(tmp_path, "host"))
        endpoint = httpx.URL(host["spec"]["endpoints"][0])
        assert endpoint.host == "fra1.sim.svc"
        trust = ssl.create_default_context(cadata=host["spec"]["tls"]["caBundle"])
        address = endpoint.copy_with(host="127.0.0.1")
        with httpx.Client(verify=trust, trust_env=False) as client:
            client.get(address, extensions={"sni_hostname": endpoint.host})
            with pytest.raises(httpx.ConnectError, match=r"fra2\.sim\.svc"):
                client.get(address, extensions={"sni_hostname": "fra2.sim.svc"})
    finally:
        child.kill()
        child.wait(PATIENCE)
        child.stdout.close()
    assert run("ctl", "--dir", str(tmp_path / "other"), "host").exit_code == 2


def test_presets_on_the_command_line_are_all_that_there_are() -> None:
    """They are written down twice, because `--help` must not import them."""
    assert set(PRESETS) == presets.PRESETS.keys()
    assert all(f"\n    {name} " in CliRunner().invoke(simulate, ["--help"]).output for name in presets.PRESETS)
