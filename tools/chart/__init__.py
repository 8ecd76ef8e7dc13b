"""The chart in helm/proxmox-offerings: what is generated for it, and from it."""
