"""Every golden manifest means what it says, to us and to the real ninja."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from coordinator.importers.ninja import listings, queries
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.manifest import Manifest
from coordinator.importers.ninja.parser import read
from coordinator.importers.ninja.plain import PlainEdges
from shared.errors import GraphError
from tests.ninja_corpus import Case, cases, ninja, told

CASES = cases()
IDS = [f"{case.theme}: {case.name}" for case in CASES]

# ninja has these where the statement after begins; we where the one that is wrong does.
_OF_A_STATEMENT = (
    "empty path",
    "multiple rules generate",
    "is defined as an output multiple times",
    "unknown pool name",
    "expected 'depth =' line",
    "expected 'command =' line",
    "is not an input",
    "need to be both specified",
)
# ninja finds these while building, without a place.
_LATE = ("dependency cycle", "cycle in rule variables")


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_manifest_is_read_as_it_is_written_down(case: Case, tmp_path: Path) -> None:
    assert told(case.write(tmp_path)) == case.expected


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_lexer_reads_plain_edges_no_differently(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainEdges, "read", lambda _self: None)

    assert told(case.write(tmp_path)) == case.expected


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_real_ninja_agrees(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    expected = case.expected.partition("error ")[2] if case.expected.startswith("error ") else ""

    _, error = ninja(tmp_path, "-t", "targets", "all")

    if case.differs:
        assert error != expected
    elif expected.endswith("is newer than what this Windrow reads"):
        assert "incompatible with build file ninja_required_version" in error
    elif any(late in expected for late in _LATE):
        manifest = read(path)
        _make_sources(tmp_path, manifest)
        outputs = [output for edge in manifest.edges for output in edge.all_outputs]
        _, error = ninja(tmp_path, "-n", *outputs)
        assert error == expected.partition(": ")[2]
    elif any(whole in expected for whole in _OF_A_STATEMENT):
        assert error.partition(": ")[2] == expected.partition(": ")[2]
    else:
        assert error == expected
        if not expected:
            _answers_are_the_same(tmp_path, read(path), every=case.theme in {"edges", "rules"})


def _make_sources(folder: Path, manifest: Manifest) -> None:
    lookup = Lookup(manifest)
    for edge in manifest.edges:
        for source in (*edge.all_inputs, *edge.validations):
            place = folder / source
            if source not in lookup.makers and place.resolve().is_relative_to(folder) and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()


def _answers_are_the_same(folder: Path, manifest: Manifest, *, every: bool) -> None:
    """every: also those that a change of the language does not touch."""
    lookup = Lookup(manifest)
    outputs = [output for edge in manifest.edges for output in edge.all_outputs]
    # ninja takes a phony edge's own name out of its inputs, and still counts the edge as a user of it.
    if not outputs or any("names itself" in warning for warning in manifest.warnings):
        return
    nodes = list(dict.fromkeys([*lookup.makers, *lookup.users, *lookup.validated]))

    def same(lines: Iterable[str], *words: str) -> None:
        assert "".join(f"{line}\n" for line in lines) == ninja(folder, "-t", *words)[0]

    same(queries.targets_all(manifest), "targets", "all")
    same(queries.query(lookup, nodes), "query", *nodes)
    same(queries.commands(lookup, outputs), "commands", *outputs)
    same([listings.compdb(manifest, [], directory=str(folder), expand=True)], "compdb", "-x")
    _defaults_are_the_same(folder, lookup)
    _descriptions_are_the_same(folder, manifest, outputs)
    if not every:
        return
    same(queries.targets_rule(manifest, ""), "targets", "rule")
    same(queries.targets_rule(manifest, "cc"), "targets", "rule", "cc")
    same(queries.rules(manifest), "rules")
    same(queries.rules(manifest, described=True), "rules", "-d")
    same(queries.commands(lookup, outputs, single=True), "commands", "-s", *outputs)
    same(queries.inputs(lookup, outputs), "inputs", *outputs)
    same(queries.inputs(lookup, outputs, ordered=True, quote=False), "inputs", "-d", "-E", *outputs)
    same(queries.multi_inputs(lookup, outputs), "multi-inputs", *outputs)
    same([listings.compdb_targets(lookup, outputs, directory=str(folder))], "compdb-targets", *outputs)
    ours = "".join(f"{line}\n" for line in listings.graph(lookup, outputs))
    assert _numbered(ours) == _numbered(ninja(folder, "-t", "graph", *outputs)[0])


def _defaults_are_the_same(folder: Path, lookup: Lookup) -> None:
    theirs, error = ninja(folder, "-t", "commands")
    tree, _ = ninja(folder, "-t", "targets", "depth", "0")
    try:
        ours = "".join(f"{line}\n" for line in queries.commands(lookup, lookup.defaults()))
        assert ours == theirs
        assert "".join(f"{line}\n" for line in queries.targets_depth(lookup, 0)) == tree
    except GraphError as failed:
        assert failed.what == error


def _descriptions_are_the_same(folder: Path, manifest: Manifest, outputs: list[str]) -> None:
    if any(edge.dyndep for edge in manifest.edges):
        return
    _make_sources(folder, manifest)
    shown, error = ninja(folder, "-n", *outputs)
    if error:
        return  # a source that cannot be made in the folder
    told_of = [manifest.description(edge) or manifest.command(edge) for edge in manifest.edges if not edge.phony]
    if "no work to do" not in shown:
        assert sorted(shown.split("\n")) == sorted("\n".join([*told_of, ""]).split("\n"))


def _numbered(dot: str) -> list[str]:
    """A graph with its things numbered as they come, and its quotes as ninja writes them."""
    numbers: dict[str, int] = {}
    text = re.sub(r'"0x[0-9a-f]+"', lambda found: f"#{numbers.setdefault(found[0], len(numbers))}", dot)
    return text.replace('\\"', '"').split("\n")


def test_there_are_as_many_as_were_asked_for() -> None:
    assert len(CASES) >= 150
    assert len(set(IDS)) == len(IDS)


def test_a_compilation_database_is_json(tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text('rule r\n  command = "$in"\t\\\x01\nbuild a: r b"c\\d\n')
    manifest = read(tmp_path / "build.ninja")

    entries = json.loads(listings.compdb(manifest, ["r"], directory="/x"))

    assert entries == [
        {"directory": "/x", "command": '"\'b"c\\d\'"\t\\\x01', "file": 'b"c\\d', "output": "a"},
    ]
