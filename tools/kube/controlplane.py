"""A real Kubernetes control plane on this machine, for a test run, a benchmark or the demo.

etcd, kube-apiserver and kube-controller-manager run in a directory of their own, on the loopback address, and throw their
data away. Promises:

- any number side by side: etcd is reached through a Unix socket, and the API server's port is kept for it from before it
  starts until `stop`, also while it is down;
- nothing is left: `stop` ends all and removes the directory; if the process that started them dies, they die too;
- as a real one: RBAC, a verified server certificate, the garbage collector and namespace deletion, CRDs that are
  established before anything else starts (the garbage collector would else notice them only half a minute later).

`python -m tools.kube.controlplane --crds crds` runs one until it is interrupted, and prints its kubeconfig.
"""

import argparse
import base64
import contextlib
import fcntl
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.children import Children
from tools.kube import build
from tools.kube.certificates import Authority, new_private_key

START_SECONDS = 90
PUT_OFF_SECONDS = 30
"""For as long as the API server says 429, as it does while it begins to serve a kind anew, it is asked again."""
KUBECTL_SECONDS = 60
CONTROLLERS = (
    "clusterrole-aggregation-controller,garbage-collector-controller,namespace-controller,serviceaccount-controller"
)
ETCD = "unix://etcd.sock:0"
ETCD_PEER = "unix://peer.sock:0"
ETCD_DATA = "etcd"
ETCD_BACKUP = "etcd-backup"
DESCRIPTION = "cluster.json"


class StartError(Exception):
    """The control plane did not come up. The message holds what its processes last said."""


class ApiError(Exception):
    """The API server refused a request.

    Attributes:
        status: the HTTP status code.
    """

    def __init__(self, status: int, message: str) -> None:
        """`message` is the server's own."""
        super().__init__(f"{status}: {message}")
        self.status = status


class Cluster:
    """A running control plane, as those see it who use it.

    Attributes:
        directory: kubeconfigs, certificates and logs (`<directory>/kube-apiserver.log`).
        kubeconfig: for the administrator (group system:masters); verifies the server.
        server: the URL of the API server.
        kubectl: the program of the same version.
        admin_token: the administrator's bearer token.
        controllers: whether the garbage collector, namespace deletion and default service accounts are there.
    """

    def __init__(self, *, directory: Path, server: str, kubectl: Path, admin_token: str, controllers: bool) -> None:
        """Know a control plane; nothing is contacted."""
        self.directory = directory
        self.kubeconfig = directory / "kubeconfig"
        self.server = server
        self.kubectl = kubectl
        self.admin_token = admin_token
        self.controllers = controllers

    @classmethod
    def at(cls, directory: Path) -> "Cluster":
        """The one that another process started in `directory`. Raises FileNotFoundError until it is ready."""
        known = json.loads((directory / DESCRIPTION).read_text(encoding="utf-8"))
        return Cluster(
            directory=directory,
            server=known["server"],
            kubectl=Path(known["kubectl"]),
            admin_token=known["admin_token"],
            controllers=known["controllers"],
        )

    def kubectl_run(
        self,
        *arguments: str | Path,
        input: str | None = None,  # noqa: A002 (as subprocess.run calls it)
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator.

        Raises subprocess.CalledProcessError, which shows what kubectl said, unless `check` is false.
        """
        environment = os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.directory / "kubectl-cache"),
            "KUBERC": "off",
        }
        done = subprocess.run(
            [self.kubectl, *arguments],
            env=environment,
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            check=False,
            timeout=KUBECTL_SECONDS,
        )
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            error.add_note(done.stderr.strip())
            raise error
        return done

    def api(self, method: str, path: str, body: object = None, *, content_type: str = "application/json") -> Any:
        """One request as the administrator: the JSON answer, or the text where it is not JSON.

        Raises ApiError for an answer of 400 or above, OSError if the server is not reached.
        """
        request = urllib.request.Request(
            f"{self.server}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.admin_token}", "Content-Type": content_type},
        )
        context = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        deadline = time.monotonic() + PUT_OFF_SECONDS
        while True:
            try:
                with opener.open(request, timeout=30) as answer:
                    content = answer.read()
                    json_answer = answer.headers.get_content_type() == "application/json"
            except urllib.error.HTTPError as refusal:
                with refusal:
                    message = refusal.read().decode(errors="replace")
                if refusal.code != 429 or time.monotonic() > deadline:
                    raise ApiError(refusal.code, message) from None
                time.sleep(0.2)
            else:
                return json.loads(content) if json_answer else content.decode()

    def user_kubeconfig(self, name: str, groups: tuple[str, ...] = ()) -> Path:
        """A kubeconfig for another user, who may do nothing but what RBAC grants to `name` and `groups`.

        `name` has at most 64 characters. The user authenticates by a client certificate.
        """
        pair = Authority(self.directory).client(name, groups)
        path = self.directory / f"user-{secrets.token_hex(4)}.kubeconfig"
        credentials = {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}
        self._write_kubeconfig(path, name, credentials)
        return path

    def _write_kubeconfig(self, path: Path, user: str, credentials: dict[str, str]) -> None:
        """Written as JSON, which every reader of kubeconfigs takes for the YAML that it is."""
        authority = _base64((self.directory / "ca.crt").read_bytes())
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {"name": "test", "cluster": {"server": self.server, "certificate-authority-data": authority}},
            ],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": "default"}}],
        }
        _write_private(path, json.dumps(content, indent=2))


class ControlPlane(Cluster):
    """A control plane that this process runs: `with ControlPlane(crds=…) as plane`, or `start` and `stop`, once.

    Where `KUBEBUILDER_ASSETS` has no kube-controller-manager it runs without, and `controllers` is false.
    """

    def __init__(
        self,
        *,
        crds: Path | None = None,
        directory: Path | None = None,
        audit: Path | None = None,
        log: build.Log | None = None,
    ) -> None:
        """Take a directory and a port; build the binaries if they are not there yet.

        Args:
            crds: a folder of CustomResourceDefinitions to establish at start.
            directory: to be made and used instead of a temporary one; removed by `stop`.
            audit: an audit policy; what it asks for is written to `audit_log`.
            log: is told how far a build is; standard error if None.

        Raises build.BuildError.
        """
        self._binaries = build.tools(log or build.to_stderr)
        self._crds = crds
        self._audit = audit
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="proxmox-offerings-kube-"))
        else:
            directory.mkdir(mode=0o700, parents=True)
        self._port = _keep_a_port()
        super().__init__(
            directory=directory,
            server=f"https://127.0.0.1:{self._port.getsockname()[1]}",
            kubectl=self._binaries / "kubectl",
            admin_token=secrets.token_urlsafe(24),
            controllers=os.access(self._binaries / "kube-controller-manager", os.X_OK),
        )
        self._children = Children(directory)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start and wait until all of it can be used. If that fails or is interrupted, nothing is left running.

        Raises StartError.
        """
        try:
            self._write_credentials()
            self._start_etcd()
            self.start_apiserver()
            if self._crds is not None:
                self.establish(self._crds)
            if self.controllers:
                self._spawn(
                    "kube-controller-manager",
                    f"--kubeconfig={self.kubeconfig}",
                    f"--controllers={CONTROLLERS}",
                    "--leader-elect=false",
                    "--secure-port=0",
                    "--v=0",
                )
            self._describe()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything at once and remove the directory. May be called again."""
        # Killed rather than asked: nothing of theirs is kept, and an API server takes a minute to say good-bye to watchers.
        self._children.end_all()
        self._port.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def audit_log(self) -> Path:
        """A line of JSON for each audited request, written before it is answered."""
        return self.directory / "audit.log"

    def stop_apiserver(self) -> None:
        """An outage: the API server is killed, as in a crash, and connections are refused. Data and port are kept."""
        self._children.end("kube-apiserver")

    def start_apiserver(self) -> None:
        """Start the API server, also after an outage, and wait until it is ready.

        Raises StartError.
        """
        self._spawn(
            "kube-apiserver",
            f"--etcd-servers={ETCD}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port.getsockname()[1]}",
            "--permit-port-sharing",
            "--tls-cert-file=server.crt",
            "--tls-private-key-file=server.key",
            "--client-ca-file=ca.crt",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=service-accounts.key",
            "--service-account-signing-key-file=service-accounts.key",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            "--profiling=false",
            "--v=0",
            *self._audit_flags(),
        )
        self._wait("the API server to be ready", lambda: self.api("GET", "/readyz"))
        self._wait("the default namespace", lambda: self.api("GET", "/api/v1/namespaces/default"))

    def _audit_flags(self) -> tuple[str, ...]:
        if self._audit is None:
            return ()
        return (f"--audit-policy-file={self._audit.resolve()}", f"--audit-log-path={self.audit_log}")

    def establish(self, crds: Path) -> None:
        """Apply CustomResourceDefinitions, and wait until their kinds are served. Raises StartError.

        `kubectl wait --for=condition=Established` ends with an accessor error where it comes before the first condition.
        """
        done = self.kubectl_run("apply", "--server-side", "--output=name", "-f", crds, check=False)
        if done.returncode:
            raise StartError(f"the CustomResourceDefinitions of {crds} were not accepted:\n{done.stderr.strip()}")
        for definition in done.stdout.split():
            plural, _, group = definition.rpartition("/")[2].partition(".")
            self._wait(f"{plural} to be served", functools.partial(self._list, group, plural))

    def _list(self, group: str, plural: str) -> None:
        version = self.api("GET", f"/apis/{group}")["preferredVersion"]["version"]
        self.api("GET", f"/apis/{group}/{version}/{plural}?limit=1")

    def back_up(self) -> None:
        """A backup of etcd, in the place of the one before. The API server is down then, as after `stop_apiserver`."""
        self._exchange_etcd(ETCD_DATA, ETCD_BACKUP)

    def restore(self) -> None:
        """An administrator restores the backup: all that was written since is lost, and versions go back. The API server is down then."""
        self._exchange_etcd(ETCD_BACKUP, ETCD_DATA)

    def replace_authority(self) -> None:
        """Another authority, and certificates of it. The API server shows them when it is started the next time."""
        for name in ("ca.crt", "ca.key"):
            (self.directory / name).unlink()
        self._write_certificates()
        self._write_kubeconfig(self.kubeconfig, "admin", {"token": self.admin_token})

    def _exchange_etcd(self, source: str, target: str) -> None:
        self.stop_apiserver()
        self._children.end("etcd")
        shutil.rmtree(self.directory / target, ignore_errors=True)
        shutil.copytree(self.directory / source, self.directory / target)
        self._start_etcd()

    def _start_etcd(self) -> None:
        self._spawn(
            "etcd",
            "--name=test",
            f"--data-dir={ETCD_DATA}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            f"--listen-peer-urls={ETCD_PEER}",
            f"--initial-advertise-peer-urls={ETCD_PEER}",
            f"--initial-cluster=test={ETCD_PEER}",
            "--log-level=warn",
        )

    def _write_credentials(self) -> None:
        self._write_certificates()
        _write_private(self.directory / "service-accounts.key", new_private_key().decode())
        _write_private(self.directory / "tokens.csv", f'{self.admin_token},admin,admin,"system:masters"\n')
        self._write_kubeconfig(self.kubeconfig, "admin", {"token": self.admin_token})

    def _write_certificates(self) -> None:
        server = Authority(self.directory).server()
        _write_private(self.directory / "server.crt", server.certificate.decode())
        _write_private(self.directory / "server.key", server.key.decode())

    def _spawn(self, name: str, *arguments: str) -> None:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory)}
        self._children.start(name, [self._binaries / name, *arguments], cwd=self.directory, env=environment)

    def _wait(self, what: str, attempt: Callable[[], object]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                attempt()
            except (OSError, ApiError) as problem:
                if ended := self._children.ended():
                    raise StartError(
                        f"{ended[0]} ended while starting:\n{self._children.last_words(ended[0])}"
                    ) from problem
                if time.monotonic() > deadline:
                    words = self._children.last_words("kube-apiserver")
                    raise StartError(f"waited {START_SECONDS} s in vain for {what} ({problem}):\n{words}") from problem
            else:
                return
            time.sleep(0.05)

    def _describe(self) -> None:
        """For `Cluster.at`: the file appears, whole, when everything is ready."""
        known = {
            "server": self.server,
            "kubectl": str(self.kubectl),
            "admin_token": self.admin_token,
            "controllers": self.controllers,
        }
        partial = self.directory / f"{DESCRIPTION}.partial"
        _write_private(partial, json.dumps(known))
        partial.rename(self.directory / DESCRIPTION)


def _keep_a_port() -> socket.socket:
    """A free port that nobody else gets while the socket is open: it is bound, but does not listen.

    kube-apiserver cannot choose a port itself. It binds the same one, which both sides allow (SO_REUSEPORT).
    """
    keeper = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind(("127.0.0.1", 0))
    return keeper


def _write_private(path: Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def main(arguments: list[str] | None = None) -> int:
    """Run a control plane until SIGINT, SIGTERM, or the end of its users."""
    parser = argparse.ArgumentParser(prog="python -m tools.kube.controlplane", description=__doc__.splitlines()[0])
    parser.add_argument("--crds", type=Path, help="establish the CustomResourceDefinitions of this folder")
    parser.add_argument("--directory", type=Path, help="make and use this directory instead of a temporary one")
    parser.add_argument(
        "--while-locked", type=Path, metavar="FILE", help="end by itself when nobody holds a shared lock on FILE"
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with contextlib.ExitStack() as held:
            users = held.enter_context(options.while_locked.open("rb")) if options.while_locked else None
            plane = held.enter_context(ControlPlane(crds=options.crds, directory=options.directory))
            print(f"export KUBECONFIG={plane.kubeconfig}", flush=True)
            if users is None:
                signal.pause()
            else:
                # Had when its last user let go or died; held until all is stopped, so that nobody joins in between.
                fcntl.flock(users, fcntl.LOCK_EX)
    except (StartError, build.BuildError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
