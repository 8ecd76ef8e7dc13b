"""Tells of changes by Events, beside the work and never in its way: nobody waits for an Event, and none that fails makes anything else fail.

Bounded in rate and in memory. What happens to one object while its turn has not come is put together: sold out and back in stock before anybody was
told is nothing to tell.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

import structlog

from proxmox_offerings.controller.acting import acting_for
from proxmox_offerings.controller.announcements import Announcement, Change, HostChange, announcements_of
from proxmox_offerings.controller.live import host_of
from proxmox_offerings.kube.errors import Conflict, KubeError, NotLeading
from proxmox_offerings.kube.events import Event
from proxmox_offerings.resources import Offering, ProxmoxHost
from proxmox_offerings.resources.text import clean

log = structlog.get_logger(__name__)

SECONDS_APART: Final = 0.1
"""Between two Events: ten a second, whatever happens to however many objects."""
BURST: Final = 10
REFILL_SECONDS: Final = 60.0
"""One object has this many Events at once, and then one each minute: what flickers does not fill the API server."""
MOST_WAITING: Final = 2000
LONGEST_MESSAGE: Final = 1000


class EventWriter(Protocol):
    """Where Events go (kube.events.Events)."""

    async def create(self, event: Event) -> None: ...


class Announcer:
    """See the module. `now` is the wall clock; `counted` is told what became of each Event: written, failed or dropped."""

    def __init__(
        self,
        events: EventWriter,
        *,
        now: Callable[[], datetime],
        counted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._events = events
        self._now = now
        self._counted = counted
        self._waiting: dict[str, Change] = {}
        self._used_up: dict[str, float] = {}
        self._news = asyncio.Event()
        self._failing = False

    def tell(self, change: Change) -> None:
        """Tell of what is new in `change`, if anything is, before long."""
        uid = change.live.uid
        if (waiting := self._waiting.get(uid)) is not None:
            change = replace(change, before=waiting.before)  # type: ignore[arg-type]  # one uid is of one kind
        elif not announcements_of(change):
            return
        elif len(self._waiting) >= MOST_WAITING:
            self._counted("dropped")
            return
        self._waiting[uid] = change
        self._news.set()

    async def run(self) -> None:
        """Write Events until cancelled. What waits then is never told."""
        try:
            while True:
                uid, delay = self._next()
                if uid is None or delay > 0:
                    self._news.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(None if uid is None else delay):
                            await self._news.wait()
                    continue
                change = self._waiting.pop(uid)
                for announcement in announcements_of(change):
                    self._use_up(uid)
                    await self._write(change, announcement)
                    await asyncio.sleep(SECONDS_APART)
        finally:
            self._waiting.clear()

    def _next(self) -> tuple[str | None, float]:
        """Whose turn it is, and in how many seconds."""
        clock = asyncio.get_running_loop().time()
        soonest: tuple[str | None, float] = (None, 0.0)
        for uid in self._waiting:
            delay = self._used_up.get(uid, 0.0) - clock - (BURST - 1) * REFILL_SECONDS
            if delay <= 0:
                return uid, 0.0
            if soonest[0] is None or delay < soonest[1]:
                soonest = (uid, delay)
        return soonest

    def _use_up(self, uid: str) -> None:
        """Each Event of an object moves the moment on at which all its burst is there again."""
        clock = asyncio.get_running_loop().time()
        self._used_up[uid] = max(clock, self._used_up.get(uid, clock)) + REFILL_SECONDS
        if len(self._used_up) > MOST_WAITING:
            self._used_up = {one: until for one, until in self._used_up.items() if until > clock}

    async def _write(self, change: Change, announcement: Announcement) -> None:
        live = change.live
        event = Event(
            regarding=live,
            kind=ProxmoxHost.KIND if isinstance(change, HostChange) else Offering.KIND,
            reason=announcement.reason,
            note=clean(announcement.message, most=LONGEST_MESSAGE),
            warning=announcement.warning,
            at=self._now(),
        )
        try:
            with acting_for(live.ref if isinstance(change, HostChange) else host_of(live)):
                await self._events.create(event)
        except (Conflict, NotLeading):
            return  # told before, or not ours to tell
        except KubeError as error:
            self._counted("failed")
            if not self._failing:
                self._failing = True
                log.warning("events not written", namespace=live.ref.namespace, name=live.ref.name, problem=str(error))
        except Exception:
            # Whatever is wrong with us, other Events can be told.
            self._counted("failed")
            log.exception("event not written", namespace=live.ref.namespace, name=live.ref.name)
        else:
            self._counted("written")
            if self._failing:
                self._failing = False
                log.info("events written again")
