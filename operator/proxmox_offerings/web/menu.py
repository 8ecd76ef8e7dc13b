"""What can be asked for: from a path and a query to how the answer is made."""

import re
from typing import Final

from proxmox_offerings.web.filters import Filter
from proxmox_offerings.web.frame import Look, Moment
from proxmox_offerings.web.hosts_page import host_page, hosts_page
from proxmox_offerings.web.kitchen import NotThere, Recipe, State
from proxmox_offerings.web.offerings_page import offerings_page

HTML: Final = "text/html; charset=utf-8"
HOST: Final = re.compile(r"/hosts/([a-z0-9-]{1,63})/([a-z0-9-]{1,63})")


def recipe_of(path: str, query: str, *, look: Look) -> Recipe | None:
    """The recipe for what is asked for; None if there is no such thing."""
    if path == "/":
        wanted = Filter.parse(query)
        return Recipe(
            key=("offerings", wanted),
            content_type=HTML,
            make=lambda state, moment: offerings_page(state.catalogue, wanted, look=look, moment=moment),
        )
    if not look.details:
        return None
    if path == "/hosts/":
        return Recipe(
            key=("hosts",),
            content_type=HTML,
            make=lambda state, moment: hosts_page(state.catalogue, look=look, moment=moment),
        )
    if (named := HOST.fullmatch(path)) is not None:
        namespace, name = named.groups()
        return Recipe(
            key=("host", namespace, name),
            content_type=HTML,
            make=lambda state, moment: _host(state, moment, namespace, name, look),
        )
    return None


def _host(state: State, moment: Moment, namespace: str, name: str, look: Look) -> str:
    for host in state.catalogue.hosts:
        if (host.namespace, host.name) == (namespace, name):
            return host_page(host, look=look, moment=moment)
    raise NotThere
