"""What the operator imports is what it uses: memory of every replica, and time of every start."""

import subprocess
import sys

LEFT_OUT = """
import sys
from proxmox_offerings.kube.aio_alone import leave_out_the_rest
leave_out_the_rest()
import proxmox_offerings.controller.operator
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
unused = {"requests", "oauthlib", "websocket"} & set(sys.modules)
assert not unused, unused
"""
TOO_LATE = """
import kubernetes.client
from proxmox_offerings.kube.aio_alone import leave_out_the_rest
leave_out_the_rest()
import kubernetes.client
from kubernetes.client import CoreV1Api
"""


def run(code: str) -> None:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_the_operator_starts_without_the_synchronous_client() -> None:
    """kopf and kubernetes.aio work as if it were not installed."""
    run(LEFT_OUT)


def test_what_somebody_imported_already_stays() -> None:
    run(TOO_LATE)
