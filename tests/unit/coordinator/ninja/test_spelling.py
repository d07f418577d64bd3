from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coordinator.importers.ninja.spelling import canonical, packed, quoted, unpacked

_PARTS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "..."]), min_size=1, max_size=6)


@given(_PARTS)
def test_a_canonical_path_is_its_own_spelling(parts: list[str]) -> None:
    path = canonical("/".join(parts) or "a")

    assert canonical(path) == path


@given(st.lists(st.text(st.characters(exclude_characters="\n\0\r"), min_size=1)))
def test_packed_paths_are_those_that_were_packed(paths: list[str]) -> None:
    assert unpacked(packed(paths)) == tuple(paths)


def test_a_path_that_a_shell_would_not_touch_is_not_quoted() -> None:
    assert quoted("a/B-9_+.x") == "a/B-9_+.x"
    assert quoted("it's") == "'it'\\''s'"
