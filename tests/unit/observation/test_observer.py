"""The two loops against a simulated cluster: what a turn costs, what is waited for, and what is believed for how long."""

import asyncio

import pytest

from proxmox_offerings.inventory.snapshot import NodeState
from proxmox_offerings.proxmox.errors import (
    CertificateRejected,
    ConnectionFailed,
    NotQuorate,
    PrivilegesMissing,
    Unauthorized,
)
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import AclConfig, GuestConfig
from proxmox_offerings.simulator.faults import Fault
from support.proxmox import QUICK
from unit.observation.conftest import BEGINNING, INTERVAL, Watching, place

FAST_LOOP = ["/cluster/ha/status/manager_status", "/cluster/resources", "/cluster/status"]
GIB = 2**30
AUDITOR = [AclConfig(role="PVEAuditor")]


# What a turn costs


async def test_the_first_turn_reads_everything(watching: Watching) -> None:
    async with watching() as watch:
        snapshot = await watch.observe()
        assert (snapshot.observed_at, snapshot.cluster_name, snapshot.version) == (BEGINNING, "fra1", "9.1.1")
        assert {name: (node.cores, node.bridges) for name, node in snapshot.nodes.items()} == {
            "pve1": (32, {"vmbr0"}),
            "pve2": (32, {"vmbr0"}),
            "pve3": (48, {"vmbr0"}),
        }
        assert [card.taken for card in snapshot.nodes["pve3"].cards or ()] == [True, False]
        assert place(snapshot, "local-lvm", "pve1").avail == 2700 * GIB
        assert place(snapshot, "local-lvm", "pve1").derived_class == "nvme"
        assert {template.vmid for template in snapshot.templates} == {9000, 9001, 9010, None}
        assert watch.observer.last is snapshot
        assert not watch.news


@pytest.mark.parametrize("size", [3, 12])
async def test_a_turn_is_three_calls_to_the_entry_node_whatever_the_size(watching: Watching, size: int) -> None:
    async with watching(presets.mixed(nodes=size, guests=20 * size)) as watch:
        await watch.observe()
        assert await watch.calls_of_a_turn() == FAST_LOOP
        assert len({request.node for request in watch.cluster.requests}) == 1


async def test_free_bytes_follow_the_fast_loop_between_slow_reads(watching: Watching) -> None:
    async with watching() as watch:
        before = place(await watch.observe(), "local-lvm", "pve1").avail
        watch.cluster.fill_storage("local-lvm", 800 * GIB, node="pve1")
        watch.pass_time(60)
        assert await watch.calls_of_a_turn() == FAST_LOOP
        after = place(watch.observer.last, "local-lvm", "pve1").avail
        assert (before, after) == (2700 * GIB, 2600 * GIB)


async def test_the_slow_loop_comes_when_its_interval_is_over(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.pass_time(INTERVAL - 1)
        assert await watch.calls_of_a_turn() == FAST_LOOP
        watch.pass_time(1)
        watch.cluster.requests.clear()
        await watch.observe()
        await watch.until(lambda: bool(watch.news))
        asked = {request.path for request in watch.cluster.requests}
        assert {"/version", "/access/permissions", "/storage", "/cluster/mapping/pci", "/nodes/pve2/status"} <= asked
        assert await watch.calls_of_a_turn() == FAST_LOOP


async def test_observing_during_a_turn_gets_that_turns_result(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.requests.clear()
        first, second = await asyncio.gather(watch.observe(), watch.observe())
        assert first is second
        assert len(watch.cluster.requests) == 3


async def test_who_gives_up_waiting_does_not_end_the_turn(watching: Watching) -> None:
    """Else the next turn would overlap what the cluster is still answering."""
    async with watching() as watch:
        await watch.observe()
        watch.cluster.add_fault(Fault(path="/cluster/resources", delay=0.2, count=1))
        watch.cluster.requests.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await watch.observer.observe()
        await watch.observe()
        assert sorted(request.path for request in watch.cluster.requests) == FAST_LOOP


# What is waited for


async def test_a_node_that_hangs_holds_the_first_result_no_longer_than_the_grace(watching: Watching) -> None:
    async with watching(grace=1.5) as watch:
        watch.cluster.add_fault(Fault(path="/nodes/pve2/*", delay=2.5))
        snapshot = await watch.observe()
        assert snapshot.nodes["pve1"].cores == 32
        assert (snapshot.nodes["pve2"].cores, snapshot.nodes["pve2"].cards) == (None, None)
        assert place(snapshot, "local-lvm", "pve2").avail is None
        watch.cluster.remove_fault()
        await watch.until(lambda: bool(watch.news))
        later = await watch.observe()
        assert later.nodes["pve2"].cores == 32
        assert place(later, "local-lvm", "pve2").avail == 2700 * GIB


async def test_a_slow_loop_that_hangs_holds_up_no_turn(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.add_fault(Fault(path="/nodes/*", hang=True))
        watch.pass_time(INTERVAL)
        for _ in range(3):
            async with asyncio.timeout(10):
                snapshot = await watch.observe()
            assert snapshot.nodes["pve1"].cores == 32


async def test_a_slow_loop_never_overlaps_the_one_before(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.add_fault(Fault(path="/version", hang=True))
        watch.cluster.requests.clear()
        watch.pass_time(INTERVAL)
        await watch.observe()
        await watch.until(lambda: any(request.path == "/version" for request in watch.cluster.requests))
        watch.pass_time(INTERVAL)
        assert await watch.calls_of_a_turn() == FAST_LOOP


async def test_the_command_line_waits_until_all_is_there(watching: Watching) -> None:
    async with watching(grace=None) as watch:
        watch.cluster.add_fault(Fault(path="/nodes/pve2/*", delay=0.2))
        snapshot = await watch.observe()
        assert snapshot.nodes["pve2"].cards is not None


# What is believed, and for how long


@pytest.mark.reliability("T1")
async def test_a_node_that_does_not_answer_spoils_only_itself(watching: Watching) -> None:
    """T1: and nothing else is asked of it, which would take half a minute each."""
    async with watching() as watch:
        watch.cluster.add_fault(Fault(path="/nodes/pve2/*", status=596))
        snapshot = await watch.observe()
        assert snapshot.nodes["pve2"].cores is None
        assert snapshot.nodes["pve2"].cards_blind == "the node does not answer"
        assert place(snapshot, "local-lvm", "pve2").avail is None
        assert place(snapshot, "local-lvm", "pve1").avail is not None
        asked = [request.path for request in watch.cluster.requests if request.path.startswith("/nodes/pve2/")]
        assert asked == ["/nodes/pve2/status"]


async def test_a_node_that_answered_nothing_is_tried_again_with_each_turn(watching: Watching) -> None:
    async with watching() as watch:
        watch.cluster.add_fault(Fault(path="/nodes/pve2/status", status=596, count=1))
        await watch.observe()
        await watch.observe()
        await watch.until(lambda: any(r.path == "/nodes/pve2/disks/lvm" for r in watch.cluster.requests))
        assert (await watch.observe()).nodes["pve2"].cores == 32


async def test_a_failing_call_leaves_its_answer_believed_for_one_interval_more(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.add_fault(Fault(path="/nodes/pve2/hardware/pci", status=500))
        watch.cluster.add_fault(Fault(path="/nodes/pve2/storage", status=596))
        await watch.slow_loop()
        snapshot = await watch.observe()
        assert snapshot.nodes["pve2"].cards == ()
        assert place(snapshot, "local-lvm", "pve2").avail == 2700 * GIB
        await watch.slow_loop()
        watch.pass_time(1)
        snapshot = await watch.observe()
        assert snapshot.nodes["pve2"].cards is None
        assert snapshot.nodes["pve2"].cards_blind == "its PCI devices could not be read (HTTP 500)"
        assert place(snapshot, "local-lvm", "pve2").avail is None
        assert snapshot.nodes["pve2"].cores == 32


async def test_definitions_and_rights_that_cannot_be_read_are_not_believed_for_ever(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.add_fault(Fault(path="/storage", status=500))
        watch.cluster.requests.clear()
        watch.pass_time(INTERVAL)
        await watch.observe()
        await watch.until(lambda: any(request.path == "/storage" for request in watch.cluster.requests))
        watch.pass_time(INTERVAL + 1)
        with pytest.raises(Exception, match="HTTP 500") as caught:
            await watch.observe()
        assert caught.value.status == 500
        watch.cluster.remove_fault()
        await watch.observe()


async def test_a_node_that_restarted_is_read_at_once_and_its_old_hardware_forgotten(watching: Watching) -> None:
    """A card may have been taken out meanwhile."""
    async with watching() as watch:
        await watch.observe()
        watch.pass_time(60)
        watch.cluster.reboot_node("pve3")
        watch.cluster.add_fault(Fault(path="/nodes/pve3/hardware/pci", status=500))
        snapshot = await watch.observe()
        assert snapshot.nodes["pve3"].cards is None
        assert snapshot.nodes["pve3"].cores == 48
        assert snapshot.nodes["pve1"].cards == ()
        watch.pass_time(60)
        assert await watch.calls_of_a_turn() == FAST_LOOP


async def test_a_node_that_was_down_restarted_even_if_it_told_no_uptime_between(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.kill_node("pve3")
        watch.pass_time(400)
        assert (await watch.observe()).nodes["pve3"].state is NodeState.OFFLINE
        watch.cluster.restore_node("pve3")
        watch.cluster.add_fault(Fault(path="/nodes/pve3/hardware/pci", status=500))
        snapshot = await watch.observe()
        assert snapshot.nodes["pve3"].state is NodeState.ONLINE
        assert snapshot.nodes["pve3"].cards is None


async def test_an_uptime_that_another_entry_node_tells_a_little_older_is_no_restart(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.nodes["pve3"].booted_at += 15
        assert await watch.calls_of_a_turn() == FAST_LOOP


async def test_the_size_of_a_guest_that_is_no_longer_told_is_remembered(watching: Watching) -> None:
    config = presets.demo()
    config.guests.append(GuestConfig(vmid=500, node="pve2", cpu=2, memory=4 * GIB, hastate="started"))
    async with watching(config) as watch:
        await watch.observe()
        watch.cluster.kill_node("pve2")
        watch.pass_time(400)
        snapshot = await watch.observe()
        assert snapshot.last_known[500].maxmem == 4 * GIB


# Guests' configurations


async def test_a_card_given_to_a_new_guest_is_taken_with_the_next_turn(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.add_guest(GuestConfig(vmid=300, node="pve3", hostpci=["0000:ca:00"], memory=GIB))
        snapshot = await watch.observe()
        assert [card.taken for card in snapshot.nodes["pve3"].cards or ()] == [True, True]
        assert await watch.calls_of_a_turn() == FAST_LOOP


async def test_a_card_given_to_a_stopped_guest_is_taken_when_it_starts_or_with_the_slow_loop(
    watching: Watching,
) -> None:
    async with watching() as watch:
        watch.cluster.add_guest(GuestConfig(vmid=300, node="pve3", status="stopped", memory=GIB))
        await watch.observe()
        watch.cluster.set_guest(300, hostpci=["0000:ca:00"])
        watch.cluster.start_guest(300)
        snapshot = await watch.observe()
        assert [card.taken for card in snapshot.nodes["pve3"].cards or ()] == [True, True]
        watch.cluster.set_guest(300, hostpci=[])
        await watch.slow_loop()
        snapshot = await watch.observe()
        assert [card.taken for card in snapshot.nodes["pve3"].cards or ()] == [True, False]


async def test_while_a_configuration_cannot_be_read_no_card_is_known_to_be_free(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.add_fault(Fault(path="/nodes/pve3/qemu/300/config", status=500))
        watch.cluster.add_guest(GuestConfig(vmid=300, node="pve3", memory=GIB))
        assert (await watch.observe()).nodes["pve3"].cards_blind is not None
        watch.cluster.remove_fault()
        async with asyncio.timeout(10):  # tried again with each turn, but not waited for
            while (await watch.observe()).nodes["pve3"].cards_blind is not None:
                pass


async def test_a_configuration_that_becomes_unreadable_is_believed_one_interval_more(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.add_fault(Fault(path="/nodes/pve3/qemu/*/config", status=500))
        await watch.slow_loop()
        assert (await watch.observe()).nodes["pve3"].cards_blind is None
        await watch.slow_loop()
        watch.pass_time(1)
        assert (await watch.observe()).nodes["pve3"].cards_blind is not None


async def test_accounting_by_configured_sizes_reads_every_guest(watching: Watching) -> None:
    async with watching(provisioned=True) as watch:
        snapshot = await watch.observe()
        assert snapshot.provisioned is not None
        assert set(snapshot.configs) == set(watch.cluster.guests)
        assert await watch.calls_of_a_turn() == FAST_LOOP


# Rights and quorum


@pytest.mark.reliability("T10")
async def test_a_token_that_lost_its_rights_does_not_look_like_an_empty_cluster(watching: Watching) -> None:
    """T10: guests vanish with HTTP 200; so rights are asked for before that is believed. What is granted again acts with the next turn."""
    async with watching() as watch:
        before = await watch.observe()
        others = ["Sys.Audit", "Datastore.Audit", "SDN.Audit", "Pool.Audit", "Mapping.Audit"]
        watch.cluster.set_acls(watch.cluster.token_id, [AclConfig(privileges=others)])
        for _ in range(2):
            with pytest.raises(PrivilegesMissing) as caught:
                await watch.observe()
            assert {missing.privilege for missing in caught.value.missing} == {"VM.Audit"}
        assert watch.observer.last is before
        watch.cluster.set_acls(watch.cluster.token_id, AUDITOR)
        assert len((await watch.observe()).guests) == len(before.guests)


async def test_rights_lost_without_a_trace_are_noticed_by_the_slow_loop_and_their_return_at_once(
    watching: Watching,
) -> None:
    """Where there are no guests yet, a right on /vms that was taken away hides nothing, but would hide the next guest."""
    config = presets.demo().model_copy(update={"guests": []})
    async with watching(config) as watch:
        await watch.observe()
        without = AclConfig(path="/vms", privileges=["Sys.Audit"])
        watch.cluster.set_acls(watch.cluster.token_id, [*AUDITOR, without])
        assert await watch.calls_of_a_turn() == FAST_LOOP
        await watch.slow_loop()
        with pytest.raises(PrivilegesMissing, match=r"VM\.Audit on /vms"):
            await watch.observe()
        watch.cluster.set_acls(watch.cluster.token_id, AUDITOR)
        await watch.observe()


async def test_a_call_that_is_forbidden_is_told_as_the_right_that_is_missing(watching: Watching) -> None:
    async with watching() as watch:
        watch.cluster.set_acls(watch.cluster.token_id, [AclConfig(privileges=["VM.Audit", "Datastore.Audit"])])
        with pytest.raises(PrivilegesMissing) as caught:
            await watch.observe()
        assert {missing.privilege for missing in caught.value.missing} == {"Sys.Audit"}


@pytest.mark.reliability("T9")
async def test_a_token_without_rights_asks_no_node_anything(watching: Watching) -> None:
    """T9"""
    async with watching() as watch:
        watch.cluster.set_acls(watch.cluster.token_id, [])
        with pytest.raises(PrivilegesMissing, match="no rights at all"):
            await watch.observe()
        assert not [request for request in watch.cluster.requests if request.path.startswith("/nodes/")]


async def test_rights_that_were_gone_for_a_moment_do_not_empty_the_cluster(watching: Watching) -> None:
    """Replacing a rule removes it and adds another; a turn that falls between sees nothing, and then finds the rights in order."""
    async with watching() as watch:
        before = await watch.observe()
        watch.cluster.add_fault(Fault(path="/cluster/resources", data=[], count=1))
        snapshot = await watch.observe()
        assert snapshot.guests == before.guests


async def test_a_guest_that_was_deleted_costs_one_look_at_the_rights(watching: Watching) -> None:
    async with watching() as watch:
        await watch.observe()
        watch.cluster.remove_guest(100)
        assert await watch.calls_of_a_turn() == sorted(["/access/permissions", *FAST_LOOP, *FAST_LOOP])
        assert await watch.calls_of_a_turn() == FAST_LOOP
        watch.cluster.add_fault(Fault(path="/access/permissions", status=500))
        watch.cluster.remove_guest(101)
        for _ in range(2):
            with pytest.raises(Exception, match="HTTP 500"):
                await watch.observe()


@pytest.mark.reliability("T5")
async def test_without_quorum_nothing_is_said_and_nothing_more_is_asked(watching: Watching) -> None:
    """T5"""
    async with watching() as watch:
        watch.cluster.set_quorum(quorate=False)
        with pytest.raises(NotQuorate):
            await watch.observe()
        assert not [request for request in watch.cluster.requests if request.path.startswith("/nodes/")]
        watch.cluster.set_quorum(quorate=True)
        assert (await watch.observe()).nodes["pve1"].cores == 32


# Failures of the whole


async def test_the_failure_that_a_person_can_mend_is_told(watching: Watching) -> None:
    async with watching() as watch:
        before = await watch.observe()
        watch.cluster.add_fault(Fault(path="/cluster/status", status=502))
        watch.cluster.add_fault(Fault(path="/cluster/resources", status=401))
        with pytest.raises(Unauthorized):
            await watch.observe()
        watch.cluster.remove_fault()
        watch.cluster.replace_certificate("expired")
        with pytest.raises(CertificateRejected):
            await watch.observe()
        watch.cluster.replace_certificate("renewed")
        for node in watch.cluster.nodes:
            watch.cluster.kill_node(node)
        with pytest.raises(ConnectionFailed):
            await watch.observe()
        assert watch.observer.last is before


@pytest.mark.reliability("T3", "T7")
async def test_the_entry_node_dies_and_another_answers_within_the_turn(watching: Watching) -> None:
    """T7, T3: its guests still read `running`."""
    async with watching() as watch:
        await watch.observe()
        watch.cluster.kill_node("pve1")
        snapshot = await watch.observe()
        assert snapshot.endpoint == watch.cluster.endpoint("pve2")
        assert snapshot.nodes["pve1"].state is NodeState.OFFLINE


async def test_closing_ends_everything_that_is_under_way(watching: Watching) -> None:
    async with watching(grace=0.05, bounds=QUICK) as watch:
        watch.cluster.add_fault(Fault(path="/nodes/*", hang=True))
        await watch.observe()
        assert "SlowLoop._read_node" in running()
        async with asyncio.timeout(10):
            await watch.observer.aclose()
        assert not {name for name in running() if name.startswith(("SlowLoop", "GuestConfigs", "Observer"))}
        assert not watch.news


def running() -> set[str]:
    """The functions of all tasks that are not done."""
    return {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}


@pytest.mark.reliability("T8")
async def test_a_standalone_node_is_observed_like_a_cluster(watching: Watching) -> None:
    """T8"""
    async with watching(presets.standalone()) as watch:
        snapshot = await watch.observe()
        assert (snapshot.cluster_name, list(snapshot.nodes)) == (None, ["pve"])


@pytest.mark.parametrize("version", ["7.4-16", "8.4.1", "9.2.4"])
async def test_all_versions_are_observed(watching: Watching, version: str) -> None:
    config = presets.demo()
    for storage in config.storages:
        if version.startswith("7"):
            storage.content[:] = [content for content in storage.content if content != "import"]
    async with watching(config.model_copy(update={"version": version})) as watch:
        snapshot = await watch.observe()
        assert snapshot.version == version
        assert [node.cores for node in snapshot.nodes.values()] == [32, 32, 48]
        assert [card.taken for card in snapshot.nodes["pve3"].cards or ()] == [True, False]
