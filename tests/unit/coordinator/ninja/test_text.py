from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coordinator.importers.ninja.text import bindings, escaped, expand, pieces

_LINES = st.text(st.characters(exclude_characters="\n\r\0"))


@given(_LINES)
def test_an_escaped_value_expands_to_itself(value: str) -> None:
    assert expand(escaped(value), lambda _name: "WRONG") == value


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9_.\-]+", fullmatch=True), _LINES))
def test_a_block_says_what_was_put_in(values: dict[str, str]) -> None:
    block = "".join(f"{name}={escaped(value)}\n" for name, value in values.items())

    assert bindings(block) == values


def test_pieces_are_literals_and_the_variables_between() -> None:
    assert pieces("a$$ $b${c.d}$\n  e") == (("a$ ", "", "e"), ("b", "c.d"))
