"""What the conditions of a ProxmoxHost say about each way to fail."""

from datetime import UTC, datetime, timedelta

import pytest

from proxmox_offerings.controller import conditions
from proxmox_offerings.controller.problems import INTERNAL_ERROR, SUSPENDED, Problem
from proxmox_offerings.controller.reasons import HostReason
from proxmox_offerings.proxmox import errors

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FACTS = ("Reachable", "Authorized", "Quorate", "TLSVerified")


def told(problem: Problem | None, *, insecure: bool = False) -> dict[str, str]:
    return {finding.type: finding.status.value for finding in conditions.of_host(problem, insecure=insecure)}


@pytest.mark.parametrize(
    ("problem", "ready", "abnormal", "facts"),
    [
        pytest.param(None, "True", set(), "TTTT", id="fine"),
        pytest.param(errors.ConnectionFailed("no"), "False", {"Reconciling"}, "F???", id="unreachable"),
        pytest.param(errors.CallFailed("no"), "False", {"Reconciling"}, "T??T", id="an odd answer"),
        pytest.param(errors.NotQuorate("no"), "False", {"Reconciling"}, "TTFT", id="no quorum"),
        pytest.param(errors.UncountableGuests("no"), "False", {"Reconciling"}, "TTTT", id="uncountable"),
        pytest.param(errors.Unauthorized("no"), "False", {"Stalled"}, "TF?T", id="bad token"),
        pytest.param(errors.PrivilegesMissing("no"), "False", {"Stalled"}, "TF?T", id="missing rights"),
        pytest.param(errors.CertificateRejected("no"), "False", {"Stalled"}, "???F", id="bad certificate"),
        pytest.param(errors.CredentialsMissing("no"), "False", {"Stalled"}, "????", id="no secret"),
        pytest.param(errors.InvalidHost("no"), "False", {"Stalled"}, "????", id="bad spec"),
        pytest.param(SUSPENDED, "False", set(), "????", id="suspended"),
        pytest.param(INTERNAL_ERROR, "False", {"Reconciling"}, "????", id="our fault"),
        pytest.param(Problem.publishing(2, "no"), "False", {"Reconciling"}, "TTTT", id="writes refused"),
    ],
)
def test_ready_the_facts_and_what_must_happen(
    problem: errors.ObservationError | Problem | None, ready: str, abnormal: set[str], facts: str
) -> None:
    """Waiters keep waiting while it may heal, and fail at once when a person must act."""
    said = told(Problem.of(problem) if isinstance(problem, errors.ObservationError) else problem)
    letters = {"True": "T", "False": "F", "Unknown": "?"}
    assert said["Ready"] == ready
    assert said.keys() - {"Ready", *FACTS} == abnormal
    assert "".join(letters[said[fact]] for fact in FACTS) == facts


def test_unverified_certificates_are_told_even_when_all_is_fine() -> None:
    said = told(None, insecure=True)
    assert (said["Ready"], said["TLSVerified"]) == ("True", "False")


def leaves(kind: type[errors.ObservationError]) -> list[type[errors.ObservationError]]:
    below = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
    return below or [kind]


def test_every_reason_is_a_documented_word() -> None:
    reasons = {leaf.reason for leaf in leaves(errors.ObservationError)}
    assert len(reasons) >= 8
    assert reasons <= {word.value for word in HostReason}


def test_a_transition_is_a_change_of_status_and_nothing_else() -> None:
    failed = Problem.of(errors.ConnectionFailed("no"))
    first = conditions.settle(conditions.of_host(failed, insecure=False), before=(), generation=1, now=NOON)
    other = Problem.of(errors.CallFailed("never"))
    later = NOON + timedelta(hours=1)
    second = conditions.settle(conditions.of_host(other, insecure=False), before=first, generation=2, now=later)
    since = {condition.type: condition.last_transition_time for condition in second}
    assert since["Ready"] == since["Reconciling"] == since["Authorized"] == NOON
    assert since["Reachable"] == later
    assert {condition.observed_generation for condition in second} == {2}
