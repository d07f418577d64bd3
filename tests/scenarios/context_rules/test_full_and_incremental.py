"""Full and incremental builds of context rules, and a manifest that is missing or says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.context_project import FEW, FEW_JOBS, JOBS, LOCK, MANIFEST, ContextProject
from tests.scenarios.context_rules.looks import manifest_of


@pytest.mark.parametrize(
    ("project", "jobs"), [("small", FEW_JOBS), pytest.param("built", JOBS, marks=pytest.mark.slow)]
)
def test_a_plain_build_compiles_everything_where_the_project_says_so(
    request: pytest.FixtureRequest, project: str, jobs: int
) -> None:
    """W4-05: whatever the manifest says; `--incremental` takes that back."""
    built: ContextProject = request.getfixturevalue(project)
    built.edit("windrow.toml", "[context-rules]", '[build]\nmode = "clean"\n[context-rules]')
    built.console.run("build", "--incremental")

    plain = built.console.run("build", "--json").json()
    incremental = built.console.run("build", "--incremental", "--json").json()

    assert (plain["planned"], plain["executed"], plain["outputs_written"]) == (jobs, jobs, 0)
    assert incremental["status"] == "no-changes"


def test_whether_anything_is_out_of_date_is_told_where_every_build_compiles_everything(small: ContextProject) -> None:
    """`--check` with `mode = "clean"`, as `init` and the example have it."""
    small.edit("windrow.toml", "[context-rules]", '[build]\nmode = "clean"\n[context-rules]')
    small.console.run("build")

    fresh = small.console.run("build", "--check")
    small.write("CLAUDE.md", "edited\n")
    edited = small.console.run("build", "--check")
    asked = small.console.run("build", "--check", "--full")

    assert (fresh.code, fresh.out.strip()) == (0, "No changes detected.")
    assert (edited.code, "context-rules.claude:CLAUDE.md" in edited.out, "full build" in edited.out) == (
        10,
        True,
        False,
    )
    assert asked.code == 10


def test_a_missing_manifest_means_a_full_build_that_writes_it(small: ContextProject) -> None:
    """W4-05, S3-21: what is in the store is not made again; on a machine that knows nothing, everything is."""
    fresh = ContextProject(small.root.parent / "fresh", rules=FEW)
    first = fresh.console.run("build", "--incremental", "--json").json()
    small.delete(MANIFEST)

    again = small.console.run("build", "--incremental", "--json").json()

    assert (first["planned"], first["executed"]) == (FEW_JOBS, FEW_JOBS)
    assert (again["planned"], again["executed"], again["status"]) == (FEW_JOBS, 0, "ok")
    assert len(manifest_of(small)["files"]) == len(manifest_of(fresh)["files"]) == 7


@pytest.mark.parametrize(
    ("text", "why"),
    [("{ not json", "it cannot be read"), ('{"version": "0.1"}', "its version is '0.1'"), ("[]", "it cannot be read")],
)
def test_a_manifest_that_says_nothing_means_a_warning_and_a_full_build(
    small: ContextProject, text: str, why: str
) -> None:
    """W4-05, S3-22, S3-23."""
    small.write(MANIFEST, text)

    said = small.console.run("build", "--incremental", "--json")

    report = said.json()
    assert f"warning: {MANIFEST}: {why}" in said.err
    assert "building fully" in said.err
    assert (report["planned"], report["executed"]) == (FEW_JOBS, FEW_JOBS)
    assert manifest_of(small)["version"] == "1.0"


def test_init_finds_context_rules_and_ignores_what_they_leave(tmp_path: Path) -> None:
    """S3-05: once, also with the first build after it."""
    project = ContextProject(tmp_path / "tree", rules=FEW)
    project.delete("windrow.toml")

    said = project.console.run("init")
    built = project.console.run("build")
    again = project.console.run("build", "--incremental")

    lines = project.read(".gitignore").splitlines()
    assert (said.code, built.code, again.out[:19]) == (0, 0, "No changes detected"), built.err
    assert [line for line in lines if line.startswith("/.context")] == [f"/{MANIFEST}", f"/{LOCK}"]
    assert project.exists("CLAUDE.md")
