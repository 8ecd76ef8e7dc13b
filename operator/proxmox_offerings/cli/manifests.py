"""Reading a FILE as one would apply it: ProxmoxHosts and their Secrets, several documents, other kinds left alone."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from proxmox_offerings.resources import ProxmoxHost

DEFAULT_NAMESPACE = "default"
NOT_YAML = (ValueError, LookupError, AttributeError, RecursionError)
"""What the YAML library raises besides its own errors: Python's for a 13th month, a number tagged as such that is none, or endless brackets."""
GROUP = "proxmox-offerings.io"
"""resources.GROUP: importing that takes a quarter of a second, which `--help` must not wait for."""


class UnreadableInput(click.ClickException):
    """The input cannot be used; the message says where and why."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An API token. The secret never shows in a representation."""

    token_id: str
    token_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostManifest:
    """A ProxmoxHost and the token of the Secret that it names."""

    host: "ProxmoxHost"
    credentials: Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A ProxmoxHost that cannot be read beside others that can, and why, in a sentence."""

    host: str
    problem: str


def read_hosts(file: TextIO) -> tuple[HostManifest, ...]:
    """The ProxmoxHosts of a file with their credentials. Raises UnreadableInput."""
    documents = list(_documents(file))
    hosts = [parse_host(document, file.name) for document in documents if _is(document, "ProxmoxHost")]
    if not hosts:
        raise UnreadableInput(f"{file.name}: there is no ProxmoxHost (apiVersion {GROUP}/v1alpha1) in it")
    secrets = {
        _key(document): document
        for document in documents
        if document.get("kind") == "Secret" and _api(document) == "v1"
    }
    return tuple(HostManifest(host=host, credentials=_credentials(host, secrets, file.name)) for host in hosts)


def _documents(file: TextIO) -> Iterator[Mapping[str, Any]]:
    import yaml  # noqa: PLC0415 - see GROUP

    try:
        parsed = list(yaml.safe_load_all(file))
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UnreadableInput(f"{file.name}{where}: this is not YAML ({error.problem})") from None
    except (yaml.YAMLError, *NOT_YAML):
        raise UnreadableInput(f"{file.name}: this is not YAML") from None
    for document in parsed:
        if document is None:
            continue
        if not isinstance(document, Mapping):
            raise UnreadableInput(f"{file.name}: a document must be a mapping with apiVersion, kind and metadata")
        yield from _items(document)


def _items(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        return [item for item in document["items"] if isinstance(item, Mapping)]
    return [document]


def _api(document: Mapping[str, Any]) -> str:
    return str(document.get("apiVersion", ""))


def _is(document: Mapping[str, Any], kind: str) -> bool:
    return document.get("kind") == kind and _api(document).startswith(f"{GROUP}/")


def _key(document: Mapping[str, Any]) -> tuple[str, str]:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return str(metadata.get("namespace") or DEFAULT_NAMESPACE), str(metadata.get("name", ""))


def parse_host(document: Mapping[str, Any], source: str, *, strict: bool = True) -> "ProxmoxHost":
    """A ProxmoxHost as a person wrote it, or (not `strict`) as the API server keeps it. Raises UnreadableInput."""
    from proxmox_offerings.resources import InvalidResource, ProxmoxHost  # noqa: PLC0415 - see GROUP

    try:
        return ProxmoxHost.parse(document, strict=strict)
    except InvalidResource as error:
        name = _key(document)[1] or "without a name"
        raise UnreadableInput(f"{source}: ProxmoxHost {name} cannot be used:\n{error}") from None


def _credentials(host: "ProxmoxHost", secrets: Mapping[tuple[str, str], Mapping[str, Any]], source: str) -> Credentials:
    name = host.spec.credentials_secret_ref.name
    namespace = host.metadata.namespace or DEFAULT_NAMESPACE
    secret = secrets.get((namespace, name))
    if secret is None:
        raise UnreadableInput(
            f"{source}: ProxmoxHost {host.metadata.name} names the Secret {name} of namespace {namespace}, "
            "which is not in the file: put it there as a further document"
        )
    return credentials_of(secret, f"{source}: Secret {name}")


def credentials_of(secret: Mapping[str, Any], where: str) -> Credentials:
    """The token that a Secret holds. Raises UnreadableInput."""
    values = {key: _value(secret, key, where) for key in ("tokenID", "tokenSecret")}
    return Credentials(token_id=values["tokenID"], token_secret=values["tokenSecret"])


def _value(secret: Mapping[str, Any], key: str, where: str) -> str:
    plain, encoded = secret.get("stringData") or {}, secret.get("data") or {}
    if isinstance(plain, Mapping) and isinstance(plain.get(key), str):
        return str(plain[key]).strip()
    if isinstance(encoded, Mapping) and isinstance(encoded.get(key), str):
        try:
            return base64.b64decode(encoded[key], validate=True).decode().strip()
        except (binascii.Error, UnicodeDecodeError):
            raise UnreadableInput(f"{where}: data.{key} is not base64 of a text") from None
    raise UnreadableInput(f'{where}: the key {key} is missing (tokenID is "user@realm!name", tokenSecret its value)')
