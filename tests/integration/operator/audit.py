"""What became of our objects: each creation and deletion, and the state in the end without what differs between any two runs."""

import json
import ssl
import threading
import urllib.request
from collections import Counter
from datetime import datetime
from typing import Any, Self

from integration.operator.harness import Kube, eventually

KINDS = ("proxmoxhosts", "offerings")
TIMES = {"creationTimestamp", "lastTransitionTime", "time", "observedAt", "lastRefreshTime", "nextRefreshTime"}


class Audit:
    """Watches our objects in one namespace, apart from any operator. Use as a context manager."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._group = f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{kube.namespace}"
        self._there: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._streams: list[Any] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for plural in KINDS:
            # kubectl is patient where the API server has only just learnt the kind, and says 429.
            listed = json.loads(self._kube.cluster.kubectl_run("get", "--raw", f"{self._group}/{plural}").stdout)
            version = listed["metadata"]["resourceVersion"]
            self._there |= {
                f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
                for one in listed["items"]
            }
            stream = self._open(f"{self._group}/{plural}?watch=1&resourceVersion={version}&timeoutSeconds=600")
            self._streams.append(stream)
            self._threads.append(threading.Thread(target=self._follow, args=(stream,), name=f"audit of {plural}"))
            self._threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams:
            # Closing alone would wait for the reader, which waits for the next event.
            stream.fp.raw._sock.shutdown(2)
        for thread in self._threads:
            thread.join()
        for stream in self._streams:
            stream.close()

    def counts(self) -> dict[str, int]:
        """How often each object was created and deleted until now."""
        eventually(lambda: self._there == self._listed())
        return dict(self._counts)

    def state(self) -> dict[str, Any]:
        """Each object as it is, without what differs between any two runs: uid, resourceVersion, times, and the name of the namespace."""
        objects = self._objects()
        text = json.dumps(objects).replace(self._kube.namespace, "<namespace>")
        for one in objects:
            text = text.replace(one["metadata"]["uid"], f"<uid of {one['kind']}>")
        return {f"{one['kind']}/{one['metadata']['name']}": _comparable(one) for one in json.loads(text)}

    def _objects(self) -> list[dict[str, Any]]:
        return [
            {"kind": plural, **one}
            for plural in KINDS
            for one in self._kube.cluster.api("GET", f"{self._group}/{plural}")["items"]
        ]

    def _listed(self) -> dict[str, str]:
        return {
            f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in self._objects()
        }

    def _open(self, path: str) -> Any:
        cluster = self._kube.cluster
        request = urllib.request.Request(
            f"{cluster.server}{path}", headers={"Authorization": f"Bearer {cluster.admin_token}"}
        )
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(cluster.directory / "ca.crt")))
        return urllib.request.build_opener(urllib.request.ProxyHandler({}), tls).open(request, timeout=600)

    def _follow(self, stream: Any) -> None:
        for line in stream:
            event = json.loads(line)
            one = event["object"]
            key = f"{one['kind']}/{one['metadata']['name']}"
            if event["type"] in ("ADDED", "DELETED"):
                self._counts[f"{event['type']} {key}"] += 1
            if event["type"] == "DELETED":
                del self._there[key]
            else:
                self._there[key] = one["metadata"]["resourceVersion"]


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(part) for part in value]
    if not isinstance(value, dict):
        return value
    of_the_moment = TIMES | {"resourceVersion", "validUntil", "hostGeneration", "f:hostGeneration"}
    parts = {key: _comparable(part) for key, part in value.items() if key not in of_the_moment}
    if "managedFields" in parts:
        # The API server sorts them by time.
        parts["managedFields"] = sorted(parts["managedFields"], key=json.dumps)
    if "validUntil" in value:
        parts["valid for"] = str(
            datetime.fromisoformat(value["validUntil"]) - datetime.fromisoformat(value["observedAt"])
        )
    return parts


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Where two values differ, one line each."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            line
            for key in sorted(one.keys() | other.keys())
            for line in differences(one.get(key), other.get(key), f"{at}.{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            line
            for place, (a, b) in enumerate(zip(one, other, strict=True))
            for line in differences(a, b, f"{at}[{place}]")
        ]
    return [] if one == other else [f"{at}: {one!r} / {other!r}"]
