"""Whatever is in a FILE, `preview` answers in a sentence: a manifest that can be used, or where and why it cannot."""

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest
import yaml
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from proxmox_offerings.cli.manifests import UnreadableInput, read_hosts
from proxmox_offerings.resources import Quantity
from support.controlplane import ROOT
from support.effort import SEED, rounds

SAMPLES = tuple(path.read_text(encoding="utf-8") for path in sorted((ROOT / "manifests" / "samples").glob("*.yaml")))
DOCUMENTS = tuple([one for one in yaml.safe_load_all(text) if one] for text in SAMPLES)
EXAMPLE = yaml.safe_load(
    (Path(__file__).parents[1] / "unit/resources/examples/proxmoxhost.yaml").read_text(encoding="utf-8")
)
LONGEST = 20_000
"""Characters of an answer: nobody reads more."""


def file_of(text: str) -> TextIO:
    file = io.StringIO(text)
    file.name = "host.yaml"  # type: ignore[misc]
    return file


def read(text: str) -> bool:
    """Whether it can be used; raises whatever people would see as a stack trace."""
    answer = "fine"
    try:
        read_hosts(file_of(text))
    except UnreadableInput as refusal:
        answer = refusal.message
    assert 0 < len(answer) < LONGEST
    return answer == "fine"


odd = st.sampled_from(
    (
        *("2024-13-45", "!!int x", "!!float x", "!!bool x", "!!timestamp x", "!!binary x", "!!set {a}", "!!omap [a]"),
        *("9" * 5000, "1e999", ".nan", "-.inf", "&a [*a]", "*a", "<<: x", "[" * 3000, "{a: " * 3000, "? [a]", "\0"),
        *('"\\ud800"', "2024-01-01", "0o17", "1:60:60", "- - -", "%YAML 9.9\n---", "---", "...", "\t", "\ufeff", "é"),
    )
)
pieces = odd | st.text(max_size=12)


@st.composite
def mangled_texts(draw: st.DrawFn) -> str:
    """A sample with pieces of it cut out, moved, or replaced by something odd."""
    text = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = min(len(text), begin + draw(st.sampled_from((0, 1, 2, 10, 100))))
        put = draw(pieces | st.just(text[begin:end] * 2))
        text = text[:begin] + put + text[end:]
    return text


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary(max_size=5)
    | st.sampled_from(("4Gi", "-1", "1e99", "https://pve1:8006", "https://[::1]:1", "*", "pve[", "0", "a" * 300, "AB:CD"))
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def places(told: Any) -> list[tuple[Any, Any]]:
    """Each container with each of its keys."""
    found = []
    items = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    for key, inner in items:
        found += [(told, key), *places(inner)]
    return found


@st.composite
def mangled_objects(draw: st.DrawFn) -> list[Any]:
    """Well-formed YAML with other values, keys too many, or too few."""
    documents: list[Any] = copy.deepcopy(draw(st.sampled_from((*DOCUMENTS, [EXAMPLE, *DOCUMENTS[0]]))))
    for _ in range(draw(st.integers(1, 4))):
        left = places(documents)
        if not left:
            break
        container, key = draw(st.sampled_from(left))
        try:
            match draw(st.sampled_from(("put", "put", "drop", "add"))):
                case "put":
                    container[key] = draw(values)
                case "drop":
                    del container[key]
                case "add" if isinstance(container, dict):
                    container[draw(st.text(max_size=8) | st.integers() | st.none())] = draw(values)
        except LookupError:
            pass  # an earlier change has taken it away
    return documents


usual = settings(derandomize=False, suppress_health_check=list(HealthCheck))
quick = settings(usual, derandomize=True)


@settings(quick, max_examples=60)
@given(mangled_texts())
def test_no_text_ends_in_a_stack_trace(text: str) -> None:
    read(text)


@settings(quick, max_examples=60)
@given(mangled_objects())
def test_no_value_ends_in_a_stack_trace(documents: list[Any]) -> None:
    read(yaml.safe_dump_all(documents, allow_unicode=True))


@settings(quick, max_examples=300)
@given(st.text(alphabet="0123456789.+-eEkKMGTPimnu x٤", max_size=40) | st.text(max_size=5) | scalars)
def test_a_quantity_is_an_exact_amount_or_refused(written: Any) -> None:
    try:
        quantity = Quantity.parse(written)
    except ValueError:
        return
    assert Quantity.parse(str(quantity)) == quantity
    assert quantity.bytes - 1 < quantity.value <= quantity.bytes


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("at: 2024-13-45", id="a date that is none"),
        pytest.param("a: !!int x", id="a number that is none"),
        pytest.param("a: !!bool x", id="a boolean that is none"),
        pytest.param("a: !!timestamp x", id="a time that is none"),
        pytest.param("a: " + "9" * 5000, id="a number of 5000 digits"),
        pytest.param("[" * 2000, id="nested too deeply"),
        pytest.param("{a: " * 3000, id="nested too deeply in mappings"),
    ],
)
def test_what_the_yaml_library_stumbles_over_is_told_as_unreadable(text: str) -> None:
    with pytest.raises(UnreadableInput, match="not YAML"):
        read_hosts(file_of(text))


def test_the_samples_are_fine() -> None:
    """Else nothing of the above would look beyond the first line."""
    assert all(map(read, SAMPLES))


@pytest.mark.long
def test_long_no_file_ends_in_a_stack_trace(record_property: Callable[[str, object], None]) -> None:
    done = 0
    for number in rounds():

        @seed(SEED + number)
        @settings(usual, max_examples=200)
        @given(
            mangled_texts() | mangled_objects().map(lambda documents: yaml.safe_dump_all(documents, allow_unicode=True))
        )
        def search(text: str) -> None:
            read(text)

        search()
        done += 200
    record_property("done", f"{done} mangled files (SEED={SEED})")
