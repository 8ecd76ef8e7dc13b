"""Turns Proxmox VE capacity into Offering custom resources, and never claims stock that is not known to exist."""

__version__ = "0.1.0"
