"""What the API server refuses must be refused without one too, in sentences that name the field and say what is right."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxmox_offerings.resources import InvalidResource, Offering, OfferingStatus, ProxmoxHost, ProxmoxHostStatus, Stock
from unit.resources.refused import AT_THE_LIMITS, MINIMAL, REFUSED, Refused, changed, says

EXAMPLES = Path(__file__).parent / "examples"


@pytest.mark.parametrize("refusal", [pytest.param(refusal, id=refusal.name) for refusal in REFUSED])
@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_bad_host_is_refused_in_words_that_help(refusal: Refused, *, strict: bool) -> None:
    with pytest.raises(InvalidResource) as refused:
        ProxmoxHost.parse(refusal.host, strict=strict)
    told = [problem.partition(": ")[::2] for problem in refused.value.problems]
    assert any(says(refusal, field, message) for field, message in told), told
    assert all(field.startswith(refusal.field) for field, _ in told), "nothing else may be blamed"


def test_all_mistakes_are_told_at_once() -> None:
    """Whoever corrects a file should not find the next mistake only after correcting the first."""
    host = changed(suspend="no", endpoints=["http://a@b/", "https://good.example"], bridge="/")
    with pytest.raises(InvalidResource) as refused:
        ProxmoxHost.parse(host)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "spec.endpoints[0]",
        "spec.suspend",
        "spec.bridge",
    ]


def test_what_was_written_is_not_echoed() -> None:
    """A token that someone put in the wrong place must not reach a log through the complaint about it."""
    host = changed(endpoints=["https://user:hunter2@pve"], bridge="hunter2/", tls={"caBundle": "hunter2"}, hunter2=1)
    with pytest.raises(InvalidResource) as refused:
        ProxmoxHost.parse(host)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_typo_in_a_file_is_not_silently_a_default() -> None:
    with pytest.raises(InvalidResource, match=r"^spec\.allocation\.cpu\.precent: is not a known field$"):
        ProxmoxHost.parse(changed(**{"allocation.cpu.precent": 100}), strict=True)


def test_field_of_a_newer_crd_does_not_stop_an_older_operator() -> None:
    assert ProxmoxHost.parse(changed(future={"x": 1})) == ProxmoxHost.parse(MINIMAL)


def test_python_names_are_not_wire_names() -> None:
    """A file that spells `validity_seconds` has a typo, even if Python calls it so."""
    with pytest.raises(InvalidResource, match=r"validity_seconds: is not a known field"):
        ProxmoxHost.parse(changed(validity_seconds=900), strict=True)


def test_output_of_kubectl_get_is_a_file_too() -> None:
    stored = yaml.safe_load((EXAMPLES / "proxmoxhost.yaml").read_text())
    stored["metadata"] |= {
        "creationTimestamp": "2026-11-24T03:48:02Z",
        "managedFields": [{"manager": "kubectl"}],
        "uid": "x",
    }
    host = ProxmoxHost.parse(stored, strict=True)
    assert host.status == ProxmoxHostStatus(), "a file tells what should be, not what was seen"
    assert host.spec == ProxmoxHost.parse(stored).spec


@pytest.mark.parametrize(
    "wrong", [{"kind": "Offering"}, {"apiVersion": "proxmox-offerings.io/v2"}, {"spec": []}, {"spec": None}]
)
def test_another_kind_of_object_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidResource, match=rf"^{next(iter(wrong))}: "):
        ProxmoxHost.parse(MINIMAL | wrong)


def test_limits_themselves_are_allowed() -> None:
    """Each bound is meant inclusive: refusing one more must not refuse the bound."""
    assert ProxmoxHost.parse(AT_THE_LIMITS, strict=True).spec.tiers[0].memory.bytes == 1


@pytest.mark.parametrize(
    ("stock", "available"),
    [(Stock.UNKNOWN, 0), (Stock.UNKNOWN, 3), (Stock.IN_STOCK, None), (Stock.IN_STOCK, 0), (Stock.LOW_STOCK, 0)],
)
def test_status_that_contradicts_itself_cannot_be_made(stock: Stock, available: int | None) -> None:
    """The model is the last place where a false claim of stock can be stopped before it is sent."""
    with pytest.raises(ValueError, match="while stock is"):
        OfferingStatus(stock=stock, available=available)


def test_offering_with_a_bad_status_names_the_field() -> None:
    offering = yaml.safe_load((EXAMPLES / "offering.yaml").read_text())
    offering["status"]["available"] = 0
    with pytest.raises(InvalidResource, match=r"^status\.available: must be at least 1"):
        Offering.parse(offering)
