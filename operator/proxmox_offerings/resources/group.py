"""The API group that both resources belong to."""

from typing import Final

GROUP: Final = "proxmox-offerings.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "proxmox-offerings.io/v1alpha1"
