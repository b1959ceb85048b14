"""TOML as the lab writes it: what tomllib reads back is what went in."""

import tomllib
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.render.toml import format_toml

SCALARS = st.one_of(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x7f")),
    st.integers(-(2**62), 2**62),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
)
KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=8)
TABLES = st.recursive(
    st.dictionaries(KEYS, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4),
    lambda inner: st.dictionaries(KEYS, st.one_of(SCALARS, inner, st.lists(inner, min_size=1, max_size=3)), max_size=4),
    max_leaves=12,
)


@settings(deadline=None, derandomize=True)
@given(TABLES)
def test_what_is_written_is_read_back(table: dict[str, object]) -> None:
    assert tomllib.loads(format_toml(table)) == table


def test_paths_and_addresses_become_texts_and_none_is_left_out() -> None:
    written = format_toml({"a": Path("/x"), "b": IPv4Address("10.0.0.1"), "c": None})
    assert tomllib.loads(written) == {"a": "/x", "b": "10.0.0.1"}


def test_a_moment_is_read_back_with_its_zone() -> None:
    moment = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
    assert tomllib.loads(format_toml({"until": moment})) == {"until": moment}


def test_a_list_of_tables_becomes_an_array_of_tables() -> None:
    text = format_toml({"peers": [{"host": "a"}, {"host": "b", "tls": {"ca": "c"}}]})
    assert text.count("[[peers]]") == 2
    assert "[peers.tls]" in text


def test_anything_else_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        format_toml({"a": object()})
