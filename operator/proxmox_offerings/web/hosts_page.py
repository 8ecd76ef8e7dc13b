"""The pages of ProxmoxHosts: all of them, and how full each node and storage of one is. For the seller's own people."""

from datetime import datetime
from fractions import Fraction
from typing import Final

from proxmox_offerings.catalogue.messages import REASONS
from proxmox_offerings.resources import (
    Condition,
    ConditionStatus,
    NodeCPU,
    NodeGPU,
    NodeMemory,
    NodeStatus,
    Quantity,
    Stock,
    StorageStatus,
)
from proxmox_offerings.web import words
from proxmox_offerings.web.frame import Look, Moment, bar, facts, page
from proxmox_offerings.web.html import Child, Html, join, tag
from proxmox_offerings.web.offers import Catalogue, Host

NOT_SELECTED: Final = "is not selected by the host's spec.nodes"
ALMOST: Final = Fraction(9, 10)
"""From here on a bar looks full."""
FACTS: Final = frozenset({"Reachable", "Authorized", "Quorate", "TLSVerified"})


def hosts_page(catalogue: Catalogue, *, look: Look, moment: Moment) -> str:
    """All hosts."""
    cards = [_card(host, moment.now) for host in catalogue.hosts]
    return page(
        tag("h1", "Hosts"),
        tag("ul", *cards, id="list", class_="cards", data_list=True)
        if cards
        else tag("p", "There is no ProxmoxHost yet.", id="list", class_="nothing", data_part=True),
        title="Hosts",
        here="Hosts",
        up="../",
        look=look,
        moment=moment,
        skip="Skip to the hosts",
    )


def host_page(host: Host, *, look: Look, moment: Moment) -> str:
    """One host."""
    status, holds = host.status, host.holds(moment.now)
    ends = host.valid_until if holds else None
    return page(
        tag("p", tag("a", "All hosts", href="../../hosts/"), class_="back"),
        tag("h1", host.name),
        tag("section", _overview(host, moment.now), id="overview", aria_label="Overview", data_part=True),
        tag(
            "div",
            _stale(shown=not holds),
            tag("h2", "Nodes"),
            tag("ul", *(_node(node, known=holds) for node in status.nodes), class_="cards nodes")
            if status.nodes
            else tag("p", "No node was seen yet.", class_="nothing"),
            tag("h2", "Storages"),
            _storages(status.storages, known=holds)
            if status.storages
            else tag("p", "No storage was seen yet.", class_="nothing"),
            id="figures",
            data_part=True,
            data_name=f"The figures of {host.name}",
            data_stock=None if holds else Stock.UNKNOWN,
            data_valid_until=words.milliseconds(ends) if ends else None,
        ),
        title=host.name,
        here="Hosts",
        up="../../",
        look=look,
        moment=moment,
        skip="Skip to the host",
    )


def _card(host: Host, now: datetime) -> Html:
    status, holds = host.status, host.holds(now)
    ends = host.valid_until if holds else None
    counts = status.offerings
    for_sale = f"{counts.in_stock + counts.low_stock} of {counts.total}" if counts else ""
    return tag(
        "li",
        tag("h2", tag("a", host.name, href=f"{host.namespace}/{host.name}")),
        tag("p", _place(host), class_="below"),
        _problem(host),
        facts(
            ("Nodes sold", status.node_summary or ""),
            ("Offerings for sale", tag("span", for_sale, class_="claim") if holds and for_sale else ""),
            ("Read", words.time(status.last_refresh_time) if status.last_refresh_time else "never"),
        ),
        id=f"host.{host.namespace}.{host.name}",
        class_="card",
        data_valid_until=words.milliseconds(ends) if ends else None,
    )


def _overview(host: Host, now: datetime) -> Html:
    status = host.status
    seen = status.proxmox
    return join(
        _problem(host),
        facts(
            ("Location", _place(host)),
            ("Cluster", (seen.cluster_name or "standalone node") if seen else ""),
            ("Proxmox VE", seen.version if seen else ""),
            ("Quorum", ("yes" if seen.quorate else "no") if seen else ""),
            ("Nodes sold", status.node_summary or ""),
            ("Offerings", _offerings(host) if host.holds(now) else ""),
            ("Read", words.time(status.last_refresh_time) if status.last_refresh_time else "never"),
            ("Resource", f"{host.namespace}/{host.name}"),
        ),
    )


def _offerings(host: Host) -> Child:
    counts = host.status.offerings
    if counts is None:
        return ""
    numbers = (
        (counts.in_stock, "in stock"),
        (counts.low_stock, "low"),
        (counts.out_of_stock, "sold out"),
        (counts.unknown, "unknown"),
    )
    return tag(
        "a", ", ".join(f"{number} {word}" for number, word in numbers if number) or "none", href=f"../../?q={host.name}"
    )


def _place(host: Host) -> str:
    place = host.spec.location if host.spec else None
    return ", ".join(filter(None, [place.datacenter, place.city, place.region, place.country])) if place else ""


def _problem(host: Host) -> Html | None:
    """What is wrong, in the words of the conditions."""
    wrong = [one for one in host.status.conditions if _is_wrong(one)]
    ready = next((one for one in wrong if one.type == "Ready"), None)
    others = [one for one in wrong if one.type in FACTS and not (ready and one.reason == ready.reason)]
    told = [*([ready] if ready else []), *others]
    if not told:
        return None if host.status.conditions else tag("p", "Nobody looked at it yet.", class_="problem")
    return tag("div", *(tag("p", tag("b", one.reason), ": ", one.message) for one in told), class_="problem")


def _is_wrong(condition: Condition) -> bool:
    return condition.status is ConditionStatus.FALSE


def _stale(*, shown: bool) -> Html:
    return tag(
        "p",
        "The cluster was not read again in time: how full it is now is not known.",
        class_="stale",
        hidden=not shown,
    )


def _node(node: NodeStatus, *, known: bool) -> Html:
    parts = [
        node.cpu_model,
        words.plural(node.sockets, "socket") if node.sockets else None,
        words.plural(node.cores, "core") if node.cores else None,
        words.plural(node.threads, "thread") if node.threads else None,
        f"{words.size(node.memory)} memory" if node.memory else None,
    ]
    sold = node.excluded is None
    return tag(
        "li",
        tag(
            "h3",
            tag("bdi", node.name),
            tag("span", "sold" if sold else "not sold", class_=f"badge {'on' if sold else 'off'}"),
        ),
        tag("p", " · ".join(filter(None, parts)), class_="below"),
        None if sold else tag("p", f"Not sold: it {_why(node.excluded)}.", class_="problem"),
        tag("div", _gauges(node), class_="claim gauges") if known else None,
        class_="card",
    )


def _why(excluded: str | None) -> str:
    if excluded == "NotSelected":
        return NOT_SELECTED
    return REASONS.get(excluded or "", f"is left out ({excluded})")


def _gauges(node: NodeStatus) -> Html:
    gpus = [_cards(gpu) for gpu in node.gpus or ()]
    profiles = [
        _line(
            profile.name or profile.profile,
            f"{words.plural(profile.free, 'instance')} left" if profile.free is not None else "not known",
        )
        for profile in node.gpu_profiles
    ]
    return join(
        _allocation("vCPU", node.cpu, in_bytes=False),
        _allocation("Memory", node.memory_allocation, in_bytes=True),
        *gpus,
        *profiles,
    )


def _allocation(name: str, part: NodeCPU | NodeMemory | None, *, in_bytes: bool) -> Html:
    if part is None:
        return _line(name, "not known")
    say = words.size if in_bytes else words.amount
    free = (
        f"{say(_positive(part.headroom))} left"
        if part.headroom.value >= 0
        else f"{say(_positive(part.headroom))} too many"
    )
    return _gauge(
        name,
        f"{say(part.committed)} of {say(part.capacity)} committed",
        free,
        used=part.committed.value,
        total=part.capacity.value,
    )


def _positive(quantity: Quantity) -> Quantity:
    return Quantity.of_milli(abs(quantity.milli))


def _cards(gpu: NodeGPU) -> Html:
    if gpu.free is None:
        return _line(gpu.model, f"{words.plural(gpu.total, 'card')}, which are free is not known")
    return _gauge(
        gpu.model,
        f"{gpu.total - gpu.free} of {words.plural(gpu.total, 'card')} taken",
        f"{gpu.free} free",
        used=Fraction(gpu.total - gpu.free),
        total=Fraction(gpu.total),
    )


def _gauge(name: str, taken: str, free: str, *, used: Fraction, total: Fraction) -> Html:
    part = used / total if total > 0 else Fraction(1)
    level = "over" if part > 1 else "high" if part >= ALMOST else "fine"
    return tag(
        "div",
        tag("span", name, class_="what"),
        tag("span", free, class_="free"),
        bar(float(part), level=level),
        tag("span", taken, class_="below"),
        class_="gauge",
    )


def _line(name: str, text: str) -> Html:
    return tag("div", tag("span", name, class_="what"), tag("span", text, class_="free"), class_="gauge")


def _storages(storages: tuple[StorageStatus, ...], *, known: bool) -> Html:
    heads = ("Storage", "Class", "Used", "Free", "Nodes")
    return tag(
        "table",
        tag("caption", "Storages and how full they are", class_="unseen"),
        tag(
            "thead",
            tag(
                "tr",
                *(
                    tag("th", head, scope="col", role="columnheader", class_="number" if head == "Free" else None)
                    for head in heads
                ),
                role="row",
            ),
            role="rowgroup",
        ),
        tag("tbody", *(_storage(storage, known=known) for storage in storages), role="rowgroup"),
        role="table",
        class_="storages",
    )


def _storage(storage: StorageStatus, *, known: bool) -> Html:
    used: Child = tag("span", "not known", class_="below")
    free: Child = "not known"
    if known and storage.total is not None and storage.available is not None:
        total, left = storage.total.value, storage.available.value
        part = (total - left) / total if total > 0 else Fraction(1)
        level = "high" if part >= ALMOST else "fine"
        used = tag(
            "div",
            bar(float(part), level=level),
            tag("span", f"{words.size(int(total - left))} of {words.size(storage.total)}", class_="below"),
            class_="claim",
        )
        free = tag("span", words.size(storage.available), class_="claim")
    kind = ", ".join(filter(None, [words.CLASS_WORDS[storage.class_], "shared" if storage.shared else "local"]))
    return tag(
        "tr",
        tag("th", tag("bdi", storage.name), scope="row", role="rowheader"),
        tag("td", kind, role="cell", data_label="Class"),
        tag("td", used, role="cell", data_label="Used"),
        tag("td", free, role="cell", data_label="Free", class_="number"),
        tag("td", ", ".join(storage.nodes), role="cell", data_label="Nodes"),
        role="row",
    )
