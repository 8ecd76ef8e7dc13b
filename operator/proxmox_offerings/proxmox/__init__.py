"""The Proxmox VE API, read only: one module that speaks HTTP, typed answers, and the errors that users read."""
