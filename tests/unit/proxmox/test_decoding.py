"""That reading the usual rows of /cluster/resources from the bytes never says anything else than reading the whole answer does."""

import json
import random
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxmox_offerings.proxmox.answers import GuestRow, Resources
from proxmox_offerings.proxmox.decoding import RESOURCES, data_of
from proxmox_offerings.proxmox.errors import CallFailed
from proxmox_offerings.proxmox.parse.resources import resources
from proxmox_offerings.proxmox.parse.values import Nonsense

ROWS: Final[dict[str, dict[str, Any]]] = {
    "qemu": {
        "vmid": 100,
        "node": "pve1",
        "status": "running",
        "name": "a",
        "template": 0,
        "maxcpu": 2,
        "maxmem": 2**30,
    },
    "lxc": {
        "vmid": 101,
        "node": "pve1",
        "status": "stopped",
        "name": "b",
        "maxcpu": 1.5,
        "maxmem": 2**29,
        "tags": "x;y",
    },
    "storage": {
        "storage": "local",
        "node": "pve1",
        "status": "available",
        "content": "iso,images",
        "shared": 0,
        "disk": 4,
    },
    "node": {"node": "pve1", "status": "online", "maxcpu": 8, "maxmem": 2**33, "uptime": 60, "host-arch": "x86_64"},
    "pool": {"pool": "customers"},
    "sdn": {"sdn": "zone", "node": "pve1"},
    "network": {"network": "zone", "node": "pve1"},
    "future": {"id": "x"},
}
FIELDS: Final = sorted({key for row in ROWS.values() for key in row} | {"type", "lock", "hastate", "plugintype", "cpu"})
ODD: Final = [
    *(None, True, False, 0, 1, 2, -1, 1.0, 1.5, -0.0, 1e300, 2**63 - 1, 2**63, 2**64, float(2**63)),
    *("", "0", "1", "1.5", "x", "qemu", "pool", "ü", [], {}, ["x"], {"vmid": 1}),
]


def told(body: bytes, *, path: str) -> Resources | str:
    """What is made of an answer: rows, or why there are none."""
    try:
        return resources(data_of(body, most=10_000, what="it", path=path))
    except (CallFailed, Nonsense) as problem:
        return str(problem)


def same(body: bytes) -> None:
    assert told(body, path=RESOURCES) == told(body, path=""), body


def body_of(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"data": rows}).encode()


USUAL: Final = [{"type": kind, **row} for kind, row in ROWS.items() if kind != "future"]


def test_usual_rows_are_read_from_the_bytes() -> None:
    """Else everything here would hold and nothing be gained."""
    read = data_of(body_of(*USUAL), most=10_000, what="it", path=RESOURCES)
    assert isinstance(read, list)
    assert not any(isinstance(row, dict) for row in read)
    same(body_of(*USUAL))


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("field", FIELDS)
def test_one_odd_value_means_the_same_either_way(kind: str, field: str) -> None:
    for value in ODD:
        same(body_of(*USUAL, {"type": kind, **ROWS[kind], "vmid": 7, field: value}))
        same(body_of({"type": kind, **ROWS[kind], field: value}))


@pytest.mark.parametrize("kind", ROWS)
def test_missing_value_means_the_same_either_way(kind: str) -> None:
    row = {"type": kind, **ROWS[kind]}
    for field in row:
        same(body_of({key: value for key, value in row.items() if key != field}))


@settings(max_examples=200)
@given(
    rows=st.lists(
        st.fixed_dictionaries({}, optional={field: st.sampled_from([*ODD, *ROWS, 100, "pve1"]) for field in FIELDS}),
        max_size=4,
    ),
    repeated=st.booleans(),
)
def test_any_rows_mean_the_same_either_way(rows: list[dict[str, Any]], repeated: bool) -> None:
    body = body_of(*USUAL, *rows)
    if repeated:  # the same member twice in one object
        body = body.replace(b'"vmid": 100', b'"vmid": 100, "type": "lxc", "vmid": 102, "node": "pve9"')
    same(body)


@pytest.mark.parametrize(
    "hidden",
    [
        *(b"NaN", b"Infinity", b"01", b"1.", b"tru", b"[1,]", b'{"a":1,}', b'"\n"', b'"\\q"', b'"\xff"', b'"\\ud800"'),
        *(b"-", b"-0", b"1e999", b"123456789012345678901234567890", b"[" * 100_000, b'"', b"", b"{}", b'{"\xff":1}'),
    ],
)
def test_what_is_not_kept_is_read_as_strictly(hidden: bytes) -> None:
    """An answer that is broken in a place which nobody looks at is broken."""
    inside = body_of(*USUAL).replace(b'"pool": "customers"', b'"pool": ' + hidden)
    beside = b'{"other": ' + hidden + b"," + body_of(*USUAL)[1:]
    same(inside)
    same(beside)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b'{"data":null}', b'{"data":{}}', b'{"data":[1]}', b"<html>"]
)
def test_what_is_no_list_of_rows_is_refused_either_way(body: bytes) -> None:
    same(body)


@settings(max_examples=100)
@given(seed=st.integers(), cuts=st.integers(min_value=1, max_value=3))
def test_broken_bytes_mean_the_same_either_way(seed: int, cuts: int) -> None:
    chance = random.Random(seed)
    body = bytearray(body_of(*USUAL))
    for _ in range(cuts):
        where = chance.randrange(len(body))
        if chance.random() < 0.5:
            body[where] = chance.randrange(256)
        else:
            del body[where : where + chance.randrange(1, 40)]
    same(bytes(body))


@pytest.mark.parametrize("path", ["/storage", RESOURCES])
def test_as_many_values_as_there_may_be_are_read_and_one_more_is_refused(path: str) -> None:
    most = 10_000
    body = b'{"data":[' + b"0," * (most - 2) + b"0" + b"]}"  # the object, the list and its rest
    assert len(cast("list[object]", data_of(body, most=most, what="it", path=path))) == most - 1
    with pytest.raises(CallFailed, match="more than 10000 values"):
        data_of(body.replace(b"0]", b"0,0]"), most=most, what="it", path=path)


def test_too_many_values_are_refused_before_they_are_read() -> None:
    assert told(body_of(*USUAL * 2000), path=RESOURCES) == "it with more than 10000 values"


def test_guests_that_did_not_change_are_kept_once_and_those_that_did_are_new() -> None:
    """What is kept of one turn must never hide what the next one tells."""
    one, other = ({"type": "qemu", **ROWS["qemu"], "vmid": vmid} for vmid in (100, 200))

    def read(*rows: dict[str, Any], before: Resources | None = None) -> Resources:
        return resources(data_of(body_of(*rows), most=10_000, what="it", path=RESOURCES), before=before)

    first = read(one, other)
    again = read({**other, "maxmem": 2**31, "cpu": 0.5}, {**one, "cpu": 0.7, "uptime": 5}, before=first)
    assert again.guests[0] is first.guests[0]
    assert (again.guests[1].maxmem, first.guests[1].maxmem) == (2**31, 2**30)
    assert read(one, before=again).guests == (first.guests[0],)
    moved = read({**one, "node": "pve2"}, before=again)
    assert moved.guests == (first_of(read({**one, "node": "pve2"})),)


def first_of(read: Resources) -> GuestRow:
    return read.guests[0]
