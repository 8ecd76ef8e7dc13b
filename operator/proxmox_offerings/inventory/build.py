"""From what was read to what is known: the one way into a Snapshot."""

from proxmox_offerings.inventory.gathered import Configs, Fast, Remembered, Slow, WantedConfig
from proxmox_offerings.inventory.snapshot import Snapshot


def configs_wanted(*, fast: Fast, slow: Slow, provisioned: bool) -> tuple[WantedConfig, ...]:
    """The guest configurations that counting needs now: few, and none on a cluster without GPUs and unlimited containers.

    `provisioned`: storage is accounted by configured sizes, which takes the configuration of every guest.
    """
    raise NotImplementedError


def remember(*, fast: Fast, slow: Slow, remembered: Remembered) -> Remembered:
    """What the next turn must still know after this one."""
    raise NotImplementedError


def snapshot_of(*, fast: Fast, slow: Slow, configs: Configs, remembered: Remembered) -> Snapshot:
    """The cluster as seen.

    Raises NotQuorate, PrivilegesMissing or UncountableGuests where what was read must not be believed or is not enough to count.
    """
    raise NotImplementedError
