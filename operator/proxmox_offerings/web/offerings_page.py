"""The page of all Offerings."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from proxmox_offerings.resources import Architecture, OfferingSpec, Stock, Virtualization
from proxmox_offerings.web import words
from proxmox_offerings.web.filters import FOR_SALE, ORDERS, PAGE_SIZE, Filter, gpu_of
from proxmox_offerings.web.frame import Look, Moment, facts, page
from proxmox_offerings.web.html import Child, Html, join, tag
from proxmox_offerings.web.offers import Catalogue, Offer, by_stock

NOT_READ_AGAIN: Final = "could not be read again in time"
ORDER_WORDS: Final = {"name": "Name", "price": "Price", "size": "Size", "available": "Most available"}


def offerings_page(catalogue: Catalogue, wanted: Filter, *, look: Look, moment: Moment) -> str:
    """What of the catalogue is wanted, one page of it."""
    found = wanted.chosen(catalogue.offers, moment.now)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(wanted.page, pages)
    shown = found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    return page(
        tag("h1", "Offerings"),
        _summary(found, catalogue, wanted, moment),
        tag("details", tag("summary", "Filter and sort"), _form(catalogue, wanted), open=True, class_="folding"),
        _table(shown, catalogue, look, moment.now) if shown else _nothing(catalogue),
        _pages(wanted, number, pages),
        tag("template", _unknown(NOT_READ_AGAIN), id="expired"),
        title="Offerings",
        here="Offerings",
        up="./",
        look=look,
        moment=moment,
    )


def pill(stock: Stock) -> Html:
    """The stock in a word, with a shape and a colour of its own."""
    return tag("span", words.STOCK_WORDS[stock], class_=f"pill {stock}")


def _summary(found: Sequence[Offer], catalogue: Catalogue, wanted: Filter, moment: Moment) -> Html:
    """How many there are of each stock, as long as none of them ends."""
    of_all = f" of {len(catalogue.offers)}" if wanted.is_set else ""
    counts = by_stock(found, moment.now)
    kinds = (
        tag("li", tag("span", class_=f"dot {stock}", aria_hidden="true"), f"{count} {words.STOCK_WORDS[stock].lower()}")
        for stock, count in counts.items()
        if count
    )
    end = moment.soonest_end
    return tag(
        "div",
        tag("p", f"{len(found)}{of_all} {'offering' if len(found) == 1 and not of_all else 'offerings'}", id="count"),
        tag("ul", *kinds, class_="claim") if found else None,
        id="summary",
        class_="summary",
        data_part=True,
        data_valid_until=words.milliseconds(end) if end else None,
    )


def _form(catalogue: Catalogue, wanted: Filter) -> Html:
    places = (offer.spec.location for offer in catalogue.offers)
    countries = sorted({place.country for place in places if place and place.country} | ({wanted.country} - {""}))
    gpus = sorted({gpu for offer in catalogue.offers if (gpu := gpu_of(offer))} | ({wanted.gpu} - {""}))
    stocks = [(FOR_SALE, "For sale now"), *((stock.value, word) for stock, word in words.STOCK_WORDS.items())]
    return tag(
        "form",
        _field(
            "Search",
            tag(
                "input",
                id="f-q",
                type="search",
                name="q",
                value=wanted.text,
                maxlength=80,
                placeholder="Tier, place, system …",
                autocomplete="off",
            ),
            "q",
        ),
        _select("Stock", "stock", [("", "Any"), *stocks], wanted.stock),
        _select("Type", "type", [("", "Any"), ("compute", "Compute"), ("gpu", "GPU")], wanted.type),
        _select("Country", "country", [("", "Any"), *((one, one) for one in countries)], wanted.country),
        _select("GPU", "gpu", [("", "Any"), *((one, one) for one in gpus)], wanted.gpu) if gpus else None,
        _select("Sort by", "sort", [(order, ORDER_WORDS[order]) for order in ORDERS], wanted.sort),
        tag(
            "div",
            tag("button", "Apply", type="submit"),
            tag("a", "Clear", href="./", id="clear", hidden=not wanted.is_set),
            class_="buttons",
        ),
        method="get",
        action="./",
        role="search",
        aria_label="Filter offerings",
        class_="filters",
        id="filters",
    )


def _field(label: str, control: Html, name: str) -> Html:
    return tag("div", tag("label", label, for_=f"f-{name}"), control, class_=f"field {name}")


def _select(label: str, name: str, options: Iterable[tuple[str, str]], chosen: str) -> Html:
    entries = (tag("option", word, value=value, selected=value == chosen) for value, word in options)
    return _field(label, tag("select", *entries, id=f"f-{name}", name=name), name)


def _nothing(catalogue: Catalogue) -> Html:
    if not catalogue.offers:
        return tag("p", "Nothing is offered yet.", id="list", class_="nothing", data_part=True)
    return tag(
        "p",
        "No offering is like that. ",
        tag("a", "Show all", href="./"),
        id="list",
        class_="nothing",
        data_part=True,
    )


def _table(shown: Sequence[Offer], catalogue: Catalogue, look: Look, now: datetime) -> Html:
    with_gpu = any(offer.spec.gpu for offer in catalogue.offers)
    heads = ["Offering", "vCPU", "Memory", "Disk", *(["GPU"] if with_gpu else []), "Location", "Price", "Stock"]
    numeric = {"vCPU", "Memory", "Disk", "Price"}
    return tag(
        "table",
        tag("caption", "Offerings, with what one unit is, and how many more can be had", class_="unseen"),
        tag(
            "thead",
            tag(
                "tr",
                *(
                    tag("th", head, scope="col", role="columnheader", class_="number" if head in numeric else None)
                    for head in heads
                ),
                role="row",
            ),
            role="rowgroup",
        ),
        *(_rows(offer, len(heads), look, now, with_gpu=with_gpu) for offer in shown),
        id="list",
        role="table",
        class_="offers",
        data_list=True,
    )


def _rows(offer: Offer, columns: int, look: Look, now: datetime, *, with_gpu: bool) -> Html:
    """One Offering: its row, and below that what is too much for a row."""
    spec, status, holds = offer.spec, offer.status, offer.holds(now)
    gpu = f"{spec.gpu.count} × {gpu_of(offer)}" if spec.gpu else ""
    ends = offer.ends(now)
    return tag(
        "tbody",
        tag(
            "tr",
            tag(
                "th",
                tag("span", spec.display_name, class_="name"),
                tag("span", tag("bdi", offer.name), _badges(spec), class_="below"),
                scope="row",
                role="rowheader",
            ),
            _cell("vCPU", spec.cpu, class_="number"),
            _cell("Memory", words.size(spec.memory), class_="number"),
            _cell("Disk", words.size(spec.disk), _below(_disk_class(spec)), class_="number"),
            _cell("GPU", gpu or None, class_="gpu" if gpu else "none") if with_gpu else None,
            _cell("Location", *_place(offer), class_="place"),
            _cell("Price", *_price(spec), class_="number price"),
            tag("td", _stock(offer, look, now), role="cell", class_="stock", data_label="Stock", rowspan=2),
            role="row",
        ),
        tag("tr", tag("td", _more(offer, look, now), role="cell", colspan=columns - 1), role="row", class_="more"),
        id=f"offer.{offer.namespace}.{offer.name}",
        role="rowgroup",
        data_name=f"{spec.display_name} ({spec.host_ref.name})",
        data_stock=offer.stock(now),
        data_available=status.available if holds else None,
        data_valid_until=words.milliseconds(ends) if ends else None,
    )


def _cell(label: str, *children: Child, class_: str | None = None) -> Html:
    return tag("td", *children, role="cell", data_label=label, class_=class_)


def _below(text: Child) -> Html | None:
    return tag("span", text, class_="below") if text else None


def _badges(spec: OfferingSpec) -> Html:
    badges = [
        "container" if spec.virtualization is Virtualization.LXC else "",
        "dedicated CPU" if spec.dedicated_cpu else "",
        spec.architecture if spec.architecture is not Architecture.AMD64 else "",
    ]
    return join(tag("span", badge, class_="badge") for badge in badges if badge)


def _disk_class(spec: OfferingSpec) -> str | None:
    return words.CLASS_WORDS[spec.storage_class] if spec.storage_class else None


def _place(offer: Offer) -> tuple[Child, ...]:
    place = offer.spec.location
    if place is None:
        return ()
    town = ", ".join(filter(None, [place.city, place.country]))
    inside = " · ".join(filter(None, [place.datacenter, place.region]))
    return (town, _below(inside)) if town else (inside,)


def _price(spec: OfferingSpec) -> tuple[Child, ...]:
    if spec.price is None:
        return ()
    return f"{spec.price.monthly} {spec.price.currency}", _below("a month")


def _stock(offer: Offer, look: Look, now: datetime) -> Html:
    status = offer.status
    if not offer.holds(now):
        return _unknown(None if _told(offer, look) else _why_unknown(offer))
    number = tag("span", tag("b", status.available), " left", class_="claim units") if status.available else None
    limit = status.limiting_resource
    why = limit and (words.LIMITS if status.available else words.LACKING).get(limit)
    read = join("read ", words.time(status.observed_at)) if status.observed_at else None
    return join(pill(status.stock), number, _below(why), _below(read))


def _why_unknown(offer: Offer) -> str:
    """For anybody: what is wrong with the cluster is the seller's own business."""
    if offer.status.stock is not Stock.UNKNOWN:
        return NOT_READ_AGAIN
    return "cannot be told at present" if offer.status.observed_at else "not read yet"


def _told(offer: Offer, look: Look) -> bool:
    """Whether the Offering itself says why its stock is not known, to those who may read it."""
    return look.details and offer.status.stock is Stock.UNKNOWN and bool(offer.status.message)


def _unknown(why: str | None) -> Html:
    return join(pill(Stock.UNKNOWN), tag("span", why, class_="below") if why else None)


def _more(offer: Offer, look: Look, now: datetime) -> Html:
    spec, status, holds = offer.spec, offer.status, offer.holds(now)
    systems = [system.name for system in status.operating_systems]
    rows: list[tuple[str, Child]] = []
    if look.details and status.message and (holds or _told(offer, look)):
        rows.append(("In words", tag("span", status.message, class_="claim" if holds else None)))
    if look.details and holds:
        rows.append(("Where", _nodes(offer)))
    rows += [
        (
            "Systems",
            tag("ul", *(tag("li", name) for name in dict.fromkeys(systems)), class_="inline") if systems else "",
        ),
        ("Processor", _processor(offer)),
        ("CPU share", _share(spec)),
        ("Graphics card", _gpu(offer)),
        ("Storage", _storage(offer, look)),
        ("Setup", _setup(spec)),
        (
            "Holds until",
            tag("span", words.time(status.valid_until), class_="claim") if holds and status.valid_until else "",
        ),
    ]
    if look.details:
        host = spec.host_ref.name
        link = tag("a", host, href=f"hosts/{offer.namespace}/{host}")
        rows.append(("Host", link))
    rows.append(("Resource", f"{offer.namespace}/{offer.name}"))
    return tag("details", tag("summary", "Details", tag("span", f" of {offer.name}", class_="unseen")), facts(*rows))


def _nodes(offer: Offer) -> Child:
    places = [place for place in offer.status.nodes if place.available]
    if not places:
        return ""
    entries = (tag("li", tag("bdi", place.name), " ", tag("b", place.available)) for place in places)
    return tag("ul", *entries, class_="inline claim")


def _processor(offer: Offer) -> str:
    seen = offer.status.processor
    if seen is None:
        return ""
    clock = f"{seen.speed_mhz / 1000:.2f} GHz" if seen.speed_mhz else None
    return " · ".join(filter(None, [", ".join(seen.models) or seen.brand, clock]))


def _share(spec: OfferingSpec) -> str:
    if spec.dedicated_cpu:
        return "one processor for each vCPU"
    return f"{spec.cpu_allocation_percent / 100:g} vCPUs for each processor at most"


def _gpu(offer: Offer) -> str:
    seen = offer.status.gpu
    if seen is None or seen.memory is None:
        return ""
    return f"{seen.name}, {words.size(seen.memory)}"


def _storage(offer: Offer, look: Look) -> str:
    seen = offer.status.storage
    if seen is None:
        return ""
    classes = ", ".join(words.CLASS_WORDS[one] for one in seen.classes)
    return f"{classes} ({', '.join(seen.names)})" if look.details and seen.names else classes


def _setup(spec: OfferingSpec) -> str:
    price = spec.price
    return f"{price.setup} {price.currency} once" if price and price.setup.strip("0.") else ""


def _pages(wanted: Filter, number: int, pages: int) -> Html:
    links: list[Html] = []
    if number > 1:
        links.append(
            tag("a", "Previous", href=f"?{wanted.query(page=number - 1)}" if number > 2 else _first(wanted), rel="prev")
        )
    if pages > 1:
        links.append(tag("span", f"Page {number} of {pages}"))
    if number < pages:
        links.append(tag("a", "Next", href=f"?{wanted.query(page=number + 1)}", rel="next"))
    return tag(
        "nav", *links, id="pages", class_="pages", aria_label="Pages of offerings", data_part=True, hidden=pages == 1
    )


def _first(wanted: Filter) -> str:
    query = wanted.query(page=1)
    return f"?{query}" if query else "./"
