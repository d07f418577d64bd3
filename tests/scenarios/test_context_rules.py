"""Workload W4: 100 context rules to .mdc files, CLAUDE.md and AGENTS.md; seed 003 on the built-in kind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator import build as building
from coordinator.request import Request
from shared import hashing
from shared.context_rules import rule, tokens
from shared.context_rules.render import verified
from tests.console import ended, powerless
from tests.fakes.observer import RecordingObserver
from tests.scenarios.context_project import (
    FEW,
    FEW_JOBS,
    FINAL,
    JOBS,
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
from tests.waiting import until


def copied(project: ContextProject, to: Path) -> ContextProject:
    """The same project, built as it is, elsewhere."""
    shutil.copytree(project.root, to / "tree", symlinks=True)
    shutil.copytree(project.cache, to / "tree-cache", symlinks=True)
    return ContextProject.at(to / "tree")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> ContextProject:
    project = ContextProject(tmp_path_factory.mktemp("template") / "tree")
    report = project.build()
    # W4-01: one job a rule and one an output, in three layers.
    assert (report.status, report.planned, report.executed, report.layers) == ("ok", JOBS, JOBS, (100, 103, 2))
    assert report.outputs_written == FINAL
    return project


@pytest.fixture
def built(template: ContextProject, tmp_path: Path) -> ContextProject:
    """The 100 rules, built once."""
    return copied(template, tmp_path)


@pytest.fixture(scope="module")
def small_template(tmp_path_factory: pytest.TempPathFactory) -> ContextProject:
    project = ContextProject(tmp_path_factory.mktemp("small") / "tree", rules=FEW)
    assert project.build().executed == FEW_JOBS
    return project


@pytest.fixture
def small(small_template: ContextProject, tmp_path: Path) -> ContextProject:
    """Four rules, built once, for what does not depend on their number."""
    return copied(small_template, tmp_path)


def manifest_of(project: ContextProject) -> dict:
    return json.loads(project.read(MANIFEST))


# -- the first build, and the table of the workload -----------------------------------------------------


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


# -- full and incremental --------------------------------------------------------------------------------


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


# -- failures --------------------------------------------------------------------------------------------


def test_a_bad_rule_stops_the_build_with_file_and_line(small: ContextProject) -> None:
    """W4-07, S3-37."""
    small.rule("backend/rule-02", priority="high")
    small.third_paragraph("backend/rule-01")
    before = small.tree()

    said = small.console.run("build", "--incremental")

    assert said.code == 1
    assert (
        ".context/rules/backend/rule-02.md:2: `priority` must be a whole number from 0 to 100, not 'high'" in said.err
    )
    assert small.tree() == before


def test_keep_going_compiles_the_good_rules_and_lists_no_others(tmp_path: Path) -> None:
    """W4-07, S3-36, C01: no aggregate, no revision; after the fix only what is missing runs."""
    project = ContextProject(tmp_path / "tree", rules=FEW)
    bad = project.rule("backend/rule-02", description=None)

    said = project.console.run("build", "--keep-going")
    exported = manifest_of(project)

    assert said.code == 1
    assert f"{bad}:1: the front matter has no `description`" in said.err
    assert set(project.finals()) == {mdc(name) for name in FEW} - {mdc("backend/rule-02")}
    assert set(exported["files"]) == {"config.yaml", *(f"rules/{name}.md" for name in FEW if name != "backend/rule-02")}
    assert exported["partial"] is True
    assert exported["files"]["rules/frontend/rule-09.md"]["compiledTo"] == [mdc("frontend/rule-09")]
    assert project.project().load_base().manifest is None

    project.rule("backend/rule-02")
    report = project.build()

    assert (report.status, report.revision) == ("ok", 1)
    assert report.executed == 7  # parse and .mdc of the rule, and the five that need every rule
    assert "partial" not in manifest_of(project)


# -- deletions -------------------------------------------------------------------------------------------


def test_a_deleted_rule_leaves_no_trace(small: ContextProject) -> None:
    """W4-08, S3-24, S3-25, S3-26."""
    small.delete(".context/rules/backend/rule-02.md")

    small.build()

    assert not small.exists(mdc("backend/rule-02"))
    assert "rules/backend/rule-02.md" not in manifest_of(small)["files"]
    assert "backend/rule-02" not in small.read("CLAUDE.md") + small.read("AGENTS.md")
    assert not any("rule-02" in path for path in small.manifest().artefacts)
    assert "the archived events tell the same as the manifest" in small.console.run("doctor").out


def test_the_edited_output_of_a_deleted_rule_is_kept_with_a_warning(small: ContextProject) -> None:
    """W4-08."""
    small.delete(".context/rules/backend/rule-02.md")
    small.write(mdc("backend/rule-02"), "mine\n")

    small.build()

    assert small.read(mdc("backend/rule-02")) == "mine\n"
    assert [w for w in small.observer.warnings if w.startswith(f"kept {mdc('backend/rule-02')}")]


def test_a_deleted_rule_that_is_still_referred_to_stops_the_build(small: ContextProject) -> None:
    """W4-08: a dead link, and nothing is deleted."""
    small.delete(".context/rules/backend/rule-01.md")
    before = small.tree()

    said = small.console.run("build", "--incremental")

    assert said.code == 1
    assert ".context/rules/backend/rule-03.md:7: the reference to 'rule-01.md' is dead" in said.err
    assert small.tree() == before


# -- lint ------------------------------------------------------------------------------------------------

FRONT = "---\nid: {id}\ndescription: d\ndomain: x\n---\n"
BLOCKING: dict[str, tuple[Callable[[ContextProject], object], str]] = {
    "duplicate id": (
        lambda p: p.write(".context/rules/ops/same.md", FRONT.format(id="backend/rule-01")),
        ".context/rules/ops/same.md: the id 'backend/rule-01' is that of .context/rules/backend/rule-01.md too",
    ),
    "cycle": (
        lambda p: [
            p.write(f".context/rules/ops/{one}.md", FRONT.format(id=one) + f"[next]({other}.md)\n")
            for one, other in (("a", "b"), ("b", "c"), ("c", "a"))
        ],
        "these rules refer to each other: ops/a.md → ops/b.md → ops/c.md → ops/a.md",
    ),
    "self reference": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[me](a.md)"),
        ".context/rules/ops/a.md:6: the reference to 'a.md' leads to the rule itself",
    ),
    "out of the project": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](../../../../x.md)"),
        "cannot be followed: it leads out of the project",
    ),
    "encoded": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](%2e%2e/%2e%2e/%2e%2e/%2e%2e/x.md)"),
        "cannot be followed: it leads out of the project",
    ),
    "absolute": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](/etc/passwd)"),
        "is dead: there is no etc/passwd",
    ),
    "drive": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](c:/windows/x.md)"),
        "cannot be followed: it names a drive",
    ),
    "NUL": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](x%00.md)"),
        "cannot be followed: it holds a control character",
    ),
    "symlink that leads outside": (
        lambda p: [
            (p.root / "there").symlink_to("/etc"),
            p.write(".context/rules/ops/a.md", FRONT.format(id="a") + "[up](/there/passwd)"),
        ],
        "cannot be followed: a symlink leads out of the project",
    ),
    "unknown id": (
        lambda p: p.write(".context/rules/ops/a.md", FRONT.format(id="a") + '```\n@import "nobody"\n```'),
        '.context/rules/ops/a.md:7: @import "nobody" cannot be followed: no rule has this id',
    ),
}


@pytest.mark.parametrize("what", BLOCKING)
def test_what_blocks_a_build(small: ContextProject, what: str) -> None:
    """W4-09: told with file and line, and nothing is written."""
    change, told = BLOCKING[what]
    change(small)
    before = small.tree()

    report = small.build()

    assert report.status == "failed"
    assert told in "\n".join(failure.output for failure in report.failures)
    assert small.tree() == before


def test_a_chain_of_imports_by_id_is_followed(small: ContextProject) -> None:
    """A.4: `@import "id"`, and `@path/to/file` as a reference to any file of the project."""
    small.write("src/auth.py", "pass\n")
    small.write(
        ".context/rules/ops/a.md", FRONT.format(id="a") + 'See @src/auth.py.\n\n```\n@import "backend/rule-03"\n```\n'
    )

    report = small.build()

    assert report.status == "ok"
    assert re.findall(r"^- `(.*?)`", small.read(".cursor/rules/ops-a.mdc"), re.MULTILINE) == [
        "backend/rule-01",
        "backend/rule-03",
    ]


def test_what_is_odd_is_told_and_blocks_nothing(small: ContextProject) -> None:
    """W4-09: a glob that matches nothing, a rule of more than 10,000 tokens; exit 0."""
    small.write("src/main.py", "pass\n")
    small.rule("backend/rule-01", globs='["*.py", "web/**"]')
    small.rule("backend/rule-02", body="word " * 8000)

    said = small.console.run("build", "--incremental")

    assert said.code == 0
    assert "warning: .context/rules/backend/rule-01.md: the glob web/** matches no file" in said.err
    assert "*.py matches no file" not in said.err
    assert "warning: .context/rules/backend/rule-02.md: about 11,429 tokens, more than 10,000" in said.err


def test_two_rules_that_compile_to_one_file_are_an_error_that_names_both(small: ContextProject) -> None:
    """W4-09, U26."""
    small.write(".context/rules/backend-rule-01.md", FRONT.format(id="flat"))

    said = small.console.run("build")

    assert said.code == 2
    assert "two rules make .cursor/rules/backend-rule-01.mdc" in said.err
    assert ".context/rules/backend-rule-01.md" in said.err
    assert ".context/rules/backend/rule-01.md" in said.err


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("compile:\n  claude:\n    max_tokens: many\n", 2, "config.yaml:3"),
        ("compile:\n  claude:\n    strategy: best\n", 2, "which is not one of priority, directory, glob, tag, all"),
        ("compile: [\n", 2, "config.yaml:"),
        ("compiel: {}\n", 0, "unknown key `compiel` in line 1; did you mean `compile`?"),
    ],
)
def test_a_configuration_is_checked(small: ContextProject, text: str, code: int, told: str) -> None:
    """A.4: unknown keys warn, wrong values are errors with their line."""
    small.write(".context/config.yaml", text)

    said = small.console.run("build")

    assert (said.code, told in said.err) == (code, True), said.err


def test_a_project_without_project_md_is_told_so(small: ContextProject) -> None:
    small.delete(".context/project.md")

    said = small.console.run("build")

    assert (said.code, "missing source .context/project.md" in said.err) == (2, True)


# -- outputs ---------------------------------------------------------------------------------------------


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


# -- the lock file -----------------------------------------------------------------------------------------


def test_the_lock_file_says_who_builds_and_goes_with_the_build(small: ContextProject) -> None:
    """S3-31, S3-34 (C02): it tells; what decides is the build lock."""
    seen: list[dict] = []

    class Looking(RecordingObserver):
        def started(self, job: str, worker: str) -> None:
            seen.append(json.loads(small.read(LOCK)))

    small.third_paragraph("backend/rule-01")

    building.build(small.project(), Request(), Looking())

    assert {tuple(told) for told in seen} == {("pid", "timestamp", "hostname")}
    assert (seen[0]["pid"], seen[0]["hostname"]) == (os.getpid(), socket.gethostname())
    assert abs(datetime.fromisoformat(seen[0]["timestamp"]) - datetime.now(UTC)).total_seconds() < 60
    assert not small.exists(LOCK)


def test_a_lock_file_that_a_dead_build_left_holds_nobody_up(small: ContextProject) -> None:
    """S3-33, S3-35."""
    small.write(LOCK, json.dumps({"pid": 1, "timestamp": datetime.now(UTC).isoformat(), "hostname": "elsewhere"}))
    small.third_paragraph("backend/rule-01")

    assert small.build().status == "ok"
    assert not small.exists(LOCK)


HELD = """
[build]
lease = 1.0

[[rule]]
name = "held"
inputs = ["CLAUDE.md"]
command = "touch {folder}/begun; while [ -e {folder}/hold ]; do sleep 0.02; done; cp {{in}} {{out}}"
outputs = ["build/held"]
"""


@pytest.mark.live
def test_w4_06_one_build_at_a_time_and_a_late_commit_is_refused(tmp_path: Path) -> None:
    """W4-06: refused at once with who holds the lock, queued with --wait; a holder that slept finds its lock gone.

    Four contenders for a stale lock, 500 rounds, and a build longer than its lease: tests/contracts/build_lock.py and
    test_file_lock.py.
    """
    hold, begun = tmp_path / "hold", tmp_path / "begun"
    hold.touch()
    project = ContextProject(tmp_path / "tree", rules=FEW, settings=HELD.format(folder=tmp_path))
    other = ContextProject(tmp_path / "other", cache=project.cache, rules=FEW, settings=HELD.format(folder=tmp_path))
    first = project.console.start("build", "--json")
    until(begun.exists, what="the first build to be in the middle")

    began = time.perf_counter()
    refused = other.console.run("build")
    took = time.perf_counter() - began
    queued = other.console.start("build", "--json", "--wait", "30")
    first.send_signal(signal.SIGSTOP)  # its lease of a second runs out
    begun.unlink()
    until(begun.exists, what="the second build to be in the middle")
    hold.unlink()
    second = ended(queued)
    pointer = (project.records / "current.json").read_bytes()
    first.send_signal(signal.SIGCONT)
    late = ended(first)

    assert (refused.code, "Another build is in progress" in refused.err) == (9, True)
    assert f"@{socket.gethostname()}, pid {first.pid}, " in refused.err
    assert " s ago)" in refused.err
    assert took < 5  # half of it is the start of a process; the limit of a second is for a machine of one's own
    assert (second.code, second.json()["revision"]) == (0, "rev-0001")
    assert (late.code, "the build lock was lost" in late.err) == (32, True)
    assert (project.records / "current.json").read_bytes() == pointer

    hold.touch()
    begun.unlink()
    other.third_paragraph(FEW[0])
    killed = other.console.start("build")
    until(begun.exists, what="the third build to be in the middle")
    killed.kill()
    ended(killed)
    hold.unlink()
    assert other.console.run("build", "--json").json()["revision"] == "rev-0002"


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


# -- trouble with the disk ---------------------------------------------------------------------------------


@pytest.mark.fault
@pytest.mark.parametrize(
    "place",
    [
        "materialise.journal-written",
        "materialise.renamed-1",
        *(pytest.param(f"materialise.renamed-{number}", marks=pytest.mark.slow) for number in (2, 3, 4, 5)),
        "materialise.renamed-6",
    ],
)
def test_a_build_killed_between_two_outputs_is_made_good(small: ContextProject, place: str) -> None:
    """W4-10: all old or all new after the next start, and no temporary file is left anywhere."""
    before = small.finals()
    small.edit(".context/config.yaml", '"1.0"', '"1.1"')

    killed = small.console.run("build", "--incremental", env={"WINDROW_FAILPOINT": f"{place}=kill"})
    small.edit(".context/config.yaml", '"1.1"', '"1.0"')
    report = small.build()

    assert (killed.code, report.status) in ((-signal.SIGKILL, "ok"), (-signal.SIGKILL, "no-changes"))
    assert small.finals() == before
    assert [path for path in small.tree() if ".tmp." in path] == []
    assert not small.exists(LOCK)


def test_an_output_folder_that_may_not_be_written_is_named(small: ContextProject) -> None:
    """W4-11, S3-39."""
    folder = small.root / ".cursor/rules"
    small.third_paragraph("backend/rule-01")
    folder.chmod(0o555)
    before = small.tree()

    said = small.console.run("build", "--incremental", before=powerless())
    between = small.tree()
    folder.chmod(0o755)

    assert said.code == 36
    assert "error[W3602]: permission denied while writing" in said.err
    assert str(folder) in said.err
    assert "has mode 555, owner uid" in said.err
    assert between == before


def test_a_full_disk_is_told_with_the_space_there_is(small: ContextProject) -> None:
    """W4-11, S3-38: the outputs lie on a disk of 64 KB; the tree stays as it was."""
    folder, old = small.root / ".cursor", small.cache / "old"
    shutil.copytree(folder, old)
    script = f'mount -t tmpfs -o size=64k tmpfs "$0" && cp -r {old}/. "$0" && "$@"'
    tight = ["unshare", "-rm", "sh", "-c", script, str(folder)]
    if subprocess.run([*tight, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount in a name space of one's own")
    small.rule("backend/rule-01", body="x" * 200_000)
    before = small.tree()

    said = small.console.run("build", "--incremental", before=tight)

    assert said.code == 36
    assert "error[W3601]: no space left while writing" in said.err
    assert re.search(r"why: [\d,]+ bytes free of 65,536", said.err)
    assert small.tree() == before


# -- speed -------------------------------------------------------------------------------------------------


READERS = """
[[rule]]
name = "bundle"
inputs = ["CLAUDE.md", "rule:context-rules.mdc:.cursor/rules/backend-*"]
command = "cat {in} > {out}"
outputs = ["build/bundle.txt"]

[[rule]]
name = "count"
each = "rule:context-rules.mdc"
command = "wc -c < {in} > {out}"
outputs = ["build/{stem}.count"]
"""


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


def test_a_rule_of_another_kind_that_is_not_there_is_named(tmp_path: Path) -> None:
    project = ContextProject(
        tmp_path / "tree", rules=FEW, settings=READERS.replace('rule:context-rules.mdc"', 'rule:context-rules.mcd"')
    )

    said = project.console.run("build")

    assert (said.code, "did you mean rule:context-rules.mdc?" in said.err) == (2, True)


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


@pytest.mark.parametrize("limit", [2.0, pytest.param(0.5, marks=pytest.mark.slow)])
def test_detection_takes_less_than_100_ms_and_one_change_less_than_500(built: ContextProject, limit: float) -> None:
    """W4-14: the best of several; the limit itself holds where nobody else uses the machine, as with `make bench`."""
    built.settle()
    looks, builds = [], []
    for round_ in range(3):
        began = time.perf_counter()
        assert not built.look().plan
        looks.append(time.perf_counter() - began)
        built.edit(f".context/rules/{UNSELECTED}.md", "\nThe third", f"\nIn round {round_}:\nThe third")
        began = time.perf_counter()
        assert built.build().executed == 4
        builds.append(time.perf_counter() - began)

    assert min(looks) < 0.1, looks
    assert min(builds) < limit, builds


def loading() -> float:
    """Seconds that a process takes that loads the libraries of a build and does nothing; the median."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import click, msgspec, yaml"], check=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


@pytest.mark.parametrize("limit", [2.0, pytest.param(0.5, marks=pytest.mark.slow)])
def test_one_changed_rule_of_50_is_built_in_less_than_500_ms_from_start_to_end(tmp_path: Path, limit: float) -> None:
    """W4-14: a whole process, with its start; the median of seven, where nobody else uses the machine.

    A machine on which loading the libraries alone takes more than 125 ms may take four times as long as that.
    """
    project = ContextProject(tmp_path / "tree", rules=names()[:50])
    project.build()
    project.settle()
    took = []
    for round_ in range(3 if limit > 1 else 7):
        project.edit(".context/rules/docs/rule-03.md", "\nThe third", f"\nIn round {round_}:\nThe third")
        began = time.perf_counter()
        said = project.console.run("build")
        took.append(time.perf_counter() - began)
        assert (said.code, "jobs executed" in said.err) == (0, True)

    libraries = loading()
    assert statistics.median(took) < max(limit, 4 * libraries), (libraries, took)


@pytest.mark.slow
def test_a_full_build_takes_less_than_three_seconds(built: ContextProject) -> None:
    """W4-14."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        assert built.build(no_cache=True).executed == JOBS
        times.append(time.perf_counter() - began)

    assert min(times) < 3.0, times
