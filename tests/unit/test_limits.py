"""The page of limits says what the code holds."""

import re

from proxmox_offerings.catalogue import bounds as status
from proxmox_offerings.catalogue import observed
from proxmox_offerings.controller import announcer, logging, pace, queue, ring
from proxmox_offerings.controller.config import Settings
from proxmox_offerings.kube import client
from proxmox_offerings.proxmox.parse.resources import MOST_GUESTS, MOST_NODES, MOST_STORAGES
from proxmox_offerings.proxmox.room import BYTES_AT_ONCE, BYTES_OF_ONE
from proxmox_offerings.proxmox.transport import Bounds
from support.controlplane import ROOT

MIB = 2**20
PAGE = (ROOT / "docs" / "reference" / "limits.md").read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_code() -> None:
    bounds = Bounds()
    for said in (
        f"| {bounds.body_bytes // MIB} MiB: ",
        f"more than {bounds.body_bytes} bytes",
        f"| {bounds.values:,} |",
        f"more than {bounds.values} values",
        f"| {BYTES_AT_ONCE // MIB} MiB of all clusters, {BYTES_OF_ONE // MIB} MiB of one",
        f"| {bounds.calls_per_node} for each node, {bounds.node_calls} for all nodes",
        f"| {bounds.call_seconds:g} s over all endpoints, {bounds.node_call_seconds:g} s where",
        f"`--concurrency`, {Settings().concurrency} (1 to 1,000)",
        f"take longer than {queue.PATIENCE:g} s to be read | do not count, up to {queue.SLOW_FOR_EACH_PLACE} times as many",
        f"share the work | {ring.MOST_MEMBERS} |",
        f"requests in flight | {client.IN_FLIGHT} |",
        f"not longer than {client.TIMEOUT.total:g} s",
        f"{announcer.MOST_WAITING:,} wait",
        f"| {MOST_NODES:,}; {MOST_GUESTS:,}; {MOST_STORAGES:,} rows",
        f"nodes of all operating systems | {status.MOST_NAMES:,} |",
        f"in a status | {status.MOST_STORAGES}; {status.MOST_SYSTEMS}; {status.MOST_PROFILES:,} |",
        f"missing privileges in the status | {observed.MOST_MISSING} |",
        f"has at most {logging.LONGEST_LINE:,} characters for each value, a traceback {logging.MOST_LINES} lines",
    ):
        assert said in PAGE, said
    assert (pace.LONGEST_DELAY, announcer.SECONDS_APART, announcer.BURST, announcer.REFILL_SECONDS) == (60, 0.1, 10, 60)


def test_what_the_page_names_is_there() -> None:
    for name in set(re.findall(r"`(tests/[a-z/_.]+)`", PAGE)):
        assert (ROOT / name).exists(), name
    for name in set(re.findall(r"`((?:proxmox|kube|controller|catalogue|resources)/[a-z_]+\.py)`", PAGE)):
        assert (ROOT / "operator" / "proxmox_offerings" / name).exists(), name
