"""`init`: what it writes works as it is, it pins nothing that nobody confirmed, and the secret is seen by nobody."""

import stat
from pathlib import Path

import pytest
import yaml

from proxmox_offerings.cli.manifests import UnreadableInput
from proxmox_offerings.cli.setup.flow import unnamed
from proxmox_offerings.cli.setup.trust import endpoint_of
from proxmox_offerings.proxmox.answers import ClusterStatus
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import AclConfig
from proxmox_offerings.simulator.simulator import Simulator
from support.commands import Said, called
from support.proxmox import simulated
from support.terminal import Terminal

SECRET = {"PROXMOX_OFFERINGS_TOKEN_SECRET": ""}


async def asked_nothing(simulator: Simulator, file: Path, *options: str, secret: str | None = None) -> Said:
    """In a script, the secret in the environment."""
    env = {"PROXMOX_OFFERINGS_TOKEN_SECRET": secret or simulator.token_secret}
    endpoints = [part for url in simulator.endpoints for part in ("-e", url)]
    arguments = ["init", *endpoints, "--token-id", simulator.token_id, "--no-discover", "-o", str(file), *options]
    return await called(*arguments, env=env)


@pytest.mark.parametrize("preset", ["standalone", "demo", "ceph3", "gpu"])
async def test_what_is_written_passes_check_and_preview_as_it_is(preset: str, tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.preset(preset)) as simulator:
        pins = [part for pin in simulator.fingerprints.values() for part in ("--fingerprint", pin)]
        written = await asked_nothing(simulator, file, *pins)
        assert (written.code, written.out) == (0, ""), written.err
        checked = await called("check", "-f", str(file), "-o", "json")
        seen = await called("preview", "-f", str(file), "-o", "json")
    assert {one["verdict"] for one in checked.json if one["area"] != "templates"} == {"Ok"}
    assert (checked.code, seen.code, seen.err) == (0, 0, "")
    assert any(one["status"]["stock"] == "InStock" for one in seen.json)
    _, host = yaml.safe_load_all(file.read_text())
    assert host["spec"]["tls"]["fingerprints"] == list(simulator.fingerprints.values())
    assert [f"{host['metadata']['name']}-{tier['name']}" for tier in host["spec"]["tiers"]] == [
        one["metadata"]["name"] for one in seen.json
    ]
    assert simulator.token_secret not in written.out + written.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_nothing_is_pinned_that_nobody_confirmed(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        refused = await asked_nothing(simulator, file)
        assert refused.code == 2
        assert "nobody is here to confirm the certificate" in refused.err
        other = await asked_nothing(simulator, file, "--fingerprint", "AA:" * 31 + "AA")
        assert other.code == 1
        assert "shows another certificate than --fingerprint names" in other.err
        assert not simulator.requests
        assert not file.exists()
        assert (await asked_nothing(simulator, file, "--yes")).code == 0


async def test_authority_of_the_cluster_is_taken_instead_of_pins(tmp_path: Path) -> None:
    file, authority = tmp_path / "host.yaml", tmp_path / "ca.pem"
    async with simulated(presets.standalone()) as simulator:
        authority.write_text(simulator.ca_pem)
        assert (await asked_nothing(simulator, file, "--ca-bundle", str(authority))).code == 0
        assert (await called("preview", "-f", str(file))).code == 0
    assert list(yaml.safe_load_all(file.read_text()))[1]["spec"]["tls"] == {"caBundle": simulator.ca_pem}


async def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    file.write_text("mine")
    file.chmod(0o644)
    async with simulated(presets.standalone()) as simulator:
        refused = await asked_nothing(simulator, file, "--yes")
        assert (refused.code, file.read_text()) == (2, "mine")
        assert "overwrite it with --force" in refused.err
        assert not simulator.requests
        assert (await asked_nothing(simulator, file, "--yes", "--force")).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


async def test_a_token_that_will_not_do_is_told_with_what_mends_it_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        wrong = await asked_nothing(simulator, file, "--yes", secret="wrong-secret")
        assert wrong.code == 1
        assert "refused the token" in wrong.err
        assert "wrong-secret" not in wrong.err
        simulator.set_acls(simulator.token_id, [], user_acls=[AclConfig(role="PVEAuditor")])
        weak = await asked_nothing(simulator, file, "--yes")
        assert weak.code == 1
        assert f"pveum acl modify / --tokens '{simulator.token_id}' --roles PVEAuditor --propagate 1" in weak.err
    assert not file.exists()


async def test_a_person_is_shown_the_certificate_asked_for_the_rest_and_may_mistype_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        (pin,) = simulator.fingerprints.values()
        async with Terminal("init", "-o", str(file), env=SECRET) as terminal:
            await terminal.expect("Address of a node:")
            terminal.type(simulator.endpoints[0].removeprefix("https://") + "\n")
            await terminal.expect(pin)
            await terminal.expect("shall it be pinned? [y/N]")
            terminal.type("y\n")
            await terminal.expect("Full name of the token")
            terminal.type(f"{simulator.token_id}\n")
            await terminal.expect("Secret of the token:")
            terminal.type("mistyped-secret\n")
            await terminal.expect("refused the token")
            await terminal.expect("Try again? [Y/n]")
            terminal.type("\n")
            await terminal.expect("Full name of the token")
            terminal.type(f"{simulator.token_id}\n")
            await terminal.expect("Secret of the token:")
            terminal.type(f"{simulator.token_secret}\n")
            await terminal.expect("Name of the ProxmoxHost [pve]:")
            terminal.type("garage\n")
            await terminal.expect("Written:")
            assert await terminal.end() == 0
        assert simulator.token_secret not in terminal.seen
        assert "mistyped-secret" not in terminal.seen
    assert list(yaml.safe_load_all(file.read_text()))[1]["metadata"]["name"] == "garage"


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x03"])
async def test_a_certificate_that_is_not_confirmed_ends_it_and_nothing_was_sent(answer: str, tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    async with simulated(presets.standalone()) as simulator:
        async with Terminal("init", "-e", simulator.endpoints[0], "-o", str(file), env=SECRET) as terminal:
            await terminal.expect("shall it be pinned?")
            terminal.type(answer)
            assert await terminal.end() == (130 if answer == "\x03" else 1)
        assert not simulator.requests
        assert "Traceback" not in terminal.seen
    assert not file.exists()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pve1", "https://pve1:8006"),
        ("pve1:443", "https://pve1:443"),
        ("https://pve1.example.net:8006/", "https://pve1.example.net:8006"),
        (" 192.0.2.7 ", "https://192.0.2.7:8006"),
        ("https://[2001:db8::7]", "https://[2001:db8::7]:8006"),
    ],
)
def test_addresses_may_be_written_as_people_write_them(written: str, meant: str) -> None:
    assert endpoint_of(written) == meant


@pytest.mark.parametrize("written", ["http://pve1", "https://", "https://a:b@pve1", "pve1/api2?x", "pve1:99999", ""])
def test_what_is_no_address_is_refused_in_a_sentence(written: str) -> None:
    with pytest.raises(UnreadableInput, match=r"is no address of a node: write pve1\.example\.net"):
        endpoint_of(written)


async def test_other_nodes_are_those_that_nobody_named() -> None:
    """Neither the one that answered, nor one that was named or has a named one's address, nor one whose address is no address."""
    addresses = {
        "pve1": "192.0.2.1",
        "pve2": "192.0.2.2",
        "pve3": "192.0.2.3",
        "pve4": "2001:db8::4",
        "pve5": "evil/../x",
    }
    status = ClusterStatus(name="c", quorate=True, online={}, addresses=addresses, local="pve1")
    assert await unnamed(status, ["https://127.0.0.1:8443", "https://192.0.2.3:8006"]) == {
        "pve2": "https://192.0.2.2:8443",
        "pve4": "https://[2001:db8::4]:8443",
    }
