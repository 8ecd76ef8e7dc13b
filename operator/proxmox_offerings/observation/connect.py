"""From a ProxmoxHost and its token to an observer of its cluster."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.observation.observer import Observer
from proxmox_offerings.proxmox.addresses import AddressPolicy
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.proxmox.transport import OnCall, Transport, transport_to
from proxmox_offerings.resources import ProxmoxHostSpec
from proxmox_offerings.resources.words import StorageAccounting


def wall_clock() -> datetime:
    return datetime.now(UTC)


def open_client(
    *, spec: ProxmoxHostSpec, token: Token, addresses: AddressPolicy | None = None, on_call: OnCall | None = None
) -> ProxmoxClient:
    """A client as the spec says. Raises InvalidHost where its TLS settings cannot be used; connects to nothing yet.

    Without `addresses` it connects to any, as whoever runs the command line could do anyway.
    """
    tls = TLSPolicy(
        ca_bundle=spec.tls.ca_bundle,
        fingerprints=spec.tls.fingerprints,
        insecure_skip_verify=spec.tls.insecure_skip_verify,
    )
    return ProxmoxClient(
        Transport(
            endpoints=spec.endpoints, token=token, tls=tls, transport_factory=transport_to(addresses), on_call=on_call
        )
    )


def open_observer(
    *,
    spec: ProxmoxHostSpec,
    token: Token,
    on_news: Callable[[], None],
    addresses: AddressPolicy | None = None,
    on_call: OnCall | None = None,
    clock: Callable[[], datetime] = wall_clock,
    monotonic: Callable[[], float] = time.monotonic,
    phase: float | None = None,
) -> Observer:
    """An observer as the spec says, to be closed with `aclose`. Raises InvalidHost; connects to nothing yet.

    `phase`: when in its rhythm the inventory is read, from 0 to 1; None: as phase_of says.
    """
    return Observer(
        client=open_client(spec=spec, token=token, addresses=addresses, on_call=on_call),
        inventory_interval=spec.inventory_interval_seconds,
        provisioned=spec.allocation.storage.accounting is StorageAccounting.PROVISIONED,
        clock=clock,
        monotonic=monotonic,
        on_news=on_news,
        phase=phase_of(spec.endpoints) if phase is None else phase,
    )


def phase_of(endpoints: Sequence[str]) -> float:
    """A number from 0 to 1 that is a cluster's own, and the same in every process."""
    return int.from_bytes(blake2b(" ".join(endpoints).encode(), digest_size=4).digest()) / 2**32


async def observe_once(
    *,
    spec: ProxmoxHostSpec,
    token: Token,
    on_progress: Callable[[str], None] = lambda _: None,
    clock: Callable[[], datetime] = wall_clock,
) -> Snapshot:
    """Everything that can be read, however long a node takes: for the command line. Raises ObservationError."""
    observer = Observer(
        client=open_client(spec=spec, token=token),
        inventory_interval=spec.inventory_interval_seconds,
        provisioned=spec.allocation.storage.accounting is StorageAccounting.PROVISIONED,
        clock=clock,
        monotonic=time.monotonic,
        on_news=lambda: None,
        grace=None,
        on_progress=on_progress,
    )
    try:
        return await observer.observe()
    finally:
        await observer.aclose()
