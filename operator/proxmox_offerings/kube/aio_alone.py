"""Of the official client, kubernetes.aio alone: a fifth of what the operator imports is the rest of it.

The package `kubernetes` imports its synchronous client, with requests, oauthlib, websocket and more, before `kubernetes.aio` can be imported;
kopf imports it too, to recognise its objects, and does without where it is not installed. None of it is ever used here: 10 MiB, and a tenth of the
start.
"""

import importlib.util
import sys
from types import ModuleType

PACKAGE = "kubernetes"
UNUSED = f"{PACKAGE}.client"


def leave_out_the_rest() -> None:
    """From now on `kubernetes` is a package without contents of its own. Does nothing where it was imported already, or is not as we know it."""
    if PACKAGE in sys.modules:
        return
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.submodule_search_locations is None:
        return
    package = ModuleType(PACKAGE)
    package.__spec__ = found
    package.__path__ = list(found.submodule_search_locations)
    sys.modules[PACKAGE] = package
    sys.modules[UNUSED] = None  # type: ignore[assignment]  # how Python is told that an import fails
