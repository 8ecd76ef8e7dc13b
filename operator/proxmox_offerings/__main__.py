"""`python -m proxmox_offerings`: the same as the console script."""

from proxmox_offerings.cli.main import main

main()
