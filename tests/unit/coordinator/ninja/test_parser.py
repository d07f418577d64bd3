from __future__ import annotations

import gc
from pathlib import Path

import pytest

from coordinator.importers.ninja.parser import read
from shared.errors import GraphError, LocalError


def test_what_the_importer_asks_for_is_there(tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text(
        "builddir = out\nninja_required_version = 1.5\npool p\n  depth = 2\n"
        "rule cc\n  command = cc $in\n  depfile = $out.d\n  deps = gcc\n  restat = 1\n"
        "subninja sub\ndefault a\n"
    )
    (tmp_path / "sub").write_text("build a: cc b\n  local = 1\n  pool = p\n")

    manifest = read(tmp_path / "build.ninja")

    edge = manifest.edges[0]
    assert (edge.at, edge.pool, manifest.value(edge, "local")) == ("sub:1", "p", "1")
    assert (manifest.depfile(edge), manifest.deps(edge), manifest.restat(edge)) == ("a.d", "gcc", True)
    assert manifest.variables == {"builddir": "out", "ninja_required_version": "1.5"}
    assert (manifest.pools, manifest.defaults) == ({"console": 1, "p": 2}, ("a",))
    assert (manifest.files, sorted(manifest.rules)) == (("build.ninja", "sub"), ["cc", "phony"])


def test_a_file_that_is_not_there_is_a_local_error(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"build\.ninja"):
        read(tmp_path / "build.ninja")


def test_an_error_says_why_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text("rule r\n  command = x\nbuild a: r\nbuild a: r\n")

    with pytest.raises(GraphError) as raised:
        read(tmp_path / "build.ninja")

    assert (raised.value.at, raised.value.why) == ("build.ninja:4", "the edge at build.ninja:3 makes it too")
    assert raised.value.fix == "give one of them another output"


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_collection_is_left_as_it_was(collecting: bool, tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text("x\n")
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()

    with pytest.raises(GraphError):
        read(tmp_path / "build.ninja")

    found = gc.isenabled()
    (gc.enable if was else gc.disable)()
    assert found == collecting
