"""Where a cluster stands."""

from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.rules import Rule
from proxmox_offerings.resources.scalars import Country, Latitude, Longitude, Text


class Location(Model):
    """Where the cluster stands. Carried along for readers; it decides nothing here."""

    RULES = (
        Rule(
            cel="has(self.latitude) == has(self.longitude)",
            message="latitude and longitude must be given together or not at all",
            holds=lambda place: (place.latitude is None) == (place.longitude is None),
        ),
    )

    datacenter: Text | None = None
    """Name of the data centre."""
    region: Text | None = None
    """Name of the region, in the seller's own terms."""
    country: Country | None = None
    """ISO 3166-1 alpha-2 code, upper case, such as DE. Norway needs quotes ("NO"), for YAML reads a bare NO as false."""
    city: Text | None = None
    """Name of the city."""
    latitude: Latitude | None = None
    """Degrees north as a decimal number in quotes, such as "50.11"."""
    longitude: Longitude | None = None
    """Degrees east as a decimal number in quotes, such as "8.68"."""
