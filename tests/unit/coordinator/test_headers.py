"""What a compile of an imported build is given before a run has told what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.dispatch.prepare import SourceMoved
from coordinator.dispatch.tree import RunTree
from coordinator.imported.headers import Headers
from shared import hashing
from shared.model.action import ActionResult, Output
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.snapshot import Snapshot
from shared.settings import Settings
from shared.storage.memory import MemoryBlobs

FILES = {
    "src/a.c": '#include "a.h"\n#include <lib.h>\n',
    "inc/a.h": '#include "deep.h"\n',
    "inc/deep.h": "",
    "inc/lib.h": "",
    "other/lib.h": "",
    "inc/unrelated.h": "",
}


class Compiling:
    """A tree on disk in which one file is compiled."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self.blobs = MemoryBlobs()
        self.settings = Settings(self.root, "x", "main", folder / "cache")
        self.headers = Headers(self.settings, self.blobs)
        self.files = dict(FILES)
        for path, text in FILES.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        self.files[path] = text
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def recipe(self, command: str = "gcc -I../inc -c ../src/a.c -o a.o") -> Recipe:
        candidates = tuple(sorted(path for path in self.files if path.endswith(".h")))
        return Recipe(
            "cc:build/a.o", "cc", ("/bin/sh", "-c", command), ("build/a.o",), ("src/a.c",), candidates,
            root=str(self.root), cwd="build", finds="includes", loose=True, after=("build/gen.h",),
        )  # fmt: skip

    def tree(self, recipe: Recipe) -> RunTree:
        sources = {path: FileState(hashing.of_bytes(text.encode()), len(text)) for path, text in self.files.items()}
        generator = Recipe("gen:build/gen.h", "gen", ("gen",), ("build/gen.h",))
        return RunTree(BuildGraph([generator, recipe]), Snapshot(sources, {}), None)

    def given(self, recipe: Recipe | None = None, tree: RunTree | None = None) -> set[str]:
        recipe = recipe or self.recipe()
        return {path for path in self.headers(recipe, tree or self.tree(recipe)) if path in self.files or "gen" in path}


@pytest.fixture
def compiling(tmp_path: Path) -> Compiling:
    return Compiling(tmp_path)


def test_it_is_given_what_its_sources_come_by_and_others_of_these_names(compiling: Compiling) -> None:
    given = compiling.given()

    # other/lib.h is not on its way, but a run could have found it: it is in the key.
    assert given == {"src/a.c", "inc/a.h", "inc/deep.h", "inc/lib.h", "other/lib.h"}


def test_a_scan_in_doubt_gives_every_source(compiling: Compiling) -> None:
    compiling.write("src/a.c", "#include WHO_KNOWS(x)\n")

    assert compiling.given() == set(compiling.files)


def test_a_header_made_in_this_build_is_found_and_read_once_it_is_there(compiling: Compiling) -> None:
    compiling.write("src/a.c", '#include "gen.h"\n')
    recipe = compiling.recipe("gcc -I../inc -I. -c ../src/a.c")
    tree = compiling.tree(recipe)
    before = compiling.given(recipe, tree)

    data = b'#include "deep.h"\n'
    digest = hashing.of_bytes(data)
    compiling.blobs.put(digest, data)
    tree.take("gen:build/gen.h", ActionResult("key", (Output("build/gen.h", digest, len(data)),)))

    assert "inc/deep.h" not in before
    assert {"build/gen.h", "inc/deep.h"} <= compiling.given(recipe, tree)


def test_a_made_header_whose_bytes_are_gone_is_no_error(compiling: Compiling) -> None:
    compiling.write("src/a.c", '#include "gen.h"\n')
    recipe = compiling.recipe("gcc -I. -c ../src/a.c")
    tree = compiling.tree(recipe)
    tree.take("gen:build/gen.h", ActionResult("key", (Output("build/gen.h", hashing.of_bytes(b"gone"), 4),)))

    assert "build/gen.h" in compiling.given(recipe, tree)


def test_another_tree_is_looked_at_anew(compiling: Compiling) -> None:
    compiling.given()

    compiling.write("inc/deep.h", '#include "new.h"\n')
    compiling.write("inc/new.h", "")

    assert "inc/new.h" in compiling.given()


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_a_source_that_changed_since_the_scan_ends_the_pass(compiling: Compiling, change: str) -> None:
    recipe = compiling.recipe()
    tree = compiling.tree(recipe)
    if change == "edited":
        (compiling.root / "inc/a.h").write_text('#include "unrelated.h"\n')
    else:
        (compiling.root / "inc/a.h").unlink()

    with pytest.raises(SourceMoved, match=r"inc/a\.h"):
        compiling.given(recipe, tree)


def test_what_was_learnt_serves_the_next_build(compiling: Compiling) -> None:
    first = compiling.given()
    assert compiling.headers.save() == ""

    compiling.headers = Headers(compiling.settings, compiling.blobs)
    for path in FILES:
        (compiling.root / path).unlink()

    assert compiling.given() == first
