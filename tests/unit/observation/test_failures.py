"""What a failed turn leaves behind."""

import gc
import weakref
from typing import Any

import pytest

from proxmox_offerings.observation.observer import Observer
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.errors import CallFailed
from support.answers import BEGINNING, Told


class Rows(list[Any]):
    """An answer that can be watched."""


async def test_answer_that_cannot_be_used_is_not_kept_until_the_next_turn() -> None:
    """The turn is, and its failure; with an answer of half a million rows that would be 200 MiB for each host."""
    rows = Rows()
    told, there = Told({"/version": rows}), weakref.ref(rows)
    observer = Observer(
        client=ProxmoxClient(told),  # type: ignore[arg-type]
        inventory_interval=600,
        provisioned=False,
        clock=lambda: BEGINNING,
        monotonic=lambda: 0.0,
        on_news=lambda: None,
    )
    gc.disable()
    try:
        with pytest.raises(CallFailed, match="cannot be used") as caught:
            await observer.observe()
        told.answers = {}
        del rows
        assert there() is None
        assert "cannot be used" in str(caught.value)
    finally:
        gc.enable()
    await observer.aclose()
