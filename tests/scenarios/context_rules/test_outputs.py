"""What context rules compile to: healed, the same from anywhere, read by declared rules."""

from __future__ import annotations

from pathlib import Path

from shared.context_rules.render import verified
from tests.scenarios.context_project import FEW, FEW_JOBS, ContextProject, mdc
from tests.scenarios.context_rules.looks import READERS


def test_an_edited_output_is_found_and_healed(small: ContextProject) -> None:
    """W4-13."""
    before = small.finals()
    small.write("CLAUDE.md", small.read("CLAUDE.md").replace("builds", "breaks"))

    edited = verified(small.read("CLAUDE.md"))
    checked = small.console.run("build", "--check")
    healed = small.build()

    assert (edited, checked.code, healed.executed) == (False, 10, 0)
    assert small.finals() == before
    assert all(verified(text.decode()) for text in before.values())


def test_outputs_are_the_same_from_anywhere_and_say_no_time(small: ContextProject, tmp_path: Path) -> None:
    """W4-13: made by one worker or two, or taken from the store; nothing is rewritten that says the same."""
    alone = ContextProject(tmp_path / "alone", rules=FEW)
    alone.console.run("build", "-j", "1")
    cached = ContextProject(tmp_path / "cached", rules=FEW, cache=alone.cache)
    report = cached.build()
    times = {path: (small.root / path).stat().st_mtime_ns for path in small.finals()}

    again = small.build(no_cache=True)

    assert (report.executed, again.executed, again.outputs_written) == (0, FEW_JOBS, 0)
    assert alone.finals() == cached.finals() == small.finals()
    assert {path: (small.root / path).stat().st_mtime_ns for path in times} == times
    assert alone.project().load_base().manifest.content_hash == small.manifest().content_hash


def test_declared_rules_read_what_context_rules_make_in_one_build(tmp_path: Path) -> None:
    """By path and by rule; from a tree in which nothing was made yet, and for what changed alone after that."""
    project = ContextProject(tmp_path / "tree", rules=FEW, settings=READERS)
    first = project.build()
    made = b"".join((project.root / path).read_bytes() for path in [
        *sorted(mdc(name) for name in FEW if name.startswith("backend")), "CLAUDE.md"])  # fmt: skip
    bundle = (project.root / "build/bundle.txt").read_bytes()
    project.third_paragraph("frontend/rule-09")
    second = project.build()
    counted = project.jobs("executed")
    (project.root / ".context/rules/frontend/rule-09.md").unlink()
    project.build()

    assert (first.status, first.executed) == ("ok", FEW_JOBS + 1 + len(FEW))
    assert bundle == made
    assert "bundle:build/bundle.txt" in project.look(full=True).plan.jobs
    assert (second.status, "count:build/frontend-rule-09.count" in counted) == ("ok", True)
    assert not any(job.startswith("count:build/backend") for job in counted)
    assert not (project.root / "build/frontend-rule-09.count").exists()
    assert project.build().status == "no-changes"


def test_what_lies_in_the_store_between_jobs_is_no_difference_to_people(tmp_path: Path) -> None:
    """`build --diff`, `diff`: outputs and sources only."""
    project = ContextProject(tmp_path / "tree", rules=FEW)
    project.build()
    project.third_paragraph(FEW[0])

    said = project.console.run("build", "--diff")
    found = project.console.run("diff", "rev-0001..", "--json").json()["differences"]

    lines = [line.split()[:3] for line in said.out.splitlines()]
    assert [one["path"] for one in found if one["kind"] == "artefact"] == [
        path for _, kind, path in lines if kind == "artefact"
    ]
    assert {path for _, kind, path in lines if kind == "artefact"} <= {"CLAUDE.md", "AGENTS.md", *map(mdc, FEW)}
    assert ["~", "artefact", mdc(FEW[0])] in lines
    assert any(artefact.stored for artefact in project.manifest().artefacts.values())
