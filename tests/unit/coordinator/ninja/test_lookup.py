from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.importers.ninja import queries
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.meanings import Meanings
from coordinator.importers.ninja.parser import read
from shared.errors import GraphError, UnknownTarget


def _lookup(folder: Path, text: str) -> Lookup:
    (folder / "build.ninja").write_text("rule cc\n  command = cc $in > $out\n" + text)
    return Lookup(read(folder / "build.ninja"))


def test_a_name_is_a_path_in_any_spelling_or_what_is_made_of_it(tmp_path: Path) -> None:
    lookup = _lookup(tmp_path, "build out/a.o: cc a.c\n")

    assert lookup.targets(["./out//a.o", "a.c^"]) == ["out/a.o", "out/a.o"]
    assert lookup.targets([]) == ["out/a.o"]


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("out/a.p", "unknown target 'out/a.p'", "did you mean 'out/a.o'?"),
        ("nothing-like-it", "unknown target 'nothing-like-it'", ""),
        ("", "empty path", "name a target"),
        ("out/a.o^", "'out/a.o' has no out edge", ""),
    ],
)
def test_a_name_that_is_none(name: str, what: str, fix: str, tmp_path: Path) -> None:
    lookup = _lookup(tmp_path, "build out/a.o: cc a.c\n")

    with pytest.raises(UnknownTarget) as raised:
        lookup.target(name)

    assert (raised.value.what, raised.value.fix) == (what, fix)


def test_a_long_chain_needs_no_deep_stack(tmp_path: Path) -> None:
    lookup = _lookup(tmp_path, "".join(f"build n{i}: cc n{i + 1}\n" for i in range(20_000)))

    assert [edge.outputs[0] for edge in lookup.order(["n0"])][:2] == ["n19999", "n19998"]
    assert len(queries.inputs(lookup, ["n0"])) == 20_000


def test_a_long_chain_of_names_needs_neither_a_deep_stack_nor_long(tmp_path: Path) -> None:
    chain = "".join(f"build p{i}: phony p{i + 1}\n" for i in range(20_000))
    lookup = _lookup(tmp_path, f"{chain}build p20000: cc\n")
    makers = {path: lookup.edges[number] for path, number in lookup.makers.items()}

    assert Meanings(makers, lambda _path: False).of("p0").paths == ("p20000",)
    assert len(lookup.stand_ins()) == 20_000


def test_a_tree_without_end_is_shown_in_time(tmp_path: Path) -> None:
    chain = "".join(f"build n{i}: cc n{i + 1} n{i + 1}\n" for i in range(60))
    lookup = _lookup(tmp_path, chain)

    lines = sum(1 for _ in queries.targets_depth(lookup, 0))

    assert 100_000 < lines < 101_000


def test_a_cycle_is_told_only_when_that_is_asked_for(tmp_path: Path) -> None:
    lookup = _lookup(tmp_path, "build a: cc b\nbuild b: cc a\n")

    assert len(lookup.order(["a"])) == 2
    with pytest.raises(GraphError, match="dependency cycle: a -> b -> a"):
        lookup.order(["a"], cycles=False)


def test_validations_are_built_with_what_names_them(tmp_path: Path) -> None:
    lookup = _lookup(tmp_path, "build a: cc |@ v\nbuild v: cc a | w\nbuild w: cc\n")

    assert [edge.outputs[0] for edge in lookup.order(["a"], validations=True)] == ["a", "w", "v"]
