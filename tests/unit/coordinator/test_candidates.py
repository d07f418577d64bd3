"""What a run could have found: by the names it asked for, and in the folders it listed."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.keying.candidates import Candidates
from shared.keys import shadowing
from shared.model.action import Trace
from shared.model.graph import Recipe

SOURCES = ("data/a.txt", "data/deep/b.txt", "other/a.txt", "top.txt")
RECIPE = Recipe("r:x", "r", ("x",), ("x",), ("in",), ("inc/a.txt", "inc/c.h"))


@pytest.mark.parametrize(
    ("trace", "found"),
    [
        (Trace(), []),
        (Trace(probes=("a.txt",)), ["inc/a.txt"]),
        (Trace(probes=("a.txt",), tree=True), ["data/a.txt", "inc/a.txt", "other/a.txt"]),
        (Trace(listed=("data",)), ["data/a.txt"]),
        (Trace(listed=("data/deep", "")), ["data/deep/b.txt", "in", "top.txt"]),
        (Trace(used=("made/one.txt",), listed=("made",)), ["made/one.txt"]),
        (Trace(probes=("c.h",), listed=("data",)), ["data/a.txt", "inc/c.h"]),
        (Trace(probes=("*",)), ["in", "inc/a.txt", "inc/c.h"]),
    ],
)
def test_what_is_found_under_a_name_or_in_a_listed_folder(trace: Trace, found: list[str]) -> None:
    assert Candidates(SOURCES).shadowing(RECIPE, trace) == found


def test_unread_is_what_of_it_was_not_read() -> None:
    candidates = Candidates((*SOURCES, "data/new.txt"))

    assert candidates.unread(RECIPE, Trace(used=("data/a.txt",), listed=("data",))) == ("data/new.txt",)


PATHS = st.lists(st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "f/b"]), unique=True)


@given(
    PATHS,
    PATHS,
    PATHS,
    st.lists(st.sampled_from(["a", "b", "*"]), unique=True),
    st.lists(st.sampled_from(["", "d", "d/e"]), unique=True),
    st.booleans(),
)
def test_the_index_finds_what_the_definition_does(
    inputs: list[str], candidates: list[str], sources: list[str], probes: list[str], listed: list[str], tree: bool
) -> None:
    """Only who is given the tree can list it, and candidates are sources of it."""
    recipe = Recipe("r:x", "r", ("x",), ("x",), tuple(inputs), tuple(path for path in candidates if path in sources))
    trace = Trace(probes=tuple(probes), listed=tuple(listed) if tree else (), tree=tree)
    index = Candidates(sources)

    assert index.shadowing(recipe, trace) == shadowing(trace, index.scope(recipe, trace))


class Asking(str):
    """A path that has the folders asked for while they are being gathered, as another thread may."""

    __slots__ = ()
    meanwhile: ClassVar[list[list[str]]] = []
    candidates: ClassVar[Candidates | None] = None

    def rpartition(self, sep: str, /) -> tuple[str, str, str]:
        """As of any text, after the question."""
        asked, Asking.candidates = Asking.candidates, None
        if asked is not None:
            self.meanwhile.append(asked.shadowing(RECIPE, Trace(listed=("data",))))
        return super().rpartition(sep)


def test_who_asks_while_the_folders_are_gathered_is_told_the_whole() -> None:
    candidates = Candidates(("data/a.txt", Asking("other/b.txt"), "data/c.txt"))
    Asking.meanwhile, Asking.candidates = [], candidates

    assert candidates.shadowing(RECIPE, Trace(listed=("data",))) == ["data/a.txt", "data/c.txt"]
    assert Asking.meanwhile == [["data/a.txt", "data/c.txt"]]
