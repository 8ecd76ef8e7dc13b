"""What the waiters of Flux, Helm and Argo CD make of an object, by the rules of kstatus for kinds that it does not know (operator-practice 3.2)."""

from collections.abc import Mapping
from typing import Any


def kstatus(resource: Mapping[str, Any]) -> str:
    """Terminating, InProgress (wait on), Failed (give up) or Current (go on). The order of the rules decides."""
    metadata, status = resource["metadata"], resource.get("status") or {}
    holds = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    rules = (
        ("Terminating", "deletionTimestamp" in metadata),
        ("InProgress", status.get("observedGeneration", metadata["generation"]) != metadata["generation"]),
        ("InProgress", holds.get("Reconciling") == "True"),
        ("Failed", holds.get("Stalled") == "True"),
        ("InProgress", holds.get("Ready", "True") != "True"),
        ("Current", True),
    )
    return next(verdict for verdict, applies in rules if applies)
