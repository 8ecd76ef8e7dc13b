"""What is told of a token: nothing, not even by those who got it."""

import json

import pytest

from proxmox_offerings.proxmox.token import Token

SECRET = "8a1f0c52-5e5e-4d6e-9a55-0123456789ab"
ODD = 'Zq%7k"<&>\\mW+/=vT9xyz'


@pytest.mark.parametrize("secret", [SECRET, ODD])
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(json.dumps, id="as it is"),
        pytest.param(lambda text: json.dumps(f"before {text} after"), id="in a longer text"),
        pytest.param(lambda text: '"' + "".join(f"\\u{ord(one):04x}" for one in text) + '"', id="as escapes"),
        pytest.param(lambda text: '"' + "".join(f"\\u{ord(one):04X}" for one in text) + '"', id="in capitals"),
        pytest.param(lambda text: json.dumps(text)[:5] + json.dumps(text)[5:].replace("/", "\\/"), id="with slashes"),
        pytest.param(lambda text: json.dumps({text: 1}), id="as a key"),
    ],
)
def test_a_secret_that_comes_back_is_recognised(secret: str, write) -> None:  # type: ignore[no-untyped-def]
    token = Token(id="a@pve!bc", secret=secret)
    body = write(secret)
    assert token.is_repeated_in(f'{{"data": {body}}}'.encode())


def test_nothing_else_is_taken_for_it() -> None:
    token = Token(id="a@pve!bc", secret=SECRET)
    assert not token.is_repeated_in(json.dumps({"data": [SECRET[:-1], SECRET[1:], "\\u0000", "é/\\"]}).encode())


def test_a_secret_that_could_be_there_by_chance_is_not_looked_for() -> None:
    assert not Token(id="a@pve!bc", secret="node").is_repeated_in(b'{"data": "node"}')
