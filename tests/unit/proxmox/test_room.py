"""Many large answers at once are not fatal: what is in memory of them has a bound, over all clusters and for each."""

import pytest

from proxmox_offerings.proxmox.room import NoRoom, Room


def test_what_fits_exactly_fits_and_a_byte_more_does_not() -> None:
    room = Room(10)
    with room.held() as one:
        one.more(10)
        with pytest.raises(NoRoom):
            one.more(1)
        assert room.taken == 10
    assert room.taken == 0


def test_one_host_takes_no_more_than_its_part_and_all_no_more_than_there_is() -> None:
    process = Room(10)
    first, second = Room(6, within=process), Room(6, within=process)
    with first.held() as one, second.held() as two:
        one.more(6)
        with pytest.raises(NoRoom):
            one.more(1)
        with pytest.raises(NoRoom):
            two.more(5)
        two.more(4)
        assert (first.taken, second.taken, process.taken) == (6, 4, 10)
    assert (first.taken, second.taken, process.taken) == (0, 0, 0)
