"""The settings of `proxmox-offerings run`, with their defaults in one place. Cheap to import: the command line reads it before anything runs."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal

Network = IPv4Network | IPv6Network

LONGEST_LABEL: Final = 63

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the operator runs. The command line has a flag and an environment variable of each name."""

    kubeconfig: str | None = None
    """File that says how to reach the API server. None: the environment's KUBECONFIG, else the pod's account, else ~/.kube/config."""
    namespaces: tuple[str, ...] = ()
    """The namespaces to serve, each with a watch of its own. Empty: all namespaces."""
    allow_endpoint_ranges: tuple[Network, ...] = ()
    """Addresses that the operator may connect to although it does not by itself. Of the ranges that hold an address the narrowest decides."""
    deny_endpoint_ranges: tuple[Network, ...] = ()
    """Addresses that the operator does not connect to. 0.0.0.0/0 and ::/0 leave only what is allowed."""
    concurrency: int = 32
    """ProxmoxHosts that are looked at at the same time. One that takes longer than 5 s gives its place to another."""
    health_address: str = "0.0.0.0"  # noqa: S104 - probes and scrapes come from outside the pod
    """Where /healthz, /readyz and /metrics are served."""
    health_port: int | None = 8080
    """Port of the same; 0: any free one, told in the log. None: not served."""
    catalogue_address: str = "0.0.0.0"  # noqa: S104 - visitors come from outside the pod
    """Where the catalogue page is served."""
    catalogue_port: int | None = None
    """Port of the same; 0: any free one, told in the log. None: not served."""
    catalogue_title: str = "Catalogue"
    """What it is called on its pages, and the seller in exports."""
    catalogue_website: str | None = None
    """The seller's website, for its pages and exports."""
    catalogue_support_email: str | None = None
    """Where customers write to."""
    catalogue_namespaces: tuple[str, ...] = ()
    """The namespaces that it shows. Empty: all that are served."""
    catalogue_details: bool = False
    """Whether it also shows names of nodes and storages, how full they are, and what is wrong with clusters: for the seller's own people."""
    leader_elect: bool | None = None
    """Whether only one of several processes works, the others standing by. None: in a pod, or where `leader_elect_namespace` is given."""
    leader_elect_namespace: str | None = None
    """Namespace of the Lease by which one is elected. None: the pod's own."""
    leader_elect_name: str = "proxmox-offerings"
    """Name of the Lease. Operators that serve different namespaces need different ones."""
    share_work: bool = False
    """Whether several processes divide the ProxmoxHosts among themselves, instead of one working and the others standing by."""
    leader_elect_lease_duration: int = 15
    """Seconds after the last sign of the leader until another one takes over."""
    leader_elect_renew_deadline: float = 10.0
    """Seconds after the last successful renewal until the leader stops; less than the lease duration."""
    leader_elect_retry_period: float = 2.0
    """Seconds between renewals; less than half of the deadline, so that one may fail."""
    log_format: LogFormat = "auto"
    """`json` for machines, `console` for people; `auto`: people if standard error is a terminal."""
    log_level: LogLevel = "info"
    """The least severe lines that are shown."""

    def check(self) -> None:
        """Raises ValueError, with what to do, if these do not go together."""
        if self.share_work and self.leader_elect is False:
            raise ValueError("--share-work needs Leases, which --no-leader-elect does without: leave one of them out")
        if self.share_work and len(self.leader_elect_name) > LONGEST_LABEL:
            raise ValueError(f"with --share-work, --leader-elect-name is a label: at most {LONGEST_LABEL} characters")
        durations = (self.leader_elect_lease_duration, self.leader_elect_renew_deadline, self.leader_elect_retry_period)
        if not durations[0] > durations[1] >= 2 * durations[2] > 0:
            raise ValueError(
                "the lease duration must be longer than the renew deadline, and that at least twice the retry period; "
                f"these are {durations[0]} s, {durations[1]:g} s and {durations[2]:g} s"
            )
