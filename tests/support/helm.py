"""Helm, as people call it, and the chart as they get it."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tools.helm import build

from support.controlplane import ROOT, Cluster

CHART = ROOT / "helm" / "proxmox-offerings"
VERSIONS = ("helm4", "helm3")

__all__ = ["CHART", "VERSIONS", "Helm", "build"]

Values = Mapping[str, Any]


class Helm:
    """One version of Helm, with a configuration of its own."""

    def __init__(self, version: str, home: Path, cluster: Cluster | None = None) -> None:
        """`cluster`: where it installs, as its administrator; rendering needs none."""
        self.version = version
        self._program = build.tools() / version
        self._environment = os.environ | {
            "HELM_CACHE_HOME": str(home / "cache"),
            "HELM_CONFIG_HOME": str(home / "config"),
            "HELM_DATA_HOME": str(home / "data"),
            "KUBECONFIG": str(cluster.kubeconfig) if cluster else "/dev/null",
        }

    def run(self, *arguments: str | Path, values: Values | None = None, check: bool = True) -> str:
        """What it prints. Raises CalledProcessError, which shows what Helm said, unless `check` is false: then that is in the result."""
        done = subprocess.run(
            [self._program, *arguments, *(() if values is None else ("--values", "-"))],
            env=self._environment,
            input=json.dumps(values or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            error.add_note(done.stderr.strip())
            raise error
        return done.stdout if check else done.stdout + done.stderr

    def template(
        self, values: Values | None = None, *, namespace: str = "shop", name: str = "po"
    ) -> list[dict[str, Any]]:
        """The objects that the chart makes of the values."""
        text = self.run("template", name, CHART, "--namespace", namespace, values=values or {})
        return [document for document in yaml.safe_load_all(text) if document]

    def refusal(self, values: Values) -> str:
        """What it says when it refuses the values."""
        said = self.run("template", "po", CHART, values=values, check=False)
        assert "kind: Deployment" not in said, "it was not refused"
        return said
