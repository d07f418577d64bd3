"""Paths of results, as they are stored and as they are in a tree."""

from __future__ import annotations

import pytest

from shared.model.action import ActionResult, Output, Trace
from shared.relocation import local_result, portable, portable_result

RESULT = ActionResult(
    key="k", outputs=(Output("obj/src/app/a.o", "sha256:0", 1, "file"),), trace=Trace(used=("src/app/a.h",))
)


@pytest.mark.parametrize(("root", "stored"), [("/src/app", "obj\0/a.o"), ("/", "obj/src/app/a.o"), ("", "obj/src/app/a.o")])
def test_the_tree_s_own_path_is_marked_unless_it_is_the_same_anywhere(root: str, stored: str) -> None:
    kept = portable_result(RESULT, root)

    assert (kept.outputs[0].path, portable("obj/src/app/a.o", root)) == (stored, stored)
    assert local_result(kept, root) == RESULT
