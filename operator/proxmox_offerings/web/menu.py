"""What can be asked for: from a path and a query to how the answer is made."""

import re
from collections.abc import Hashable
from typing import Final, Protocol

from proxmox_offerings.exports import FORMATS, Format, Options, Provider
from proxmox_offerings.web.filters import Filter
from proxmox_offerings.web.frame import Look, Moment
from proxmox_offerings.web.hosts_page import host_page, hosts_page
from proxmox_offerings.web.kitchen import NotThere, Recipe, State
from proxmox_offerings.web.offerings_page import offerings_page
from proxmox_offerings.web.offers import Catalogue

HTML: Final = "text/html; charset=utf-8"
HOST: Final = re.compile(r"/hosts/([a-z0-9-]{1,63})/([a-z0-9-]{1,63})")
EXPORTS: Final = {form.path: form for form in FORMATS.values()}


class Page(Protocol):
    """Makes a page. Raises NotThere."""

    def __call__(self, catalogue: Catalogue, *, look: Look, moment: Moment) -> str: ...


def recipe_of(path: str, query: str, *, look: Look) -> Recipe | None:
    """The recipe for what is asked for; None if there is no such thing."""
    if path == "/":
        wanted = Filter.parse(query)
        return _page(look, lambda catalogue, **more: offerings_page(catalogue, wanted, **more), "offerings", wanted)
    if path in EXPORTS:
        return _export(EXPORTS[path], look)
    if not look.details:
        return None
    if path == "/hosts/":
        return _page(look, hosts_page, "hosts")
    if (named := HOST.fullmatch(path)) is not None:
        namespace, name = named.groups()
        return _page(look, lambda catalogue, **more: _host(catalogue, namespace, name, **more), "host", namespace, name)
    return None


def _page(look: Look, make: Page, *key: Hashable) -> Recipe:
    return Recipe(
        key=key,
        content_type=HTML,
        make=lambda state, moment: make(state.catalogue, look=look, moment=moment).encode(),
    )


def _host(catalogue: Catalogue, namespace: str, name: str, *, look: Look, moment: Moment) -> str:
    for host in catalogue.hosts:
        if (host.namespace, host.name) == (namespace, name):
            return host_page(host, look=look, moment=moment)
    raise NotThere


def _export(form: Format, look: Look) -> Recipe:
    options = Options(provider=Provider(name=look.title, website=look.website, support_email=look.support_email))

    def make(state: State, moment: Moment) -> bytes:
        resources = [offer.resource for offer in state.catalogue.offers]
        return form.render(resources, now=moment.now, options=options).body

    return Recipe(key=("export", form.name), content_type=form.content_type, make=make)
