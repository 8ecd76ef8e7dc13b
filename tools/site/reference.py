"""Reference pages from the code: `python -m tools.site.reference` writes them, `--check` only compares.

They are committed, because readers of the repository need them too, and compared by `make lint`.
"""

import argparse
import inspect
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from proxmox_offerings.cli.main import cli
from proxmox_offerings.cli.terminal import Invocation
from proxmox_offerings.resources.crd import crds
from tools.chart import generate
from tools.site.pages import LANGUAGES, ROOT, slug

REFERENCE = ROOT / "docs" / "reference"
CONSUMERS = ROOT / "docs" / "how-to" / "write-a-consumer.md"
REMEDY = "make docs-reference"
EXAMPLE = re.compile(rf"(<!-- (?P<name>\S+): written by `{REMEDY}` -->\n).*?(<!-- end -->)", re.DOTALL)
RULE = """\
> **Sell only if `status.stock` is `InStock` or `LowStock` and now is before `status.validUntil`.** No status means not offered.
"""


def pages() -> dict[Path, str]:
    """What each page has to hold."""
    definitions = {text["spec"]["names"]["kind"]: text for text in map(yaml.safe_load, crds().values())}
    return {
        REFERENCE / "proxmoxhost.md": resource(definitions["ProxmoxHost"], ""),
        REFERENCE / "offering.md": resource(definitions["Offering"], RULE),
        REFERENCE / "cli.md": command_line(),
        CONSUMERS: with_examples(CONSUMERS.read_text(encoding="utf-8")),
    }


def settle(*, check: bool) -> None:
    """Write the pages that differ, or exit naming them."""
    generate.settle(pages(), check=check, remedy=REMEDY)


def with_examples(page: str) -> str:
    """The page with the examples as they are in their files, so that what is shown is what is tested."""

    def example(found: re.Match[str]) -> str:
        path = ROOT / found["name"]
        return f"{found[1]}\n```{LANGUAGES[path.suffix]}\n{path.read_text(encoding='utf-8')}```\n\n{found[3]}"

    return EXAMPLE.sub(example, page)


def resource(definition: Mapping[str, Any], rule: str) -> str:
    """A page on one kind."""
    spec = definition["spec"]
    names, (version,) = spec["names"], spec["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    out = io.StringIO()
    say = _to(out)
    say(f"# {names['kind']}")
    say(f"<!-- Generated from the models by `{REMEDY}`. Do not edit. -->")
    say(schema["description"])
    say(rule)
    say(
        f"`apiVersion: {spec['group']}/{version['name']}`, `kind: {names['kind']}`, {spec['scope'].lower()}; short for `kubectl get`: "
        + ", ".join(f"`{name}`" for name in names["shortNames"])
        + f". The same in a terminal: `kubectl explain {names['singular']}.spec`."
    )
    say(_rules(schema))
    for part in ("spec", "status"):
        say(f"## {part}")
        say(schema["properties"][part].get("description", ""))
        _object(say, part, schema["properties"][part])
    columns = version["additionalPrinterColumns"]
    say("## What kubectl get shows")
    say(
        _table(
            ("column", "what it is", "from", ""),
            (
                (
                    column["name"],
                    column.get("description", ""),
                    f"`{column['jsonPath']}`",
                    "`-o wide`" if column.get("priority") else "",
                )
                for column in columns
            ),
        )
    )
    fields = version.get("selectableFields", ())
    if fields:
        say("## What can be selected by")
        say(
            "With `--field-selector`, one or several separated by commas: "
            + ", ".join(f"`{one['jsonPath'].removeprefix('.')}`" for one in fields)
            + "."
        )
    return out.getvalue().rstrip("\n") + "\n"


def _object(say: Any, path: str, schema: Mapping[str, Any]) -> None:
    """A table of its fields, and a section for each of those that have fields."""
    required = set(schema.get("required", ()))
    rows, inside = [], []
    for name, field in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        deeper, suffix = _fields_in(field)
        if deeper is not None:
            inside.append((where + suffix, deeper))
        shown = f"[`{name}`](#{slug(where + suffix)})" if deeper is not None else f"`{name}`"
        rows.append(
            (shown + (" **required**" if name in required else ""), _type(field), _default(field), _text(field, deeper))
        )
    say(_table(("field", "type", "default", "what it is"), rows))
    for where, deeper in inside:
        say(f"### {where}")
        _object(say, where, deeper)


def _fields_in(field: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
    if field.get("properties"):
        return field, ""
    items = field.get("items", {})
    return (items, "[]") if items.get("properties") else (None, "")


def _type(field: Mapping[str, Any]) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}s"
    if field.get("enum"):
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    return "time" if field.get("format") == "date-time" else str(field["type"])


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field:
        return ""
    written = (
        yaml.safe_dump(field["default"], default_flow_style=True, width=10_000, sort_keys=False)
        .strip()
        .removesuffix("\n...")
        .strip()
    )
    return f"`{written}`"


def _text(field: Mapping[str, Any], deeper: Mapping[str, Any] | None) -> str:
    said = [" ".join(field.get("description", "").split()), *_bounds(field)]
    items = field.get("items")
    if items is not None and deeper is None:
        said += [f"Each: {bound[0].lower()}{bound[1:]}" for bound in _bounds(items)]
    rules = _rules(field)
    return " ".join(filter(None, said)) + (f" {rules}" if rules else "")


def _bounds(field: Mapping[str, Any]) -> Iterator[str]:
    """What the schema adds to what the description tells already."""
    told = set(re.findall(r"\d+", field.get("description", "")))
    words = {
        "number": (field.get("minimum"), field.get("maximum")),
        "characters": (field.get("minLength"), field.get("maxLength")),
        "entries": (field.get("minItems"), field.get("maxItems")),
    }
    for unit, (least, most) in words.items():
        what = "" if unit == "number" else f" {unit}"
        if {str(bound) for bound in (least, most) if bound is not None} <= told:
            continue
        if least is not None and most is not None:
            yield f"{least} to {most}{what}."
        elif least is not None:
            yield f"At least {least}{what}."
        elif most is not None:
            yield f"At most {most}{what}."
    if "pattern" in field:
        yield f"Pattern: `{field['pattern']}`."
    keys = field.get("x-kubernetes-list-map-keys")
    if keys:
        yield f"One entry for each `{'`, `'.join(keys)}`."


def _rules(schema: Mapping[str, Any]) -> str:
    messages = [rule["message"] for rule in schema.get("x-kubernetes-validations", ()) if "message" in rule]
    where = {
        rule["message"]: rule.get("fieldPath", "")
        for rule in schema.get("x-kubernetes-validations", ())
        if "message" in rule
    }
    return " ".join(
        f"*{where[message].removeprefix('.') + ': ' if where[message] else ''}{_plain(message)}.*"
        for message in dict.fromkeys(messages)
    )


def _plain(text: str) -> str:
    """A placeholder such as <host> is no tag, and an asterisk no emphasis."""
    return text.replace("<", "&lt;").replace("*", "\\*")


def command_line() -> str:
    """A page on all commands."""
    out = io.StringIO()
    say = _to(out)
    say("# Command line")
    say(f"<!-- Generated from the commands by `{REMEDY}`. Do not edit. -->")
    say(
        "What `-h` says of each command, on one page. Environment variables have the same meaning as the option that they stand beside."
    )
    for found in commands(top()):
        _command(say, found)
    return out.getvalue().rstrip("\n") + "\n"


def top() -> click.Context:
    """Where all commands begin."""
    return click.Context(cli, info_name="proxmox-offerings", obj=Invocation(), **cli.context_settings)


def commands(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None and not command.hidden:
                yield from commands(click.Context(command, info_name=name, parent=context, **command.context_settings))


def _command(say: Any, context: click.Context) -> None:
    command = context.command
    say(f"## {context.command_path}")
    text = (command.help or command.short_help or "").split("\f")[0]
    say(_prose(text))
    usage = " ".join(command.collect_usage_pieces(context))
    say(f"```text\n{context.command_path} {usage}\n```")
    if isinstance(command, click.Group):
        rows = []
        for name in command.list_commands(context):
            inside = command.get_command(context, name)
            if inside is not None and not inside.hidden:
                path = f"{context.command_path} {name}"
                rows.append((f"[`{name}`](#{slug(path)})", inside.get_short_help_str(limit=200)))
        say(_table(("command", ""), rows))
    options = [row for parameter in command.get_params(context) if (row := _option(parameter, context))]
    say(_table(("option", "environment variable", "what it does"), options))


def _option(parameter: click.Parameter, context: click.Context) -> tuple[str, str, str] | None:
    if not isinstance(parameter, click.Option) or parameter.hidden:
        return None
    record = parameter.get_help_record(context)
    if record is None:
        return None
    names, text = record
    shown = re.sub(r"\s*\[env var: [^\]]*\]", "", text).replace("<", "&lt;")
    return f"`{names.strip()}`", ", ".join(f"`{name}`" for name in variables(parameter, context)), shown


def variables(option: click.Option, context: click.Context) -> list[str]:
    """The environment variables that set an option."""
    if option.envvar:
        return [option.envvar] if isinstance(option.envvar, str) else list(option.envvar)
    prefix = context.auto_envvar_prefix if context.command.context_settings.get("auto_envvar_prefix") else None
    ours = option.expose_value and option.allow_from_autoenv and option.name
    return [f"{prefix}_{option.name.upper()}"] if prefix and ours and option.name else []


def _prose(text: str) -> str:
    """Paragraphs as they are; those that click leaves unwrapped, as code."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return "\n\n".join(
        f"```text\n{one.removeprefix(chr(8)).strip(chr(10))}\n```" if one.startswith("\b") else one
        for one in paragraphs
    )


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [" | ".join(_cell(cell) for cell in row) for row in rows]
    if not lines:
        return ""
    return "\n".join((f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {line} |" for line in lines)))


def _cell(text: str) -> str:
    """A bar would end the cell, within code too."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def _to(out: io.StringIO) -> Any:
    def say(text: str) -> None:
        if text:
            out.write(f"{text.strip()}\n\n")

    return say


def main() -> None:
    """Write, or compare."""
    arguments = argparse.ArgumentParser(prog="python -m tools.site.reference", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing, only compare")
    settle(check=arguments.parse_args().check)


if __name__ == "__main__":
    main()
