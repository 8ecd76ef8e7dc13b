"""What GitOps tools make of an object, by the health checks that we ship: Argo CD's Lua and Flux' CEL, run as these tools run them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import celpy
import yaml
from lupa import lua51

from support.controlplane import ROOT

GITOPS = ROOT / "manifests" / "gitops"
NOT_IN_ARGO = ("string", "math", "io", "debug", "coroutine")
"""Argo CD opens no other libraries than base, table, package and a part of os (util/lua/lua.go, runLua)."""


def argo_health(body: Mapping[str, Any]) -> tuple[str, str]:
    """Health and message that Argo CD shows."""
    scripts = yaml.safe_load((GITOPS / "argocd-cm-health.yaml").read_text(encoding="utf-8"))["data"]
    group = body["apiVersion"].partition("/")[0]
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    lua.execute('getmetatable("").__index = nil')
    for library in NOT_IN_ARGO:
        lua.globals()[library] = None
    lua.globals().obj = lua.table_from(body, recursive=True)
    found = dict(lua.execute(scripts[f"resource.customizations.health.{group}_{body['kind']}"]))
    assert found.keys() == {"status", "message"}
    assert found["status"] in ("Healthy", "Progressing", "Degraded", "Suspended")
    return found["status"], found["message"]


def flux_status(body: Mapping[str, Any]) -> str:
    """What Flux waits by: InProgress, Failed or Current, and Unknown where an expression fails, which it waits on too.

    The order is that of RFC 0009 (fluxcd/pkg, runtime/cel/status_evaluator.go). Without a status, has(status.conditions) is an error in cel-go, which
    Flux uses, and false in cel-python (both seen).
    """
    if "status" not in body:
        return "Unknown"
    observed = body["status"].get("observedGeneration")
    if observed is not None and observed != body["metadata"]["generation"]:
        return "InProgress"
    expressions = _flux_expressions()[body["apiVersion"], body["kind"]]
    fields = celpy.json_to_cel(body)
    for key, status in (("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")):
        if key in expressions:
            try:
                result = expressions[key].evaluate(fields)
            except celpy.CELEvalError:
                return "Unknown"
            if result:
                return status
    return "InProgress"


@cache
def _flux_expressions() -> dict[tuple[str, str], dict[str, Any]]:
    environment = celpy.Environment()
    kustomization = yaml.safe_load((GITOPS / "flux-healthchecks.yaml").read_text(encoding="utf-8"))
    return {
        (check["apiVersion"], check["kind"]): {
            key: environment.program(environment.compile(text))
            for key, text in check.items()
            if key not in ("apiVersion", "kind")
        }
        for check in kustomization["spec"]["healthCheckExprs"]
    }
