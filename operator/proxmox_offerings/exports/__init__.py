"""Offerings in the forms that others read: pure functions of Offerings and a moment, to bytes.

Equal Offerings give equal bytes at any moment before `Rendered.changes_at`, in whatever order they are handed over. Nobody else decides what an
export says: the command line writes the bytes to a file, the operator serves them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from proxmox_offerings.exports import catalogue, decent_cloud_csv, decent_cloud_json
from proxmox_offerings.exports.options import Options, Provider
from proxmox_offerings.exports.rendered import LeftOut, Rendered
from proxmox_offerings.resources import Offering

__all__ = ["FORMATS", "Format", "LeftOut", "Options", "Provider", "Rendered", "render"]


class Renderer(Protocol):
    """What each format is."""

    def __call__(self, offerings: Iterable[Offering], *, now: datetime, options: Options) -> Rendered: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format under its name on the command line; `path` is where a server offers it."""

    name: str
    path: str
    content_type: str
    render: Renderer


FORMATS: Final[Mapping[str, Format]] = {
    form.name: form
    for form in (
        Format(
            name="json",
            path="/catalogue.json",
            content_type=catalogue.CONTENT_TYPE,
            render=catalogue.render,
        ),
        Format(
            name="csv",
            path="/decent-cloud-offerings.csv",
            content_type=decent_cloud_csv.CONTENT_TYPE,
            render=decent_cloud_csv.render,
        ),
        Format(
            name="decent-cloud-json",
            path=decent_cloud_json.PATH,
            content_type=decent_cloud_json.CONTENT_TYPE,
            render=decent_cloud_json.render,
        ),
    )
}


def render(form: str, offerings: Iterable[Offering], *, now: datetime, options: Options | None = None) -> Rendered:
    """What `offerings` are at `now` in the format of that name. Raises KeyError for a name that is none."""
    return FORMATS[form].render(offerings, now=now, options=options or Options())
