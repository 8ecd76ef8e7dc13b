"""What a ProxmoxHost's status repeats of a cluster has an end."""

from proxmox_offerings.catalogue.observed import MOST_MISSING, missing_of
from proxmox_offerings.proxmox.errors import MissingPrivilege


def gaps(count: int) -> list[MissingPrivilege]:
    return [
        MissingPrivilege(path=f"/vms/{vmid}", privilege="VM.Audit", effect="its size is not seen")
        for vmid in range(count)
    ]


def test_as_many_missing_privileges_are_told_as_a_person_reads_and_the_first_stay_the_first() -> None:
    """A rule for each of thousands of guests would not fit into an object of Kubernetes."""
    for count in (MOST_MISSING, MOST_MISSING + 1, 50_000):
        told = missing_of(gaps(count))
        assert [one.path for one in told] == [f"/vms/{vmid}" for vmid in range(MOST_MISSING)]
    assert len(missing_of(gaps(MOST_MISSING - 1))) == MOST_MISSING - 1


def test_what_is_missing_twice_counts_once() -> None:
    assert len(missing_of([*gaps(60), *gaps(60)])) == 60
