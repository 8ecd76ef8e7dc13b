"""The single values that resources are made of, each with its bounds and the sentence for whoever writes it wrong.

Bounds on length are everywhere: the API server estimates the cost of CEL rules from them, and refuses a schema that could become expensive.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from proxmox_offerings.resources.quantity import Quantity
from proxmox_offerings.resources.rules import Rule
from proxmox_offerings.resources.text import clean

DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
"""The form of a DNS label (RFC 1123), without its length."""

Int = Annotated[int, Field(strict=True)]
Bool = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(max_length=256)]
"""A short text for people."""
Name = Annotated[str, Field(min_length=1, max_length=128)]
"""A name for people."""
Glob = Annotated[str, Field(min_length=1, max_length=128)]
"""A pattern in which only `*` (any text) and `?` (one character) are special; case matters."""

DNSLabel = Annotated[
    str,
    Field(min_length=1, max_length=63),
    Rule.pattern(
        DNS_LABEL,
        "must be lower-case letters, digits and '-', beginning and ending with a letter or digit, such as 'small'",
    ),
]
TierName = Annotated[
    str,
    Field(min_length=1, max_length=20),
    Rule.pattern(
        DNS_LABEL,
        "must be at most 20 lower-case letters, digits and '-', beginning and ending with a letter or digit, such as 'small': "
        "it becomes part of the Offering's name",
    ),
]
SecretName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    Rule.pattern(
        rf"{DNS_LABEL}(\.{DNS_LABEL})*",
        "must be the name of a Secret of this namespace: lower-case letters, digits, '-' and '.'",
    ),
]
Endpoint = Annotated[
    str,
    Field(min_length=1, max_length=300),
    Rule(
        cel="self.startsWith('https://')",
        message="must begin with https:// such as https://pve1.example.net:8006: credentials are sent over TLS only",
        holds=lambda text: text.startswith("https://"),
    ),
    Rule(
        cel="!self.contains('@')",
        message="must not contain user-info ('user@'): the API token belongs in the Secret named by credentialsSecretRef",
        holds=lambda text: "@" not in text,
    ),
    Rule.pattern(
        r"[A-Za-z]+://[^/?#\s]*",
        "must end after the host or port, without a path, '/', '?', '#' or blank, such as https://pve1.example.net:8006",
    ),
    Rule.pattern(
        r"[A-Za-z]+://([^/?#\s]*@)?([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
        r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?([/?#\s].*)?",
        "must name a host and, if any, a port from 1 to 65535, such as https://pve1.example.net:8006 or https://[2001:db8::1]:8006",
    ),
]
Fingerprint = Annotated[
    str,
    Field(max_length=95),
    Rule.pattern(
        "[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}",
        "must be a SHA-256 fingerprint: 32 pairs of hexadecimal digits joined by ':' (AB:CD:...), as Proxmox shows it under Certificates",
    ),
]
CABundle = Annotated[
    str,
    Field(max_length=65536),
    Rule(
        cel="self.contains('-----BEGIN CERTIFICATE-----')",
        message="must be certificates in PEM form (-----BEGIN CERTIFICATE-----)",
        holds=lambda text: "-----BEGIN CERTIFICATE-----" in text,
    ),
]
Country = Annotated[
    str,
    Field(max_length=16),
    Rule.pattern(
        "[A-Z]{2}",
        'must be a country code of two upper-case letters (ISO 3166-1 alpha-2), such as DE, or "NO" in quotes',
    ),
]
Latitude = Annotated[
    str,
    Field(max_length=16),
    Rule.pattern(
        r"[+-]?(90(\.0+)?|[0-8]?[0-9](\.[0-9]+)?)",
        'must be decimal degrees from -90 to 90 in quotes, such as "50.11" (south is negative)',
    ),
]
Longitude = Annotated[
    str,
    Field(max_length=16),
    Rule.pattern(
        r"[+-]?(180(\.0+)?|(1[0-7]|[0-9])?[0-9](\.[0-9]+)?)",
        'must be decimal degrees from -180 to 180 in quotes, such as "8.68" (west is negative)',
    ),
]
Bridge = Annotated[
    str,
    Field(min_length=1, max_length=32),
    Rule.pattern("[A-Za-z0-9][-A-Za-z0-9_.]*", "must be the name of a bridge or SDN vnet, such as vmbr0"),
]
Tag = Annotated[
    str,
    Field(min_length=1, max_length=64),
    Rule.pattern(
        "[A-Za-z0-9_][-A-Za-z0-9_+.]*", "must be a tag as Proxmox VE allows it: letters, digits, '_', '-', '+' and '.'"
    ),
]
Currency = Annotated[
    str,
    Field(max_length=16),
    Rule.pattern("[A-Z]{3}", "must be a currency code of three upper-case letters (ISO 4217), such as EUR"),
]
Money = Annotated[
    str,
    Field(max_length=32),
    Rule.pattern(
        r"[0-9]{1,12}(\.[0-9]{1,4})?", 'must be a decimal amount in quotes with at most four decimals, such as "5.00"'
    ),
]
Rate = Annotated[
    str,
    Field(max_length=32),
    Rule.pattern(
        r"[0-9]{1,12}(\.[0-9]{1,6})?", 'must be a decimal price in quotes with at most six decimals, such as "0.80"'
    ),
]
"""The price of one of something; finer than a price that is paid."""
Step = Annotated[
    Money,
    Rule(
        cel="self.matches('[1-9]')",
        message='must be greater than 0, such as "0.05"',
        holds=lambda text: re.search("[1-9]", text) is not None,
    ),
]


def _cleaned(longest: int) -> BeforeValidator:
    """What was seen of others is shown printable and cut, never refused: no status holds anything else, whoever made it."""
    return BeforeValidator(lambda text: clean(text, most=longest) if isinstance(text, str) else text)


Word = Annotated[str, _cleaned(256), Field(max_length=256)]
"""A name, word or short phrase in a status, printable and cut to 256 characters."""
Sentence = Annotated[str, _cleaned(4096), Field(max_length=4096)]
"""A sentence in a status, printable and cut to 4096 characters."""


def is_dns_label(text: str) -> bool:
    """Whether `text` has the form of a DNS label, whatever its length."""
    return re.fullmatch(DNS_LABEL, text) is not None


def _amount(*, form: str, kind: str, example: str, least: str, below: str) -> tuple[Rule, Rule]:
    """Rules for an amount written by a person: `form` of the text, in words `kind`, then the range. `least` "0" allows zero, "+" does not."""
    compiled = re.compile(form)
    ceiling = Quantity.parse(below)
    lower = "isGreaterThan(quantity('0'))" if least == "+" else "compareTo(quantity('0')) >= 0"
    range_words = "greater than 0" if least == "+" else "0 or more"
    return (
        Rule(
            cel=f"type(self) == int || self.matches('^({form})$')",
            message=f"must be {kind}, such as {example}",
            holds=lambda amount: compiled.fullmatch(str(amount)) is not None,
            instead_of="pattern",
        ),
        Rule(
            cel=f"!isQuantity(string(self)) || (quantity(string(self)).{lower} && quantity(string(self)).isLessThan(quantity('{below}')))",
            message=f"must be {range_words} and less than {below}, such as {example}",
            holds=lambda amount: (
                (amount.value > 0 if least == "+" else amount.value >= 0) and amount.value < ceiling.value
            ),
        ),
    )


_BYTES = r"[+-]?[0-9]{1,19}([.][0-9]{1,9})?([kMGTPE]|[KMGTPE]i)|[+-]?[0-9]{1,19}([eE][0-9]{1,2})?"
_BYTES_WORDS = "bytes, plain or in k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei"
_CPUS = r"[+-]?[0-9]{1,9}([.][0-9]{1,3})?|[+-]?[0-9]{1,9}m"
_POSITIVE_BYTES = _amount(form=_BYTES, kind=_BYTES_WORDS, example="4Gi", least="+", below="1Ei")
_SOME_BYTES = _amount(form=_BYTES, kind=_BYTES_WORDS, example="2Gi or 0", least="0", below="1Ei")
_SOME_CPUS = _amount(form=_CPUS, kind="a number of processors", example="2, 0.5 or 500m", least="0", below="100k")

PositiveBytes = Annotated[Quantity, _POSITIVE_BYTES[0], _POSITIVE_BYTES[1]]
"""Bytes, more than none. A fraction of a byte ("0.3Ki") rounds up."""
Bytes = Annotated[Quantity, _SOME_BYTES[0], _SOME_BYTES[1]]
"""Bytes, or none."""
CPUs = Annotated[Quantity, _SOME_CPUS[0], _SOME_CPUS[1]]
"""Threads or cores, down to thousandths, or none."""


def _whole_seconds_of_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[
    AwareDatetime,
    AfterValidator(_whole_seconds_of_utc),
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment in UTC, cut to whole seconds; on the wire `2026-11-24T03:48:02Z`."""
