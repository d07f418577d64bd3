"""Random manifests: what the real ninja runs for them is what we say."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator.importers.ninja import queries
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.parser import read
from shared.errors import GraphError
from tests.ninja_corpus import ninja

_NAMES = st.sampled_from(["x", "y", "z.w", "command", "description", "pool", "in"])
_VALUES = st.lists(
    st.sampled_from(["a", " ", "$x", "${y}", "${z.w}", "$$", "$ ", "$:", "$\n   ", "é", "=", "#", "'", "|", "$in"]),
    max_size=5,
).map("".join)
_PATHS = st.sampled_from(["a", "./b", "c/../d", "e$ f", "g$:h", "$x", "i${y}", "../j", "é", "o0", "o1", "o2", "k'l"])
_MARKS = st.sampled_from([" ", "  ", " $\n    "])


@st.composite
def _lists(draw: st.DrawFn) -> str:
    text = ""
    for mark in ("", "|", "||", "|@"):
        paths = draw(st.lists(_PATHS, max_size=2))
        if mark and not paths:
            continue
        text += "".join(draw(_MARKS) + word for word in ([mark] if mark else []) + paths)
    return text


@st.composite
def _edges(draw: st.DrawFn, number: int) -> str:
    outputs = draw(st.sampled_from(["o{}", "./o{}", "o{} p{}", "o{} | q{}", "$x{}", "n/../o{}"])).replace(
        "{}", str(number)
    )
    rule = draw(st.sampled_from(["cc", "dd", "phony"]))
    block = "".join(f"  {draw(_NAMES)} = {draw(_VALUES)}\n" for _ in range(draw(st.integers(0, 3))))
    return f"build {outputs}: {rule}{draw(_lists())}\n{block}"


@st.composite
def _manifests(draw: st.DrawFn) -> str:
    parts = ["rule cc\n  command = cc $in -o $out $x ${z.w}\nrule dd\n  command = dd $in_newline $description\n"]
    parts += ["  description = D $out $y\nx = 1\n"]
    for number in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            parts.append(f"{draw(_NAMES)} = {draw(_VALUES)}\n")
        parts.append(draw(_edges(number)))
        parts.append(draw(st.sampled_from(["", "\n", "# c\n", "\n# c\n\n"])))
    return "".join(parts)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_manifests())
def test_the_commands_of_any_manifest_are_those_of_the_real_ninja(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "build.ninja"
        path.write_text(text, encoding="utf-8")
        said, error = "", ""
        outputs: list[str] = []

        try:
            manifest = read(path)
            outputs = [output for edge in manifest.edges for output in edge.all_outputs]
            said = "".join(f"{line}\n" for line in queries.commands(Lookup(manifest), outputs))
        except GraphError as failed:
            error = failed.what

        theirs, their_error = ninja(Path(folder), "-t", "commands", *outputs)
        assert their_error.endswith(error) if error else their_error == ""
        assert said == ("" if error else theirs)
