"""What networks, reverse proxies, certificates and clocks do to answers (T19 to T24). What the client makes of it: tests/faults/test_client_*.py"""

import asyncio

import pytest

from faults.proxmox.conftest import OpenShop
from proxmox_offerings.simulator.faults import Fault
from support.shop import INVENTORY, REFRESH, VALIDITY

FAST_LOOP = ("/cluster/status", "/cluster/resources", "/cluster/ha/status/manager_status")


@pytest.mark.reliability("T19")
async def test_connections_that_the_server_closes_are_not_noticed(shop: OpenShop) -> None:
    """Idle ones at any moment; each call of one turn loses its connection once."""
    async with shop() as site:
        claims, read_at = site.claims(), site.said()["observedAt"]
        for path in FAST_LOOP:
            site.cluster.add_fault(Fault(path=path, drop=True, count=1))
        await site.pass_time(3 * REFRESH)
        assert site.ready == ("True", "Observed")
        assert site.claims() == claims
        assert site.said()["observedAt"] >= read_at
        assert {request.node for request in site.cluster.requests} == {"pve1"}


@pytest.mark.reliability("T20")
async def test_slow_answers_are_waited_for_as_long_as_the_server_takes(shop: OpenShop) -> None:
    """The entry node 9 s for each call, the nodes 29 s: nothing times out, nothing is asked twice, and all is sold."""
    slow = (Fault(path="/nodes/*", delay=29), Fault(delay=9))
    async with shop() as site:
        claims = site.claims()

    def arm(cluster: object) -> None:
        for fault in slow:
            cluster.add_fault(fault)  # type: ignore[attr-defined]

    async with shop(before=arm) as site:
        await site.pass_time(10 * REFRESH)
        assert site.ready == ("True", "Observed")
        assert site.claims() == claims
        peak = site.cluster.peak_in_flight
        assert max(peak["pve2"], peak["pve3"]) <= 2
        assert peak["pve1"] <= 2 + 2  # as the entry node, and as one of the nodes
        asked = [path for path in site.calls("/status") if path.startswith("/nodes/")]
        assert len(asked) <= len(site.cluster.nodes) * (10 * REFRESH / INVENTORY + 1)


@pytest.mark.reliability("T20")
async def test_no_turn_overlaps_the_one_before_however_slow_the_cluster_is(shop: OpenShop) -> None:
    async with shop() as site:
        site.cluster.add_fault(Fault(path="/cluster/*", delay=9.5))
        site.forget_calls()
        await site.pass_time(10 * REFRESH)
        assert site.ready == ("True", "Observed")
        polls = site.calls("/cluster/resources")
        assert 8 <= len(polls) <= 14
        assert max(site.cluster.peak_in_flight.values()) <= 2


@pytest.mark.reliability("T20", "T7")
async def test_entry_node_that_hangs_is_left_for_another_within_one_refresh(shop: OpenShop) -> None:
    async with shop() as site:
        claims, read_at = site.claims(), site.said()["observedAt"]
        site.cluster.add_fault(Fault(node="pve1", hang=True))
        await site.pass_time(REFRESH + 20)
        assert site.ready == ("True", "Observed")
        assert site.claims() == claims
        assert site.host["status"]["proxmox"]["endpoint"] == site.cluster.endpoint("pve2")
        await site.pass_time(VALIDITY)
        assert site.said()["observedAt"] > read_at
        assert site.claims() == claims


@pytest.mark.reliability("T21")
async def test_token_that_is_refused_is_told_and_used_again_when_it_is_right(shop: OpenShop) -> None:
    """Tokens do not expire after two hours as tickets do; they are changed, disabled, or outlived."""
    async with shop() as site:
        claims, secret = site.claims(), site.cluster.token_secret
        site.cluster.set_secret(site.cluster.token_id, "another")
        await site.freezes("Unauthorized", kind="Stalled")
        assert secret not in str(site.host)
        await site.renew_secret()
        await site.heals(claims)


@pytest.mark.reliability("T21")
async def test_one_node_whose_clock_is_wrong_refuses_the_token_and_is_left_for_another(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
        site.cluster.add_fault(Fault(node="pve1", status=401, reason="permission denied - invalid PVE ticket"))
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.claims() == claims
        assert site.host["status"]["proxmox"]["endpoint"] == site.cluster.endpoint("pve2")


PAGE = "<html><title>Sign in</title>the-proxy-says-this</html>"
SPOILT = [
    pytest.param(Fault(truncate=True), id="truncated JSON"),
    pytest.param(Fault(break_off=True), id="broken off"),
    pytest.param(Fault(body=PAGE, content_type="text/html"), id="HTML of a reverse proxy"),
    pytest.param(Fault(body=""), id="empty 200"),
    pytest.param(Fault(status=502, reason="Bad Gateway", body=PAGE), id="502"),
    pytest.param(Fault(status=503, reason="Service Unavailable", body=PAGE), id="503"),
    pytest.param(Fault(status=504, reason="Gateway Timeout", body=PAGE), id="504"),
    pytest.param(Fault(redirect="https://login.example.net/"), id="redirect"),
    pytest.param(Fault(data=None, body='{"data":null}'), id="no data"),
    pytest.param(Fault(data={"the-proxy-says-this": 1}), id="another shape"),
]


@pytest.mark.reliability("T22")
@pytest.mark.parametrize("fault", SPOILT)
async def test_what_is_no_answer_changes_no_statement_and_is_not_shown(shop: OpenShop, fault: Fault) -> None:
    async with shop() as site:
        claims, before = site.claims(), site.statements()
        site.cluster.add_fault(fault.model_copy(update={"path": "/cluster/*"}))
        await site.turn()
        assert site.ready == ("False", "CallFailed")
        assert site.conditions["Reconciling"] == "True"
        assert site.statements() == before
        assert "the-proxy-says-this" not in str(site.host)
        site.cluster.remove_fault()
        await site.heals(claims)


@pytest.mark.reliability("T22")
@pytest.mark.parametrize("fault", SPOILT[::3])
async def test_what_is_no_answer_of_a_node_spoils_that_node_alone(shop: OpenShop, fault: Fault) -> None:
    async with shop() as site:
        before = site.sold()
    spoilt = fault.model_copy(update={"path": "/nodes/pve1/*"})
    async with shop(before=lambda cluster: cluster.add_fault(spoilt)) as site:
        assert site.ready == ("True", "Observed")
        assert site.sold() == {name: units for name, units in before.items() if name != "pve1"}
        assert "the-proxy-says-this" not in str([site.host, site.offerings])


@pytest.mark.reliability("T23")
async def test_errors_of_both_generations_say_the_same(shop: OpenShop) -> None:
    """Before 8.3 the reason phrase alone, since then a message in the JSON too; neither is repeated."""
    told = set()
    async with shop() as site:
        for body in ('{"data":null}', '{"data":null,"message":"got timeout\\n"}', "got timeout", ""):
            site.cluster.add_fault(Fault(path="/cluster/resources", status=500, reason="got timeout", body=body))
            await site.turn()
            assert site.ready == ("False", "CallFailed")
            told.add(site.message.partition(" answered ")[2])
            site.cluster.remove_fault()
            await site.turn()
            assert site.ready == ("True", "Observed")
    assert told == {"the call /cluster/resources with HTTP 500"}


@pytest.mark.reliability("T24")
@pytest.mark.parametrize("change", ["expired", "other-authority"])
async def test_certificate_that_is_not_to_be_trusted_is_told_and_nothing_is_sent_to_it(
    shop: OpenShop, change: str
) -> None:
    async with shop() as site:
        claims = site.claims()
        site.cluster.replace_certificate(change)  # type: ignore[arg-type]
        site.forget_calls()
        await site.freezes("CertificateRejected", kind="Stalled")
        assert site.conditions["TLSVerified"] == "False"
        assert not site.calls()
        site.cluster.replace_certificate("renewed")
        await site.heals(claims)


@pytest.mark.reliability("T24")
async def test_certificate_renewed_under_a_pin_is_told_and_the_new_pin_mends_it(shop: OpenShop) -> None:
    """A host that pins fingerprints learns of each renewal (ACME: every two months) by a clear condition."""
    async with shop() as site:
        claims = site.claims()
        pins = dict(site.cluster.fingerprints)
        await site.amend(tls={"caBundle": None, "fingerprints": sorted(pins.values())})
        await site.heals(claims)
        site.cluster.replace_certificate("renewed", node="pve1")
        await site.turn()
        assert site.ready == ("True", "Observed")  # another node still shows a certificate that is expected
        assert site.host["status"]["proxmox"]["endpoint"] == site.cluster.endpoint("pve2")
        site.cluster.replace_certificate("renewed")
        await site.turn()
        assert site.ready == ("False", "CertificateRejected")
        assert "fingerprint" in site.message
        assert site.stock()[0] == "InStock"
        await site.amend(tls={"fingerprints": sorted(site.cluster.fingerprints.values())})
        await site.heals(claims)


@pytest.mark.reliability("T24")
async def test_certificate_renewed_by_the_same_authority_is_not_noticed(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
        for node in site.cluster.nodes:
            site.cluster.replace_certificate("renewed", node=node)
            await asyncio.sleep(0)
        await site.turn()
        await site.heals(claims)
