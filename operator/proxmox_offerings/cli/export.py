"""`export`: Offerings in the forms that shops and marketplaces read. What they say is `exports`' business; here they are fetched and written."""

import functools
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from proxmox_offerings.cli.files import read_file, replace_file
from proxmox_offerings.cli.manifests import DEFAULT_NAMESPACE, UnreadableInput
from proxmox_offerings.cli.source import Source, source_options
from proxmox_offerings.cli.terminal import is_terminal

if TYPE_CHECKING:
    from proxmox_offerings.cli.reading import Reading
    from proxmox_offerings.resources import Offering

FORMS = ("json", "csv", "decent-cloud-json")
"""`exports.FORMATS`, which is not imported for help."""
OF_DECENT_CLOUD = ("csv", "decent-cloud-json")


def _columns(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    """COLUMN=VALUE..., checked."""
    columns = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} must be COLUMN=VALUE", context, parameter)
        from proxmox_offerings.exports.decent_cloud_csv import column_problem  # noqa: PLC0415 - only where it is wanted

        problem = column_problem(name, value)
        if problem:
            raise click.BadParameter(f"{name} {problem}", context, parameter)
        columns[name] = value
    return columns


@click.command()
@functools.partial(
    source_options,
    kube_help="Take the Offerings that Kubernetes has, with your own rights; no Secret is read. Instead of -f.",
)
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(FORMS),
    default="json",
    show_default=True,
    help="json: the catalogue, with a published schema. csv: decent-cloud's CSV, to be imported with upsert. decent-cloud-json: its catalogue for "
    "/.well-known/decent-cloud-offerings.json.",
)
@click.option(
    "-l", "--selector", metavar="LABELS", help="With --kube: only Offerings with these labels, as for kubectl."
)
@click.option("--country", "countries", metavar="CODE", multiple=True, help="Only those that stand there, such as DE.")
@click.option(
    "--output-file",
    metavar="PATH",
    help="Write there instead of to standard output: at once, and only if something changed.",
)
@click.option(
    "--withdraw-missing",
    is_flag=True,
    help="csv: rows of --output-file whose Offerings are gone stay in it, as out of stock: an upsert deletes nothing.",
)
@click.option(
    "--template-columns",
    is_flag=True,
    help="csv: add template_name, provisioner_type and provisioner_config, which the importer takes too.",
)
@click.option(
    "--set",
    "columns",
    metavar="COLUMN=VALUE",
    multiple=True,
    callback=_columns,
    help="csv: fill a column that follows from no Offering, in each row, such as agent_pool_id=eu or traffic=1000.",
)
@click.option("--provider-name", metavar="NAME", help="decent-cloud-json: who sells.")
@click.option("--provider-website", metavar="URL", help="decent-cloud-json: their website.")
@click.option("--provider-email", metavar="ADDRESS", help="decent-cloud-json: where customers get help.")
def export(
    source: Source,
    *,
    form: str,
    selector: str | None,
    countries: tuple[str, ...],
    output_file: str | None,
    withdraw_missing: bool,
    template_columns: bool,
    columns: Mapping[str, str],
    provider_name: str | None,
    provider_website: str | None,
    provider_email: str | None,
) -> None:
    """Write Offerings for shops and marketplaces.

    In stock is only what may be sold now: stock InStock or LowStock, and now before validUntil. Everything else stays in the export as out of
    stock, because a row that vanished would stay on the market as it was. Export again before the next validUntil; the JSON says when that is.

    \b
    proxmox-offerings export --kube -A                         the catalogue of all namespaces
    proxmox-offerings export --kube -n shop -o csv             Offerings of one namespace
    proxmox-offerings export -f host.yaml -o csv               reads Proxmox now, as preview does
    proxmox-offerings export --kube -l proxmox-offerings.io/product-type=gpu

    To take it over at decent-cloud, which updates rows by their offering_id (the four headers are its signature of the request):

    \b
    proxmox-offerings export --kube -o csv --set agent_pool_id=eu --output-file offers.csv --withdraw-missing
    curl --fail-with-body --data-binary @offers.csv -H 'Content-Type: text/plain; charset=utf-8' \\
      -H "X-Public-Key: $KEY" -H "X-Timestamp: $TIME" -H "X-Nonce: $NONCE" -H "X-Signature: $SIGNATURE" \\
      "$API/api/v1/providers/$KEY/offerings/import?upsert=true"

    An upsert replaces whole rows: what you maintain over there by hand, say here with --set. Offerings without price or country cannot be listed
    there; they are named on standard error.

    \b
    Exit code: 0 fine; 1 some host could not be read (its named tiers are exported as out of stock), or some Offering, or there are Offerings
    and none could be exported; 2 wrong usage or unreadable input.
    """
    if selector is not None and source.file is not None:
        raise click.UsageError("-l goes with --kube; --country and HOST select from a file too")
    if form != "csv" and template_columns:
        raise click.UsageError("--template-columns goes with -o csv")
    if form not in OF_DECENT_CLOUD and columns:
        raise click.UsageError("--set goes with -o csv, and product_page_url also with -o decent-cloud-json")
    if withdraw_missing and (form != "csv" or output_file is None):
        raise click.UsageError("--withdraw-missing goes with -o csv and --output-file")
    from proxmox_offerings.exports import Options, Provider, render  # noqa: PLC0415 - `--help` must not wait for this

    offerings, complete = _from_proxmox(source) if source.file is not None else _from_kubernetes(source, selector)
    chosen = [one for one in offerings if not countries or _country(one) in countries]
    provider = Provider(name=provider_name, website=provider_website, support_email=provider_email)
    previous = read_file(output_file) if withdraw_missing and output_file is not None else b""
    options = Options(provider=provider, columns=columns, template_columns=template_columns, previous=previous)
    try:
        made = render(form, chosen, now=datetime.now(UTC), options=options)
    except ValueError as problem:
        raise UnreadableInput(f"{output_file}: {problem}") from None
    for left_out in made.left_out:
        click.echo(f"{left_out.name} is left out: {left_out.reason}", err=True)
    if not chosen:
        click.echo(
            "no Offerings there; -A looks in all namespaces" if source.file is None else "no Offerings", err=True
        )
    if output_file is None:
        click.echo(made.body, nl=False)
    else:
        written = replace_file(output_file, made.body)
        if is_terminal(sys.stderr):
            told = f"{made.offerings} Offerings, {made.for_sale} for sale"
            click.echo(f"{output_file}: {told}{'' if written else '; unchanged'}", err=True)
    sys.exit(0 if complete and (made.offerings or not chosen) else 1)


def _country(offering: "Offering") -> str | None:
    return offering.spec.location.country if offering.spec.location is not None else None


def _from_kubernetes(source: Source, selector: str | None) -> tuple[list["Offering"], bool]:
    """What there is, and whether that is all: one that cannot be read (of a newer version) is named."""
    from proxmox_offerings.resources import InvalidResource, Offering  # noqa: PLC0415

    found, complete = [], True
    for body in source.offerings(selector=selector, with_bookkeeping=True):
        try:
            found.append(Offering.parse(body))
        except InvalidResource as problem:
            name = f"{body['metadata']['namespace']}.{body['metadata']['name']}"
            click.echo(f"{name} cannot be read: {problem}", err=True)
            complete = False
    return found, complete


def _from_proxmox(source: Source) -> tuple[list["Offering"], bool]:
    """What the operator would say now, and whether all hosts could be read. Of one that could not: its tiers, of which nothing is known."""
    from proxmox_offerings.cli.reading import preview_of, read_all  # noqa: PLC0415
    from proxmox_offerings.resources import Offering  # noqa: PLC0415

    found: list[Offering] = []
    readings = read_all(source.manifests())
    for one in map(preview_of, readings):
        found += map(Offering.parse, one.offerings)
        if one.problem:
            click.echo(f"{one.host}: {one.problem}", err=True)
            found += _unobserved(one.reading)
    return found, not any(one.problem for one in readings)


def _unobserved(reading: "Reading") -> Iterable["Offering"]:
    from proxmox_offerings.catalogue.plan import unobserved  # noqa: PLC0415
    from proxmox_offerings.resources import ObjectMeta, Offering  # noqa: PLC0415

    if reading.manifest is None:
        return
    host = reading.manifest.host
    namespace = host.metadata.namespace or DEFAULT_NAMESPACE
    for planned in unobserved(host=host):
        metadata = ObjectMeta(name=planned.name, namespace=namespace, labels=dict(planned.labels))
        yield Offering(metadata=metadata, spec=planned.spec, status=planned.statement)
