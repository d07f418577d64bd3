from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.importers.ninja.dyndep import Discovered, match, parse_dyndep
from coordinator.importers.ninja.lookup import Lookup
from coordinator.importers.ninja.parser import read
from shared.errors import GraphError
from tests.ninja_corpus import ninja

MANIFEST = "rule r\n  command = r $in $out\nbuild o p: r i || dd\n  dyndep = dd\nbuild z: r i\n"
V = "ninja_dyndep_version = 1\n"


def test_what_an_edge_learns_is_read() -> None:
    found = parse_dyndep(V + "# c\nbuild ./o | q ./w: dyndep | z x/../y\n  restat = 1\nbuild u: dyndep\n", "dd")

    assert found == (
        Discovered("o", ("q", "w"), ("z", "y"), restat=True, at="dd:3"),
        Discovered("u", (), (), restat=False, at="dd:5"),
    )


def test_it_is_matched_with_the_edge_of_any_of_its_outputs(tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text(MANIFEST)
    lookup = Lookup(read(tmp_path / "build.ninja"))

    assert list(match(parse_dyndep(V + "build p: dyndep | z\n", "dd"), lookup, "dd")) == [0]


@pytest.mark.parametrize(
    "text",
    [
        "", "x = 1\n", "x = 1\n" + V, "build o: dyndep\n", "ninja_dyndep_version = 2\n", "ninja_dyndep_version = 1.1\n",
        "ninja_dyndep_version = \n", "ninja_dyndep_version 1\n", V, V + V, V + "build q: dyndep\n", V + "build z: dyndep\n",
        V + "build o: dyndep\nbuild p: dyndep\n", V + "build o: dyndep\nbuild o: dyndep\n", V + "build o p: dyndep\n",
        V + "build o: r\n", V + "build o:\n", V + "build o: dyndep x\n", V + "build o: dyndep || x\n",
        V + "build o: dyndep |@ x\n", V + "build : dyndep\n", V + "build | o: dyndep\n", V + "build $x: dyndep\n",
        V + "build o: dyndep", V + "rule x\n", V + "default o\n", V + "=\n", V + "x = 3\n", V + "build o dyndep\n",
        V + "build o: dyndep\n\tx = 1\n", V + "build o: dyndep\n  foo = 1\n", V + "build o | z: dyndep\n",
        V + "build o: dyndep\n  restat = 1\n  restat = 1\n",
    ],
)  # fmt: skip
def test_what_is_wrong_is_what_the_real_ninja_says(text: str, tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text(MANIFEST)
    (tmp_path / "dd").write_text(text)
    (tmp_path / "i").touch()
    _, theirs = ninja(tmp_path, "-n", "o")

    with pytest.raises(GraphError) as raised:
        match(parse_dyndep(text, "dd"), Lookup(read(tmp_path / "build.ninja")), "dd")

    # Of the whole graph ninja says no place.
    assert theirs in {f"{raised.value.at}: {raised.value.what}", raised.value.what}


@pytest.mark.parametrize("version", ["1", "1.0", "1-x", "1.0-x"])
def test_a_version_may_have_a_suffix(version: str) -> None:
    assert parse_dyndep(f"\n# c\nninja_dyndep_version = {version}\r\n", "dd") == ()
