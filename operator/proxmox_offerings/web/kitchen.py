"""Makes answers: each once for each state of things, one after another, beside the event loop, and for a part of the time only.

What anybody asks for from anywhere must not slow down what the process is for. So an answer is kept until what it says changes or ends; new ones are
made in a thread, never two at a time; and after each the thread rests for thrice as long as it took: a quarter of one processor is all that visitors
can use, up to where a single answer takes a second.
"""

import asyncio
import functools
import gzip
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from proxmox_offerings.web.contents import Contents, Source
from proxmox_offerings.web.frame import RELOAD_SECONDS, Moment
from proxmox_offerings.web.offers import Catalogue, Reader

REST: Final = 3.0
"""How long the thread rests, as a multiple of the processor time that it worked."""
LONGEST_REST: Final = 3.0
"""Seconds. Who has so much to show that a page takes a second has a processor for it."""
SETTLE_SECONDS: Final = 1.0
"""Changes are taken note of this often at most."""
MOST_WAITING: Final = 32
"""Answers that wait to be made; requests for further ones are refused."""
MOST_KEPT: Final = 32 * 1024 * 1024
"""Bytes of all answers that are kept."""
WORTH_COMPRESSING: Final = 512


class NotReady(Exception):
    """Nobody knows what there is yet."""


class Busy(Exception):
    """Too many wait already."""


class NotThere(Exception):
    """There is nothing of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything at one moment, for whoever makes an answer."""

    revision: int
    contents: Contents
    catalogue: Catalogue
    taken_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent. `soonest_end`: when something that it says ends."""

    body: bytes
    compressed: bytes | None
    content_type: str
    etag: str
    soonest_end: datetime | None
    state: State
    remade_at: datetime | None

    @property
    def weight(self) -> int:
        """Bytes that it takes."""
        return len(self.body) + len(self.compressed or b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an answer is made. Equal keys are equal answers; `make` raises NotThere."""

    key: Hashable
    content_type: str
    make: Callable[[State, Moment], bytes]


class Kitchen:
    """Answers made from a source. `now` is the wall clock that statements end by."""

    def __init__(self, source: Source, *, now: Callable[[], datetime], settle_seconds: float = SETTLE_SECONDS) -> None:
        self._source = source
        self._now = now
        self._settle_seconds = settle_seconds
        self._reader = Reader()
        self._state: State | None = None
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._kept = 0
        self._turn = asyncio.Lock()
        self._making: dict[Hashable, asyncio.Task[Answer]] = {}
        self._rest_until = 0.0

    async def answer(self, recipe: Recipe) -> Answer:
        """The answer for now. Raises NotReady, NotThere, Busy. Who asks for what is being made waits for that."""
        if (kept := self._fresh(recipe.key)) is not None:
            return kept
        making = self._making.get(recipe.key)
        if making is None:
            if len(self._making) >= MOST_WAITING:
                raise Busy
            making = self._making[recipe.key] = asyncio.create_task(self._cook(recipe), name="catalogue page")
            making.add_done_callback(functools.partial(self._made, recipe.key))
        return await asyncio.shield(making)

    async def close(self) -> None:
        """Make nothing any more."""
        making = list(self._making.values())
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    async def _cook(self, recipe: Recipe) -> Answer:
        async with self._turn:
            if (rest := self._rest_until - time.monotonic()) > 0:
                await asyncio.sleep(rest)
            answer, worked = await asyncio.to_thread(_timed, self._make, recipe, *self._taken())
            self._rest_until = time.monotonic() + min(REST * worked, LONGEST_REST)
            self._keep(recipe.key, answer)
            return answer

    def _made(self, key: Hashable, task: "asyncio.Task[Answer]") -> None:
        """Whoever waited has the answer or the error; where nobody does any more, nobody is to be told."""
        del self._making[key]
        if not task.cancelled():
            task.exception()

    def _fresh(self, key: Hashable) -> Answer | None:
        revision = self._source.revision()
        if revision is None:
            raise NotReady
        answer = self._answers.get(key)
        if answer is None or answer.state is not self._state or self._must_look(revision):
            return None
        if answer.remade_at is not None and self._now() >= answer.remade_at:
            return None
        self._answers.move_to_end(key)
        return answer

    def _must_look(self, revision: int) -> bool:
        state = self._state
        return state is None or (
            state.revision != revision and time.monotonic() >= state.taken_at + self._settle_seconds
        )

    def _taken(self) -> tuple[State | None, int, Contents | None]:
        """What there is, copied where it changed: the thread must not look at what the loop changes."""
        revision = self._source.revision()
        if revision is None:
            raise NotReady
        return (self._state, revision, self._source.contents() if self._must_look(revision) else None)

    def _make(self, recipe: Recipe, before: State | None, revision: int, contents: Contents | None) -> Answer:
        """In the thread."""
        now = self._now()
        state = before
        if contents is not None or state is None:
            contents = contents or Contents(hosts=(), offerings=())
            catalogue = self._reader.read(contents)
            state = State(revision=revision, contents=contents, catalogue=catalogue, taken_at=time.monotonic())
        end = state.catalogue.soonest_end(now)
        body = recipe.make(state, Moment(now=now, soonest_end=end))
        compressed = gzip.compress(body, compresslevel=6, mtime=0) if len(body) >= WORTH_COMPRESSING else None
        return Answer(
            body=body,
            compressed=compressed if compressed is not None and len(compressed) < len(body) else None,
            content_type=recipe.content_type,
            etag=f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"',
            soonest_end=end,
            state=state,
            remade_at=_remade_at(now, end),
        )

    def _keep(self, key: Hashable, answer: Answer) -> None:
        if answer.state is not self._state:
            self._answers.clear()
            self._state, self._kept = answer.state, 0
        before = self._answers.pop(key, None)
        self._answers[key] = answer
        self._kept += answer.weight - (before.weight if before else 0)
        while self._kept > MOST_KEPT and self._answers:
            _, oldest = self._answers.popitem(last=False)
            self._kept -= oldest.weight


def _timed(make: Callable[..., Answer], *arguments: object) -> tuple[Answer, float]:
    """With the seconds of processor time that it took: on a busy machine it may last much longer."""
    began = time.thread_time()
    answer = make(*arguments)
    return answer, time.thread_time() - began


def _remade_at(now: datetime, end: datetime | None) -> datetime | None:
    """When the same state makes another answer: something ends, or a page without script must reload sooner because something will."""
    if end is None:
        return None
    near = end - timedelta(seconds=RELOAD_SECONDS)
    return near if now < near else min(end, now + timedelta(seconds=1))
