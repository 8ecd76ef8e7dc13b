"""The hunt for secrets finds what it is for; a hunt that cannot find anything would prove nothing."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from support.hunt import Hunt

SECRETS = ("5f1c2a9e-77b0-4d3e-9c41-0d8be2f6a713", 'Zq%7k"<&>\\mW+/=vT9')


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(lambda secret: f"Authorization: PVEAPIToken=a@pve!b={secret}", id="header"),
        pytest.param(lambda secret: f"…={secret[:10]}…", id="its beginning"),
        pytest.param(lambda secret: f"…{secret[-9:]}'", id="its end"),
        pytest.param(lambda secret: secret.upper(), id="in upper case"),
        pytest.param(lambda secret: json.dumps({"problem": f"refused {secret}"}), id="JSON"),
        pytest.param(lambda secret: repr([secret]), id="repr"),
        pytest.param(lambda secret: quote(secret, safe=""), id="URL"),
        pytest.param(lambda secret: secret.encode().hex(), id="hexadecimal"),
        *(
            pytest.param(
                lambda secret, before=before: base64.b64encode((before + secret + "tail").encode()).decode(),
                id=f"Base64 after {len(before)}",
            )
            for before in ("", "x", "xy", "root@pam!t=")
        ),
    ],
)
def test_a_secret_is_found_however_it_is_written(secret: str, leak: Callable[[str], str]) -> None:
    text = f"2026-11-24T10:00:00Z [warning] something {leak(secret)} happened"
    assert Hunt(SECRETS).where({"here": text, "there": "nothing"}) == ["here"]


def test_other_secrets_are_not_taken_for_it() -> None:
    assert not Hunt(SECRETS).finds("5f1c2a9 77b0-4d 9c41-0d 0e0e0e0e-1111-4222-8333-444455556666 Zq%7k")
