"""What a seller adds to an export that no Offering knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who sells, as customers read it."""

    name: str | None = None
    website: str | None = None
    support_email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`columns` are values for columns of decent-cloud's CSV that follow from no Offering (`decent_cloud_csv.FREE_COLUMNS`);
    `template_columns` adds those of its own export that tell what to clone. `previous` is the CSV that was exported before: its rows whose
    Offerings are gone stay, as out of stock, for an upsert deletes nothing.
    """

    provider: Provider = Provider()
    columns: Mapping[str, str] = field(default_factory=dict)
    template_columns: bool = False
    previous: bytes = b""
