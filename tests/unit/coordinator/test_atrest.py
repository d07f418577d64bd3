"""A project at rest: noted down once nothing was just changed, and over as soon as anything a build goes by changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.first import ninja_rests
from cli.ninja_project import open_build_folder
from cli.performers import PERFORMERS
from coordinator import rest
from coordinator.atrest import at_rest, remember
from coordinator.project import Project
from coordinator.request import Question, Request
from coordinator.survey import survey
from tests.fakes.workspace import Workspace
from tests.waiting import until

RULES = """\
[project]
name = "quiet"

[[rule]]
name = "cat"
each = "src/*.txt"
command = ["toy-cat", "{in}"]
outputs = ["out/{stem}"]
pass_env = ["LEVEL"]
"""
NINJA = """\
rule cat
  command = cat $in > $out
build out: cat in.txt | ../outside/library.h ../outside/config.h
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "tree")
    workspace.write("windrow.toml", RULES)
    workspace.write("src/a.txt", "a")
    workspace.write("src/b.txt", "b")
    workspace.write(".gitignore", "out\n.gitignore\n")
    workspace.environ["PATH"] = f"{tmp_path}/first:{tmp_path}/bin"
    for folder in ("first", "bin", "real"):
        (tmp_path / folder).mkdir()
    tool(tmp_path / "real/toy-1", "one")
    tool(tmp_path / "real/toy-2", "two")
    (tmp_path / "real/toy").symlink_to("toy-1")
    (tmp_path / "bin/toy-cat").symlink_to("../real/toy")
    return workspace


def tool(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n# {text}\n")
    path.chmod(0o755)


def rests(workspace: Workspace) -> bool:
    return at_rest(workspace.project(), Request()) is not None


def settle(workspace: Workspace) -> None:
    """Build until nothing is so new that it could change once more without a trace."""
    until(lambda: workspace.build() and rests(workspace))


def test_it_rests_once_all_is_built_and_nothing_was_just_changed(workspace: Workspace) -> None:
    settle(workspace)

    report = workspace.build()

    assert report.status == "no-changes"
    assert (report.base_revision, report.files) == (1, 5)
    assert workspace.performed == []


def test_a_build_that_had_something_to_do_notes_nothing_down(workspace: Workspace) -> None:
    workspace.build()

    assert not workspace.exists(".windrow/rest")


def edit_a_source(workspace: Workspace) -> None:
    workspace.write("src/a.txt", "A")


def edit_a_source_and_set_its_time_back(workspace: Workspace) -> None:
    status = (workspace.root / "src/a.txt").stat()
    os.utime(workspace.write("src/a.txt", "A"), ns=(status.st_atime_ns, status.st_mtime_ns))


def put_another_in_its_place(workspace: Workspace) -> None:
    workspace.write("new", "a").replace(workspace.root / "src/a.txt")


def add_a_source(workspace: Workspace) -> None:
    workspace.write("src/c.txt", "c")


def delete_a_source(workspace: Workspace) -> None:
    workspace.delete("src/b.txt")


def change_a_mode(workspace: Workspace) -> None:
    (workspace.root / "src/a.txt").chmod(0o755)


def edit_an_output(workspace: Workspace) -> None:
    workspace.write("out/a", "?")


def delete_an_output(workspace: Workspace) -> None:
    workspace.delete("out/b")


def edit_the_settings(workspace: Workspace) -> None:
    workspace.write("windrow.toml", RULES + "timeout = 3\n")


def write_settings_of_this_copy(workspace: Workspace) -> None:
    workspace.write("windrow.local.toml", "[build]\njobs = 1\n")


def write_settings_of_this_user(workspace: Workspace) -> None:
    workspace.write("../.config/windrow/config.toml", "[build]\njobs = 1\n")


def edit_what_is_ignored_by_a_file_that_is_ignored_itself(workspace: Workspace) -> None:
    workspace.write(".gitignore", ".gitignore\n")


def set_a_variable_that_a_rule_takes_over(workspace: Workspace) -> None:
    workspace.environ["LEVEL"] = "3"


def take_another_branch(workspace: Workspace) -> None:
    workspace.environ["WINDROW_BRANCH"] = "other"


def edit_a_tool(workspace: Workspace) -> None:
    tool(workspace.root.parent / "real/toy-1", "uno")


def point_a_link_on_the_way_to_a_tool_elsewhere(workspace: Workspace) -> None:
    """As update-alternatives does."""
    link = workspace.root.parent / "real/toy"
    link.unlink()
    link.symlink_to("toy-2")


def install_a_tool_that_is_found_first(workspace: Workspace) -> None:
    tool(workspace.root.parent / "first/toy-cat", "three")


def delete_a_blob(workspace: Workspace) -> None:
    next(path for path in (workspace.cache / "store/blobs").rglob("*") if path.is_file()).unlink()


def commit_by_another_working_copy(workspace: Workspace) -> None:
    other = Workspace(workspace.root.parent / "other", cache=workspace.cache)
    other.environ["PATH"] = workspace.environ["PATH"]
    other.write("windrow.toml", RULES)
    other.write("src/a.txt", "from elsewhere")
    assert other.build().revision == 2


CHANGES: list[Callable[[Workspace], None]] = [
    edit_a_source,
    edit_a_source_and_set_its_time_back,
    put_another_in_its_place,
    add_a_source,
    delete_a_source,
    change_a_mode,
    edit_an_output,
    delete_an_output,
    edit_the_settings,
    write_settings_of_this_copy,
    write_settings_of_this_user,
    edit_what_is_ignored_by_a_file_that_is_ignored_itself,
    set_a_variable_that_a_rule_takes_over,
    take_another_branch,
    edit_a_tool,
    point_a_link_on_the_way_to_a_tool_elsewhere,
    install_a_tool_that_is_found_first,
    delete_a_blob,
    commit_by_another_working_copy,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_a_build_goes_by_ends_it(workspace: Workspace, change: Callable[[Workspace], None]) -> None:
    settle(workspace)

    change(workspace)

    assert not rests(workspace)


@pytest.mark.parametrize(
    "request_", [Request(targets=("out/a",)), Request(full=True), Request(verify=True), Request(no_cache=True)]
)
def test_only_a_plain_build_is_answered(workspace: Workspace, request_: Request) -> None:
    settle(workspace)

    assert at_rest(workspace.project(), request_) is None


def test_what_was_changed_while_it_was_looked_at_is_not_noted_down(workspace: Workspace) -> None:
    settle(workspace)
    workspace.delete(".windrow/rest")
    project = workspace.project()
    seen = survey(project, project.load_base(), Question())

    edit_the_settings(workspace)
    remember(project, seen, Question())

    assert not workspace.exists(".windrow/rest")


@pytest.mark.parametrize(
    "change", [edit_a_tool, install_a_tool_that_is_found_first, write_settings_of_this_user, delete_a_blob]
)
def test_nor_what_lies_outside_the_tree(workspace: Workspace, change: Callable[[Workspace], None]) -> None:
    settle(workspace)
    workspace.delete(".windrow/rest")
    project = workspace.project()
    seen = survey(project, project.load_base(), Question())

    change(workspace)
    remember(project, seen, Question())

    assert not workspace.exists(".windrow/rest")


def test_nor_settings_that_went_away_meanwhile(workspace: Workspace) -> None:
    write_settings_of_this_copy(workspace)
    settle(workspace)
    workspace.delete(".windrow/rest")
    project = workspace.project()
    workspace.delete("windrow.local.toml")
    seen = survey(project, project.load_base(), Question())

    remember(project, seen, Question())

    assert not workspace.exists(".windrow/rest")


def test_nor_when_somebody_committed_meanwhile(workspace: Workspace) -> None:
    settle(workspace)
    workspace.delete(".windrow/rest")
    project = workspace.project()
    seen = survey(project, project.load_base(), Question())

    commit_by_another_working_copy(workspace)
    remember(project, seen, Question())

    assert not workspace.exists(".windrow/rest")


def test_a_source_that_was_just_written_is_not_relied_on(workspace: Workspace) -> None:
    workspace.build()
    workspace.write("src/a.txt", "a")
    project = workspace.project()

    remember(project, survey(project, project.load_base(), Question()), Question())

    assert not workspace.exists(".windrow/rest")


def test_that_some_targets_have_nothing_to_do_says_nothing_of_the_rest(workspace: Workspace) -> None:
    settle(workspace)
    workspace.delete(".windrow/rest")
    project, question = workspace.project(), Question(targets=("out/a",))

    remember(project, survey(project, project.load_base(), question), question)

    assert not workspace.exists(".windrow/rest")


class ImportedWorkspace(Workspace):
    """A build.ninja in a folder of its own, whose commands run."""

    def project(self) -> Project:
        settings = open_build_folder(self.root, "build.ninja", flags={}, environ=self.environ)
        return Project(settings, environ=self.environ, clock=self.clock, performers=PERFORMERS)


@pytest.fixture
def imported(tmp_path: Path) -> ImportedWorkspace:
    imported = ImportedWorkspace(tmp_path / "deep/build")
    imported.write("windrow.toml", '[project]\nname = "imported"\n\n[ninja]\nfile = "build.ninja"\n')
    imported.write("build.ninja", NINJA)
    imported.write("in.txt", "in\n")
    imported.write("../outside/library.h", "1\n")
    imported.write("../elsewhere/config-1.h", "1\n")
    imported.write("../elsewhere/config-2.h", "2\n")
    (tmp_path / "deep/elsewhere/config.h").symlink_to("config-1.h")
    (tmp_path / "deep/outside/config.h").symlink_to("../elsewhere/config.h")
    return imported


def edit_the_build_file(imported: ImportedWorkspace) -> None:
    imported.write("build.ninja", NINJA + "# more\n")


def edit_an_input(imported: ImportedWorkspace) -> None:
    imported.write("../outside/library.h", "2\n")


def point_a_link_on_the_way_to_an_input_elsewhere(imported: ImportedWorkspace) -> None:
    link = imported.root / "../elsewhere/config.h"
    link.unlink()
    link.symlink_to("config-2.h")


def edit_what_links_lead_to(imported: ImportedWorkspace) -> None:
    imported.write("../elsewhere/config-1.h", "3\n")


@pytest.mark.parametrize(
    "change",
    [
        edit_the_build_file,
        edit_an_input,
        point_a_link_on_the_way_to_an_input_elsewhere,
        edit_what_links_lead_to,
    ],
    ids=lambda change: change.__name__,
)
def test_an_imported_build_rests_until_what_its_build_file_names_changes(
    imported: ImportedWorkspace, change: Callable[[ImportedWorkspace], None]
) -> None:
    settle(imported)

    change(imported)

    assert not rests(imported)


def test_a_named_target_rests_beside_a_job_that_always_runs(
    imported: ImportedWorkspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    imported.write("build.ninja", NINJA + "rule idle\n  command = true\nbuild never: idle in.txt\n")
    named = Request(targets=("out",), typed=rest.typed(str(imported.root), ("out",)))
    folder = str(imported.root)
    monkeypatch.setattr(os, "environ", imported.environ)
    until(
        lambda: (
            imported.build(targets=named.targets, typed=named.typed) and at_rest(imported.project(), named) is not None
        )
    )

    assert not rests(imported)
    assert ninja_rests(["-C", folder, "out"])
    assert "no work to do" in capsys.readouterr().out
    for other in (["never"], ["out", "never"], []):
        assert not ninja_rests(["-C", folder, *other])

    edit_an_input(imported)

    assert at_rest(imported.project(), named) is None
    assert not ninja_rests(["-C", folder, "out"])


def test_a_named_target_does_not_rest_once_its_output_is_gone_or_somebody_committed(
    imported: ImportedWorkspace,
) -> None:
    imported.write("build.ninja", NINJA + "build other: cat out\n")
    named = Request(targets=("out",), typed="somewhere")
    until(
        lambda: (
            imported.build(targets=named.targets, typed=named.typed) and at_rest(imported.project(), named) is not None
        )
    )

    imported.build(targets=("other",))
    committed = at_rest(imported.project(), named)
    until(
        lambda: (
            imported.build(targets=named.targets, typed=named.typed) and at_rest(imported.project(), named) is not None
        )
    )
    imported.delete("out")

    assert committed is None
    assert at_rest(imported.project(), named) is None


def test_a_build_folder_without_a_project_rests_until_there_is_one(imported: ImportedWorkspace) -> None:
    imported.delete("windrow.toml")
    settle(imported)

    imported.write("../../windrow.toml", '[project]\nname = "above"\n')

    assert not rests(imported)
