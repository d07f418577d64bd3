"""Whatever is edited, a build by Windrow leaves what a clean build by ninja would, and runs nothing that ninja would not."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests import sweeps
from tests.scenarios.ninja_pair import Pair
from tests.scenarios.ninja_story import Edit, Project, Story, stories

# 320 rounds of edits; half of that in the ordinary suite.
PARTS, EXAMPLES, ROUNDS = 8 if sweeps.ALL else 4, 4, 10


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_random_edits_end_as_a_clean_build_by_ninja_does(part: int, tmp_path: Path) -> None:
    numbers = itertools.count()

    @seed(part)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if os.environ.get("CI") else [Phase.generate, Phase.shrink],
    )
    @given(stories(ROUNDS))
    def tell(story: Story) -> None:
        home = tmp_path / str(next(numbers))
        try:
            play(story, Pair(home))
        finally:
            shutil.rmtree(home)

    tell()


def play(story: Story, pair: Pair) -> None:
    """Do what a story says, and compare after each round."""
    project = Project(story.edges, below=story.below)
    for edits in ((), *story.rounds):
        for edit in edits:
            project.edit(edit)
            harm(edit, project, pair)
        lay_out(project, pair)
        compare(project, pair)
        project.remember()


def harm(edit: Edit, project: Project, pair: Pair) -> None:
    """Edits of what was made."""
    outputs = project.outputs()
    if not outputs or edit.kind not in ("delete output", "alter output"):
        return
    path = project.down + outputs[edit.which % len(outputs)]
    for folder in (pair.ninja, pair.windrow):
        if edit.kind == "delete output":
            (folder / path).unlink(missing_ok=True)
        elif folder == pair.windrow and (folder / path).exists():
            # ninja would take it for newer, and build on it.
            (folder / path).write_text("altered")


def lay_out(project: Project, pair: Pair) -> None:
    files = project.files()
    for path in [path for path in pair.files if path not in files]:
        pair.delete(path)
    for path, text in files.items():
        if pair.files.get(path) != text:
            pair.write(path, text)
        elif path in project.touched:
            pair.touch(path)
    project.touched.clear()


def compare(project: Project, pair: Pair) -> None:
    words = ("-k", "0", *(("-C", "build") if project.down else ()))
    theirs, ours = pair.both(*words)
    clean = pair.from_nothing(*words)
    told = f"ninja: {theirs}\nours: {ours}\nclean: {clean}\n{project.manifest()}"
    assert ours.code == clean.code, told
    assert len(set(ours.ran)) == len(ours.ran), told
    if theirs.code == clean.code:
        assert set(ours.ran) - project.wary() <= set(theirs.ran), told
    if clean.code:
        return
    project.built()
    made, wanted = pair.tree(pair.windrow), pair.tree(pair.clean)
    assert {path: made.get(path) for path in wanted} == wanted, told
    again = pair.by_windrow(*words)
    if not project.always():
        assert (again.code, again.out.splitlines()[-1], again.ran) == (0, "ninja: no work to do.", ()), (
            f"{again}\n{told}"
        )
