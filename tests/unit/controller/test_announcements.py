"""Which changes are told by Events, and which are not."""

from datetime import UTC, datetime, timedelta

import pytest

from proxmox_offerings.controller import conditions
from proxmox_offerings.controller.announcements import HostChange, OfferingChange, announcements_of
from proxmox_offerings.controller.problems import INTERNAL_ERROR, SUSPENDED, Problem
from proxmox_offerings.controller.reasons import OfferingReason
from proxmox_offerings.proxmox import errors
from proxmox_offerings.resources import MissingPrivilege, NodeStatus, OfferingStatus, ProxmoxHostStatus, Stock
from unit.controller.fakes import live_host

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
GAP = MissingPrivilege(path="/storage/nfs", privilege="Datastore.Audit", effect="templates on it are not seen")
UNREACHABLE = Problem.of(errors.ConnectionFailed("no endpoint answered"))
REFUSED = Problem.of(errors.Unauthorized("the token was refused"))
BLIND = Problem.of(errors.PrivilegesMissing("the token sees no guests"))
NEVER = ProxmoxHostStatus()


def host(
    problem: Problem | None = None, *, gaps: tuple[MissingPrivilege, ...] = (), insecure: bool = False, hours: int = 0
) -> ProxmoxHostStatus:
    findings = conditions.of_host(problem, insecure=insecure)
    settled = conditions.settle(findings, before=(), generation=1, now=NOON + timedelta(hours=hours))
    return ProxmoxHostStatus(conditions=settled, missing_privileges=gaps, observed_generation=hours)


def offering(
    stock: Stock, available: int | None = None, *, reason: OfferingReason = OfferingReason.OBSERVED, hours: int = 0
) -> OfferingStatus:
    at = NOON + timedelta(hours=hours)
    status = OfferingStatus(stock=stock, available=available, message=f"{available} fit", observed_at=at)
    settled = conditions.settle(conditions.of_offering(status, reason=reason), before=(), generation=1, now=at)
    return status.model_copy(update={"conditions": settled})


IN = offering(Stock.IN_STOCK, 17)
LOW = offering(Stock.LOW_STOCK, 2)
OUT = offering(Stock.OUT_OF_STOCK, 0)
BLURRED = offering(Stock.UNKNOWN, reason=OfferingReason.STOCK_UNKNOWN)
OVER = offering(Stock.UNKNOWN, reason=OfferingReason.EXPIRED)
NEW = offering(Stock.UNKNOWN, reason=OfferingReason.NOT_OBSERVED)
IN_AND_BLURRED = BLURRED.model_copy(update={"sold_out": False})
IN_AND_OVER = OVER.model_copy(update={"sold_out": False})
IN_AND_NEW = NEW.model_copy(update={"sold_out": False})
OUT_AND_OVER = OVER.model_copy(update={"sold_out": True})
OUT_AND_NEW = NEW.model_copy(update={"sold_out": True})
CHANGING = offering(Stock.UNKNOWN, reason=OfferingReason.TERMS_CHANGED)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(NEVER, host(), [], id="read at first sight"),
        pytest.param(NEVER, host(UNREACHABLE), ["Warning ConnectionFailed"], id="never reached"),
        pytest.param(host(), host(hours=1), [], id="well and stays so"),
        pytest.param(host(), host(UNREACHABLE), ["Warning ConnectionFailed"], id="unreachable"),
        pytest.param(host(UNREACHABLE), host(UNREACHABLE, hours=1), [], id="still unreachable"),
        pytest.param(
            host(UNREACHABLE),
            host(Problem.of(errors.ConnectionFailed("another endpoint did not answer"))),
            [],
            id="still unreachable, in other words",
        ),
        pytest.param(host(UNREACHABLE), host(REFUSED), ["Warning Unauthorized"], id="another problem"),
        pytest.param(host(REFUSED), host(), ["Normal Recovered"], id="recovered"),
        pytest.param(host(), host(BLIND, gaps=(GAP,)), ["Warning PrivilegesMissing"], id="no rights: told once"),
        pytest.param(host(BLIND, gaps=(GAP,)), host(gaps=(GAP,)), ["Normal Recovered"], id="what lacks was told"),
        pytest.param(host(), host(gaps=(GAP,)), ["Warning PrivilegesMissing"], id="a right that can be done without"),
        pytest.param(host(gaps=(GAP,)), host(gaps=(GAP,), hours=1), [], id="which still lacks"),
        pytest.param(host(gaps=(GAP,)), host(UNREACHABLE, gaps=(GAP,)), ["Warning ConnectionFailed"], id="and more"),
        pytest.param(host(), host(SUSPENDED), ["Normal Suspended"], id="suspended"),
        pytest.param(host(SUSPENDED), host(), ["Normal Resumed"], id="resumed"),
        pytest.param(host(), host(INTERNAL_ERROR), ["Warning InternalError"], id="a fault of ours"),
        pytest.param(NEVER, host(insecure=True), ["Warning InsecureSkipVerify"], id="certificates are not verified"),
        pytest.param(host(insecure=True), host(insecure=True, hours=1), [], id="still not"),
    ],
)
def test_a_host_is_told_of_when_its_state_changes_and_only_then(
    before: ProxmoxHostStatus, after: ProxmoxHostStatus, told: list[str]
) -> None:
    said = announcements_of(HostChange(live=live_host(), before=before, after=after))
    assert [f"{'Warning' if one.warning else 'Normal'} {one.reason}" for one in said] == told
    assert all(one.message for one in said)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(None, IN, [], id="new"),
        pytest.param(None, NEW, [], id="new, and nothing known"),
        pytest.param(NEW, IN, [], id="first statement"),
        pytest.param(None, OUT, [], id="new, and nothing fits"),
        pytest.param(NEW, OUT, [], id="first statement, and nothing fits"),
        pytest.param(BLURRED, OUT, ["Normal StockKnown"], id="judged at last, and nothing fits"),
        pytest.param(IN, LOW, [], id="low"),
        pytest.param(IN, offering(Stock.IN_STOCK, 16, hours=1), [], id="one less"),
        pytest.param(LOW, OUT, ["Normal SoldOut"], id="sold out"),
        pytest.param(OUT, offering(Stock.OUT_OF_STOCK, 0, hours=1), [], id="still sold out"),
        pytest.param(OUT, LOW, ["Normal BackInStock"], id="back in stock"),
        pytest.param(IN, BLURRED, ["Warning StockUnknown"], id="not to be judged"),
        pytest.param(NEW, BLURRED, ["Warning StockUnknown"], id="never to be judged"),
        pytest.param(BLURRED, IN, ["Normal StockKnown"], id="to be judged again"),
        pytest.param(IN, OVER, ["Warning Expired"], id="ended"),
        pytest.param(BLURRED, OVER, [], id="what was not known ends"),
        pytest.param(IN_AND_BLURRED, OUT, ["Normal SoldOut"], id="judged again, and sold out"),
        pytest.param(IN_AND_OVER, OUT, ["Normal SoldOut"], id="known again, and sold out"),
        pytest.param(IN_AND_NEW, OUT, ["Normal SoldOut"], id="sold out on other terms"),
        pytest.param(OUT_AND_OVER, OUT, ["Normal StockKnown"], id="known again, and still sold out"),
        pytest.param(OUT_AND_NEW, OUT, [], id="still sold out on other terms"),
        pytest.param(OUT_AND_OVER, IN, ["Normal BackInStock"], id="known again, and back in stock"),
        pytest.param(OUT_AND_NEW, LOW, ["Normal BackInStock"], id="back in stock on other terms"),
        pytest.param(IN_AND_OVER, IN, ["Normal StockKnown"], id="known again"),
        pytest.param(IN, NEW, [], id="withdrawn because somebody changed the terms"),
        pytest.param(IN, CHANGING, [], id="withdrawn for a moment"),
    ],
)
def test_an_offering_is_told_of_when_its_stock_changes_and_only_then(
    before: OfferingStatus | None, after: OfferingStatus, told: list[str]
) -> None:
    said = announcements_of(OfferingChange(live=live_host(), before=before, after=after))
    assert [f"{'Warning' if one.warning else 'Normal'} {one.reason}" for one in said] == told


def test_what_lacks_is_named_and_the_rest_counted() -> None:
    other = MissingPrivilege(path="/", privilege="Sys.Audit", effect="no hardware is seen")
    (told,) = announcements_of(HostChange(live=live_host(), before=host(), after=host(gaps=(GAP, other))))
    assert told.message == (
        "the token lacks Datastore.Audit on /storage/nfs: templates on it are not seen (and 1 more: see status.missingPrivileges)"
    )


def nodes(**excluded: str | None) -> ProxmoxHostStatus:
    """A host whose nodes are left out for these reasons."""
    seen = tuple(NodeStatus(name=name, status="Online", excluded=word) for name, word in excluded.items())
    return host().model_copy(update={"nodes": seen})


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(nodes(), nodes(a=None, b="Offline"), [], id="seen for the first time"),
        pytest.param(nodes(a=None), nodes(a=None), [], id="well and stays so"),
        pytest.param(nodes(a="Offline"), nodes(a="Offline"), [], id="still down"),
        pytest.param(
            nodes(a=None),
            nodes(a="Offline"),
            ["Warning NodeLeftOut a is offline: nothing is sold there"],
            id="went down",
        ),
        pytest.param(
            nodes(a="Maintenance"),
            nodes(a="Offline"),
            ["Warning NodeLeftOut a is offline: nothing is sold there"],
            id="out for another reason",
        ),
        pytest.param(
            nodes(a=None, b=None, c="Offline"),
            nodes(a="Offline", b="Offline", c=None),
            [
                "Warning NodeLeftOut a and b are left out (Offline): nothing is sold there",
                "Normal NodeBack c can be sold again",
            ],
            id="several at once",
        ),
        pytest.param(
            nodes(a=None),
            nodes(a="NotSelected"),
            ["Normal NodeLeftOut a is not selected: nothing is sold there"],
            id="taken out by hand",
        ),
        pytest.param(nodes(a=None), nodes(), [], id="gone from the cluster"),
    ],
)
def test_nodes_that_stop_or_begin_to_sell_are_told(
    before: ProxmoxHostStatus, after: ProxmoxHostStatus, told: list[str]
) -> None:
    """Less stock without a word would leave a seller guessing: the node that went is the story."""
    found = announcements_of(HostChange(live=live_host(), before=before, after=after))
    assert [f"{'Warning' if one.warning else 'Normal'} {one.reason} {one.message}" for one in found] == told
