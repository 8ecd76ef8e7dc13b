"""When everything is listed anew, and what is made of a list that is older than what was known."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.contact import Contact
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.resync import Resync, WentBack
from proxmox_offerings.kube.errors import Unavailable
from proxmox_offerings.kube.hosts import Hosts
from proxmox_offerings.kube.objects import LiveObject
from proxmox_offerings.kube.offerings import Offerings
from unit.controller.fakes import live_host
from unit.controller.virtual_time import elapsed, run


class Kube:
    """Lists hosts; there are no Offerings. `meanwhile` happens while a list is on its way."""

    def __init__(self) -> None:
        self.live = LiveObjects()
        self.contact = Contact(clock=elapsed)
        self.hosts: list[LiveObject] = [live_host(version=10)]
        self.version = 20
        self.failure: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.moments: list[float] = []
        self.resync = Resync(
            hosts=cast("Hosts", self),
            offerings=cast("Offerings", Nothing(self)),
            live=self.live,
            namespaces=(None,),
            concerned=lambda _: None,
            contact=self.contact,
            backoff=Backoff(rng=random.Random(0)),
            settle=30,
        )

    async def list(self, _: str | None, **__: object) -> tuple[list[LiveObject], int]:
        self.moments.append(round(elapsed(), 3))
        if self.failure:
            raise self.failure
        answer = list(self.hosts), self.version
        self.meanwhile()
        return answer


class Nothing:
    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def list(self, _: str | None, **__: object) -> tuple[list[LiveObject], int]:
        return [], self._kube.version


def listing(actions: Callable[[Kube], Any]) -> Kube:
    async def main() -> Kube:
        kube = Kube()
        keeping = asyncio.create_task(kube.resync.keep_listing())
        await actions(kube)
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        return kube

    return run(main())


def test_listed_soon_after_something_may_have_been_missed_and_then_now_and_then() -> None:
    """However often that is said: neither put off each time, nor listed each time."""

    async def actions(kube: Kube) -> None:
        await asyncio.sleep(100)
        for _ in range(10):
            kube.resync.soon()
            await asyncio.sleep(1)
        await asyncio.sleep(900)

    assert listing(actions).moments == [30, 130, 430, 730]


def test_list_that_fails_is_told_and_repeated_until_it_works() -> None:
    async def actions(kube: Kube) -> None:
        kube.failure = Unavailable("no")
        await asyncio.sleep(200)
        assert kube.contact.lost_seconds > 100
        kube.failure = None
        await asyncio.sleep(30)
        assert kube.contact.lost_seconds == 0

    assert 9 <= len(listing(actions).moments) <= 15


@pytest.mark.parametrize(
    "back",
    [
        pytest.param({"version": 15}, id="the list is older than the one before"),
        pytest.param({"version": 9, "hosts": []}, id="the list is older than what was seen"),
        pytest.param(
            {"version": 1000, "hosts": [live_host(version=9)]}, id="an object is older, though versions were bumped"
        ),
    ],
)
def test_restored_backup_is_not_mistaken_for_old_news(back: dict[str, Any]) -> None:
    async def main() -> None:
        kube = Kube()
        await kube.resync.list_all()
        for name, value in back.items():
            setattr(kube, name, value)
        with pytest.raises(WentBack):
            await kube.resync.list_all()

    run(main())


def test_news_that_overtakes_a_list_is_no_restored_backup() -> None:
    async def main() -> None:
        kube = Kube()
        await kube.resync.list_all()
        kube.meanwhile = lambda: kube.live.saw_host(live_host(version=30))
        await kube.resync.list_all()
        kube.hosts, kube.version = [live_host(version=30)], 30
        await kube.resync.list_all()
        kube.hosts = [replace(live_host(version=30), uid="another")]
        await kube.resync.list_all()

    run(main())
