"""What is kept as text says the same as what it was made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.kube.packed import Packed

CONTENT = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
)


@given(content=CONTENT)
def test_whatever_json_holds_is_kept(content: dict[str, object]) -> None:
    packed = Packed(content)
    assert packed == content
    assert {**packed} == content
    assert packed == Packed(dict(reversed(content.items())))


def test_it_differs_from_what_it_is_not() -> None:
    packed = Packed({"available": 3})
    assert packed != {"available": 2}
    assert packed != Packed({"available": 2})
    assert packed.get("stock") is None
    with pytest.raises(KeyError):
        packed["stock"]
