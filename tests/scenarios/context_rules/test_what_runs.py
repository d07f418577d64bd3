"""The first build, and the table of the workload: each change runs exactly what it must."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime

import pytest

from shared import hashing
from shared.context_rules import rule, tokens
from tests.scenarios.context_project import (
    FINAL,
    LOCK,
    MANIFEST,
    ROWS,
    SELECTED,
    UNSELECTED,
    ContextProject,
    mdc,
    names,
    row_mdc,
)
from tests.scenarios.context_rules.looks import manifest_of


def test_the_first_build_makes_everything_and_exports_its_manifest(built: ContextProject) -> None:
    """W4-01."""
    exported = manifest_of(built)

    assert list(exported) == ["version", "lastBuild", "files"]
    assert abs(datetime.fromisoformat(exported["lastBuild"]) - datetime.now(UTC)).total_seconds() < 600
    assert len(exported["files"]) == 103
    entry = exported["files"]["rules/backend/rule-03.md"]
    path = built.root / ".context/rules/backend/rule-03.md"
    assert entry == {
        "hash": hashing.of_bytes(path.read_bytes()),
        "mtime": int(path.stat().st_mtime),
        "compiledTo": [mdc("backend/rule-03"), mdc("backend/rule-05"), "AGENTS.md", "CLAUDE.md"],
        "references": ["rules/backend/rule-01.md"],
    }
    assert len(exported["files"]["config.yaml"]["compiledTo"]) == FINAL
    assert exported["files"]["project.md"]["compiledTo"] == ["AGENTS.md", "CLAUDE.md"]
    assert not (built.root / ".context/.made").exists()


def test_git_ignores_the_exported_manifest_and_the_lock_file(small: ContextProject) -> None:
    """W4-01, S3-05: the lines are added once, and a build after that has nothing to do."""
    subprocess.run(["git", "init", "--quiet"], cwd=small.root, check=True)
    small.write(LOCK, "{}")

    seen = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=small.root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    small.delete(MANIFEST)
    small.build()

    assert MANIFEST not in seen
    assert LOCK not in seen
    assert ".context/project.md" in seen
    assert small.read(".gitignore").splitlines() == [f"/{MANIFEST}", f"/{LOCK}"]


@pytest.mark.parametrize("row", ROWS)
def test_each_change_runs_exactly_what_it_must(built: ContextProject, row: str) -> None:
    """W4-02: planned, executed, cut off, and the outputs that are written; a deleted rule's .mdc goes."""
    change, counts, written = ROWS[row]
    change(built)
    before = built.finals()

    report = built.build()

    after = built.finals()
    assert (report.planned, report.executed, report.reused.get("cut_off", 0)) == counts
    assert {path for path in after if before[path] != after[path]} == written == set(report.changed)
    gone = before.keys() - after.keys()
    assert (report.outputs_removed, gone) == ((1, {row_mdc(row)}) if row.startswith("delete") else (0, set()))
    assert built.build().status == "no-changes"


def test_43_rules_fit_into_claude_md_and_both_aggregates_stay_within_their_budgets(built: ContextProject) -> None:
    """W4-12: with a twentieth to spare, the highest priorities first, ties by id."""
    claude, agents = built.read("CLAUDE.md"), built.read("AGENTS.md")
    shown = re.findall(r"^### .* \(`(.*)`\)$", claude, re.MULTILINE)

    assert len(shown) == 43
    assert tokens.estimate(claude) <= 3800
    assert tokens.estimate(agents) <= 7600
    priority = {
        name: int(built.read(f".context/rules/{name}.md").split("priority: ")[1].split()[0]) for name in names()
    }
    assert shown == sorted(names(), key=lambda name: (-priority[name], name))[:43]
    assert agents.count("\n- **") == 100


def test_nothing_changed(built: ContextProject) -> None:
    """W4-02 (first row), W4-04: the seed's sentence, and no file's time moves."""
    built.settle()
    times = {path: (built.root / path).stat().st_mtime_ns for path in built.tree()}

    said = built.console.run("build", "--incremental")

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("No changes detected")
    assert {path: (built.root / path).stat().st_mtime_ns for path in built.tree()} == times


def test_touching_every_file_updates_the_stored_times_alone(built: ContextProject) -> None:
    """W4-04."""
    before, finals = manifest_of(built), built.finals()
    for path in (built.root / ".context").rglob("*.[my]*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))

    report = built.build()

    after = manifest_of(built)
    assert (report.status, built.finals()) == ("no-changes", finals)
    assert after["lastBuild"] == before["lastBuild"]
    assert {entry["mtime"] for entry in after["files"].values()} == {1_700_000_000}
    assert {name: entry["hash"] for name, entry in after["files"].items()} == {
        name: entry["hash"] for name, entry in before["files"].items()
    }


def test_rules_are_read_once_for_each_content(built: ContextProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """And read again where what was kept of them is damaged."""
    read: list[str] = []
    parse = rule.parse
    monkeypatch.setattr(rule, "parse", lambda path, data: read.append(path) or parse(path, data))
    built.third_paragraph(UNSELECTED)
    built.build()
    once = list(read)
    built.write(".windrow/context-rules.msgpack", "damaged")
    built.third_paragraph(SELECTED)
    built.build()

    assert once == [f"{UNSELECTED}.md"]
    assert len(read) == 101
