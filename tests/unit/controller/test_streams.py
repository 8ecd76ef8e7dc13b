"""How long kopf's session goes on trying, and how often."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from yarl import URL

from proxmox_offerings.controller.contact import Contact
from proxmox_offerings.controller.streams import Patience, Streams
from proxmox_offerings.kube.client import KubeClient
from unit.controller.virtual_time import elapsed, run

WATCH = URL("https://api.example.net/apis/proxmox-offerings.io/v1alpha1/offerings?watch=true")


class Client:
    """Who has a token, and nothing else."""

    async def authorization(self) -> str:
        return "Bearer 1111"


def test_an_api_server_that_is_away_for_ten_minutes_is_asked_without_end_and_not_hammered() -> None:
    async def main() -> tuple[list[float], float, bool]:
        contact = Contact(clock=elapsed)
        streams = Streams(
            client=cast("KubeClient", Client()),
            contact=contact,
            namespaces=(None,),
            relisted=lambda: None,
            patience=Patience(),
        )
        moments: list[float] = []
        lost = 0.0

        async def server(request: Any) -> Any:
            nonlocal lost
            moments.append(elapsed())
            lost = contact.lost_seconds
            if elapsed() < 600:
                raise aiohttp.ClientConnectionError
            return SimpleNamespace(status=200, content=None)

        request = SimpleNamespace(url=WATCH, headers={})
        answer = await streams(cast("aiohttp.ClientRequest", request), server)
        return moments, lost, answer.status == 200

    moments, lost, answered = run(main())
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert answered
    assert 600 <= moments[-1] <= 610
    assert lost >= 600
    assert 60 <= len(moments) <= 90
    assert max(gaps) <= 10
    assert len(set(gaps[8:])) == len(gaps[8:]), "in step with others"
