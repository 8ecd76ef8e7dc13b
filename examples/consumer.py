#!/usr/bin/env python3
"""Lists what may be sold now. It needs the package `kubernetes`, and get and list on Offerings:

    examples/consumer.py -n shop

The rule: sell only if status.stock is InStock or LowStock, and now is before status.validUntil.
"""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kubernetes import client, config

GROUP, VERSION, PLURAL = "proxmox-offerings.io", "v1alpha1", "offerings"


def sellable(offering: Mapping[str, Any], now: datetime) -> int:
    """How many units may be sold at this moment: 0 if none may, for whatever reason.

    What is missing or not understood is never a reason to sell.
    """
    status = offering.get("status") or {}
    if status.get("stock") not in ("InStock", "LowStock"):
        return 0
    try:
        valid_until = datetime.fromisoformat(status["validUntil"])
    except (KeyError, ValueError):
        return 0
    return int(status.get("available", 0)) if now < valid_until else 0


def main() -> None:
    """Print name and units of each Offering that may be sold."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("-n", "--namespace", default="default")
    chosen = arguments.parse_args()
    config.load_config()  # KUBECONFIG, ~/.kube/config, or the account of the Pod
    listed = client.CustomObjectsApi().list_namespaced_custom_object(
        GROUP,
        VERSION,
        chosen.namespace,
        PLURAL,
        # The API server leaves out what is not for sale; the clock is ours to look at.
        field_selector="status.stock!=OutOfStock,status.stock!=Unknown",
        _request_timeout=30,
    )
    now = datetime.now(UTC)
    for offering in listed["items"]:
        units = sellable(offering, now)
        if units:
            print(offering["metadata"]["name"], units)


if __name__ == "__main__":
    main()
