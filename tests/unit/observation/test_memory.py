"""What is not known any more is None, however good it once was."""

from proxmox_offerings.observation.memory import Memory


def test_an_answer_is_believed_until_it_is_too_old() -> None:
    memory = Memory()
    memory.put("pci", ("card",), at=100)
    assert memory.get("pci", since=100) == ("card",)
    assert memory.get("pci", since=100.5) is None
    assert list(memory.believed(since=101)) == []


def test_what_never_came_is_none_and_an_empty_answer_is_not() -> None:
    memory = Memory()
    memory.put("pci", (), at=0)
    assert memory.get("pci", since=0) == ()
    assert memory.get("disks", since=0) is None


def test_calls_that_are_not_made_any_more_are_forgotten() -> None:
    memory = Memory()
    memory.put("a", 1, at=0)
    memory.put("b", 2, at=0)
    memory.keep(frozenset({"b", "c"}))
    assert list(memory.believed(since=0)) == ["b"]
