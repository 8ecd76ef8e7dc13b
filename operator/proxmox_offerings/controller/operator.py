"""The operator as a process: puts the parts together, starts them in order, and ends them in the opposite one.

Order: credentials, health, the first full list, the watches and, in the one process that is elected, the workers. The others stand by: they know all
that exists, and neither read Proxmox nor write. Where processes share the work, each works on its share. On SIGTERM the watches end first, then the
work in hand is abandoned where it stands (every reconcile may be), then the Lease is given back, then connections are closed.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import kopf
import structlog

from proxmox_offerings import __version__
from proxmox_offerings.catalogue.plan import plan, unobserved
from proxmox_offerings.controller import host_status, logging, watch
from proxmox_offerings.controller.acting import acting_for
from proxmox_offerings.controller.announcer import Announcer
from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.candidates import candidate_of
from proxmox_offerings.controller.config import Settings
from proxmox_offerings.controller.contact import Contact
from proxmox_offerings.controller.figures import Figures
from proxmox_offerings.controller.health import HealthServer
from proxmox_offerings.controller.leader import Elector, own_identity
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.members import NOTHING, Member
from proxmox_offerings.controller.metrics import Metrics, QueueMetrics
from proxmox_offerings.controller.pace import Pace
from proxmox_offerings.controller.planning import MakePlan
from proxmox_offerings.controller.publish import Publisher
from proxmox_offerings.controller.queue import Requeue, WorkQueue
from proxmox_offerings.controller.reconcile import Reconciler, Unobserved
from proxmox_offerings.controller.resync import Resync, WentBack
from proxmox_offerings.controller.ring import ALL, Share, bucket_of
from proxmox_offerings.controller.session import OpenObserver, Session
from proxmox_offerings.controller.streams import Patience, Streams
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.errors import KubeError
from proxmox_offerings.kube.events import Events
from proxmox_offerings.kube.hosts import Hosts
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.kube.offerings import Offerings
from proxmox_offerings.kube.secrets import Secrets
from proxmox_offerings.observation.connect import open_observer
from proxmox_offerings.proxmox.addresses import AddressPolicy

if TYPE_CHECKING:
    from proxmox_offerings.web.server import CatalogueServer

log = structlog.get_logger(__name__)

DEFAULT_PATIENCE = Patience()


async def run(settings: Settings, *, stop: asyncio.Event | None = None) -> int:
    """Run the operator until SIGTERM, SIGINT or `stop`; returns the exit code: 0 after such an end, 1 if it cannot run."""
    logging.configure(log_format=settings.log_format, log_level=settings.log_level)
    metrics = Metrics()
    try:
        candidate = await candidate_of(settings, metrics)
        client = await KubeClient.connect(
            kubeconfig=settings.kubeconfig,
            counted=metrics.kube_call,
            guard=candidate.require if candidate is not None else lambda: None,
        )
    except KubeError as problem:
        log.error("no access to the API server", problem=str(problem))  # noqa: TRY400 - the sentence says it all
        return 1
    except ValueError as problem:
        log.error("settings do not go together", problem=str(problem))  # noqa: TRY400 - the sentence says it all
        return 1
    addresses = AddressPolicy(allow=settings.allow_endpoint_ranges, deny=settings.deny_endpoint_ranges)
    operator = Operator(
        settings,
        client=client,
        candidate=candidate,
        metrics=metrics,
        open_observer=functools.partial(open_observer, addresses=addresses, on_call=metrics.api_call),
        make_plan=plan,
        unobserved=unobserved,
    )
    return await operator.run(stop)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class Operator:
    """All parts, put together. Without `candidate` it always works on all hosts. `client` and `candidate` are closed at the end."""

    def __init__(
        self,
        settings: Settings,
        *,
        client: KubeClient,
        metrics: Metrics,
        open_observer: OpenObserver,
        make_plan: MakePlan,
        unobserved: Unobserved,
        candidate: Elector | Member | None = None,
        now: Callable[[], datetime] = utc_now,
        patience: Patience = DEFAULT_PATIENCE,
        pace: Pace[Ref] | None = None,
    ) -> None:
        self._settings = settings
        self._client = client
        self._candidate = candidate
        self._taking_part: asyncio.Task[None] | None = None
        self._share = NOTHING
        self._metrics = metrics
        self._open_observer = open_observer
        self._secrets = Secrets(client)
        self._listed = False
        self._resyncing: asyncio.Task[None] | None = None
        self._end = asyncio.Event()
        self._broken = False
        self._patience = patience
        self._contact = Contact()
        metrics.watch_contact(lambda: self.lost_seconds)
        namespaces = settings.namespaces or (None,)
        self._live = live = LiveObjects(acts_on=lambda host: bucket_of(host) in self._share)
        hosts, offerings = Hosts(client), Offerings(client)
        self._announcer = Announcer(Events(client, instance=own_identity()), now=now, counted=metrics.event)
        self._announcing: asyncio.Task[None] | None = None
        self.queue: WorkQueue[Ref] = WorkQueue(
            self._reconcile,
            concurrency=settings.concurrency,
            failed=self._reconcile_failed,
            watcher=QueueMetrics(metrics),
            pace=pace,
            group=lambda ref: ref.namespace,
        )
        self._reconciler = Reconciler(
            live=live,
            publisher=Publisher(hosts=hosts, offerings=offerings, live=live, now=now, changed=self._announcer.tell),
            open_session=self._open_session,
            make_plan=make_plan,
            unobserved=unobserved,
            now=now,
            was_read=self.queue.keep_place,
        )
        metrics.watch_queue(
            depth=lambda: len(self.queue),
            active=lambda: self.queue.active,
            unfinished=lambda: sum(self.queue.seconds_in_hand),
            longest=lambda: max(self.queue.seconds_in_hand, default=0.0),
            concurrency=settings.concurrency,
        )
        self._divided_by = settings.leader_elect_name if candidate is not None else ""
        metrics.watch_share(
            self._divided_by,
            owned=lambda: sum(map(self._tells_of, live.hosts())),
            hosts=lambda: len(live.hosts()),
        )
        figures = Figures(live=live, seen=self._reconciler.seen, tells_of=self._tells_of, now=now)
        metrics.add(figures.pieces)
        self._resync = Resync(
            hosts=hosts,
            offerings=offerings,
            live=live,
            namespaces=namespaces,
            concerned=self._concerned,
            contact=self._contact,
            backoff=Backoff(),
            settle=patience.settle,
        )
        streams = Streams(
            client=client,
            contact=self._contact,
            namespaces=namespaces,
            ear=live,
            relisted=self._resync.soon,
            abandoned=lambda what: self._give_up(f"nobody goes on with the {what}"),
            patience=patience,
        )
        self._registry = watch.registry_of(
            connect=streams.session, live=live, concerned=self._edited, startup=self._start, cleanup=self._stop
        )
        self._health = self._health_server()
        self._shop_window = self._catalogue_server(now)

    @property
    def health_port(self) -> int | None:
        """Where health is served, once it is."""
        return self._health.port if self._health else None

    @property
    def catalogue_port(self) -> int | None:
        """Where the catalogue page is served, once it is."""
        return self._shop_window.port if self._shop_window else None

    @property
    def lost_seconds(self) -> float:
        """For how long a watch or list has not worked; 0 while all work."""
        return self._contact.lost_seconds

    @property
    def not_ready(self) -> str | None:
        """Why the operator cannot do its work at present; None if it can."""
        if not self._listed:
            return "the ProxmoxHosts and Offerings have not been listed yet"
        if self.lost_seconds > self._patience.grace:
            return "the API server is not heard: the log says why"
        return None

    async def run(self, stop: asyncio.Event | None = None) -> int:
        """Run until stopped; returns the exit code.

        Without `stop`, signals end it. 1 also where only a new process helps: Kubernetes starts one, and that begins with nothing but what is there.
        """
        self._end = stop or self._end
        log.info("operator starts", version=__version__, namespaces=self._settings.namespaces or "all")
        try:
            if self._health is not None:
                await self._health.start()
                log.info("health is served", address=self._settings.health_address, port=self._health.port)
            if self._shop_window is not None:
                await self._shop_window.start()
                log.info("catalogue is served", address=self._settings.catalogue_address, port=self._shop_window.port)
            await kopf.operator(
                registry=self._registry,
                settings=watch.settings_of(),
                stop_flag=self._end,
                **watch.scope_of(self._settings.namespaces),
            )
        except Exception:
            log.exception("operator failed")
            return 1
        else:
            log.info("operator ended")
            return 1 if self._broken else 0
        finally:
            await self._stop()
            await self._client.aclose()
            if self._candidate is not None:
                await self._candidate.aclose()
            # Ours and kopf's TLS connections are closed by callbacks; a loop that ends before leaves their sockets to the garbage collector.
            await asyncio.sleep(0.25)

    async def _start(self) -> None:
        await self._resync.until_listed()
        self._listed = True
        if self._candidate is None:
            self._lead()
        else:
            self._taking_part = asyncio.create_task(self._take_part(self._candidate), name="candidate")
        self._resyncing = asyncio.create_task(self._keep_listing(), name="resync")

    def _give_up(self, problem: str) -> None:
        """End, for this cannot be mended while the process lives."""
        log.error("operator cannot go on", problem=problem)
        self._broken = True
        self._end.set()

    async def _keep_listing(self) -> None:
        try:
            await self._resync.keep_listing()
        except WentBack as problem:
            self._give_up(str(problem))
        except Exception:
            log.exception("listing failed")
            self._give_up("listing failed")

    async def _stop(self) -> None:
        """End all that `_start` started. May be called again."""
        # kopf would wait five seconds for whoever waits for an event that nobody sets.
        self._end.set()
        for task in (self._taking_part, self._resyncing):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self._rest()
        for server in (self._shop_window, self._health):
            if server is not None:
                await server.stop()

    async def _take_part(self, candidate: Elector | Member) -> None:
        """Be a candidate until cancelled, whatever goes wrong: a process that stands by for ever would look well."""
        while True:
            try:
                if isinstance(candidate, Elector):
                    await candidate.run(lead=self._lead, rest=self._rest)
                else:
                    await candidate.run(settle=self._settle)
            except Exception:
                log.exception("taking part failed")
            await asyncio.sleep(self._settings.leader_elect_retry_period)

    def _lead(self) -> None:
        """Look at all hosts, and from now on at each that changes."""
        self._begin(ALL)

    async def _rest(self) -> None:
        """Abandon all work, and forget what was seen of Proxmox: the next one who works on it begins with reading."""
        self._share = NOTHING
        await self.queue.stop()
        await self._reconciler.close()
        announcing, self._announcing = self._announcing, None
        if announcing is not None:
            announcing.cancel()
            await asyncio.gather(announcing, return_exceptions=True)

    async def _settle(self, share: Share) -> None:
        """Work on the hosts of `share`, and on no others when this ends."""
        before = self._share
        if not share:
            await self._rest()
            return
        if lost := before - share:
            self._share = before & share
            self._metrics.handed_over(self._divided_by, len(self._hosts_of(lost)), gained=False)
            await self.queue.drop(lambda ref: bucket_of(ref) in lost)
            await self._reconciler.forget(lambda ref: bucket_of(ref) in lost)
        self._begin(share)

    def _begin(self, share: Share) -> None:
        """Look at all hosts of `share` that are not looked at yet, and from now on at each of it that changes."""
        gained = self._hosts_of(share - self._share)
        self._metrics.handed_over(self._divided_by, len(gained), gained=True)
        self._share = share
        for host in gained:
            # Nobody waits for what was said before, and still holds.
            (self.queue.add if host_status.terms_changed(host) else self.queue.add_due)(host.ref)
        if self._announcing is None:
            self.queue.start()
            self._announcing = asyncio.create_task(self._announcer.run(), name="events")

    def _hosts_of(self, share: Share) -> list[LiveObject]:
        return [host for ref, host in self._live.hosts().items() if bucket_of(ref) in share]

    def _concerned(self, ref: Ref) -> None:
        """Something is new about a host."""
        if bucket_of(ref) in self._share:
            self.queue.add(ref)

    def _edited(self, ref: Ref) -> None:
        """Somebody changed a host, or something of it; the next change may follow."""
        if bucket_of(ref) in self._share:
            self.queue.edited(ref)

    def _tells_of(self, ref: Ref) -> bool:
        """Whether metrics tell of this host here: of each in one process, so that sums over all count nothing twice."""
        candidate = self._candidate
        if not self._listed or isinstance(candidate, Elector):
            return self._listed and isinstance(candidate, Elector) and candidate.leading
        return candidate is None or candidate.owns(ref)

    async def _reconcile(self, ref: Ref) -> Requeue:
        began = time.monotonic()
        try:
            with acting_for(ref):
                requeue = await self._reconciler.reconcile(ref)
        except Exception:
            self._metrics.reconciled("error", time.monotonic() - began)
            raise
        result = "success" if requeue.after is None else "requeue_after"
        self._metrics.reconciled(result, time.monotonic() - began)
        return requeue

    def _reconcile_failed(self, ref: Ref, error: Exception, delay: float) -> None:
        log.error(
            "reconcile failed", namespace=ref.namespace, host=ref.name, retry_in_seconds=round(delay), exc_info=error
        )

    def _open_session(self, ref: Ref) -> Session:
        return Session(
            ref,
            open_observer=self._open_observer,
            read_token=self._secrets.token,
            on_news=self.queue.add_after,
            backoff=Backoff(),
            observed=self._metrics.refreshed,
        )

    def _health_server(self) -> HealthServer | None:
        if self._settings.health_port is None:
            return None
        return HealthServer(
            address=self._settings.health_address,
            port=self._settings.health_port,
            not_ready=lambda: self.not_ready,
            metrics=self._metrics,
        )

    def _catalogue_server(self, now: Callable[[], datetime]) -> "CatalogueServer | None":
        """Every replica serves it: who stands by knows all that exists, too."""
        settings = self._settings
        if settings.catalogue_port is None:
            return None
        from proxmox_offerings.controller.catalogue import Informed  # noqa: PLC0415 - most operators show none
        from proxmox_offerings.web.frame import Look  # noqa: PLC0415
        from proxmox_offerings.web.server import CatalogueServer  # noqa: PLC0415
        from proxmox_offerings.web.visits import Page, Result  # noqa: PLC0415

        self._metrics.expect_visits(Page, Result)
        return CatalogueServer(
            Informed(self._live, namespaces=settings.catalogue_namespaces, listed=lambda: self._listed),
            address=settings.catalogue_address,
            port=settings.catalogue_port,
            look=Look(
                title=settings.catalogue_title,
                website=settings.catalogue_website,
                support_email=settings.catalogue_support_email,
                details=settings.catalogue_details,
            ),
            now=now,
            visited=self._metrics.visit,
        )
