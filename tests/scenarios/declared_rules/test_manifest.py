"""The manifest of a build: where it is, what it has of each file, who may read it."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import UTC, datetime

import msgspec

from coordinator.scan.scanner import STATE_FILE
from shared import hashing
from tests.scenarios.declared_rules.looks import AGGREGATES, EVERYTHING, SUMMARIES, entries
from tests.scenarios.rule_project import AUTH, LOGIN, REFERENCE, RuleProject


def compiled_to(project: RuleProject, source: str) -> set[str]:
    """The outputs that a source ends up in, by the manifest alone."""
    jobs, reached, grown = project.manifest().jobs.values(), {source}, True
    while grown:
        more = {path for job in jobs if reached.intersection(job.inputs) for path in job.outputs}
        grown = not more <= reached
        reached |= more
    return reached - {source}


def test_manifest_created_on_first_build(project: RuleProject) -> None:
    """S3-40, box 1."""
    assert not (project.records / "current.json").exists()

    report = project.build()

    assert (report.base_revision, report.revision) == (0, 1)
    assert project.manifest().revision == 1


def test_manifest_location(built: RuleProject) -> None:
    """S3-40, box 2: `.context/.build-manifest.json` is the revision in the store, copied to `.windrow/`."""
    stored = (built.records / "manifests/rev-0001.json").read_bytes()

    assert stored == (built.root / ".windrow/manifest.json").read_bytes()
    assert f'"manifest_hash":"{hashing.of_bytes(stored)}"' in (built.records / "current.json").read_text()


def test_manifest_contains_version_last_build_and_files(built: RuleProject) -> None:
    """S3-40, box 3: `version` is the schema, `lastBuild` is created_at, `files` are the sources."""
    manifest = built.manifest()

    assert manifest.schema == "windrow.manifest/2"
    assert abs(datetime.fromisoformat(manifest.created_at) - datetime.now(UTC)).total_seconds() < 60
    assert set(manifest.sources) == {path for path in built.tree() if path not in EVERYTHING}


def test_file_entry_contains_hash_mtime_and_compiled_to(built: RuleProject) -> None:
    """S3-40, box 4: the mtime is a matter of this workspace; `compiledTo` follows from the jobs."""
    entry = built.manifest().sources[REFERENCE]

    assert entry.hash == "sha256:" + hashlib.sha256((built.root / REFERENCE).read_bytes()).hexdigest()
    assert entries(built).entries[REFERENCE].mtime == (built.root / REFERENCE).stat().st_mtime_ns
    assert compiled_to(built, REFERENCE) == {AUTH, LOGIN, SUMMARIES, *AGGREGATES}


def test_manifest_is_not_committed_to_git(built: RuleProject) -> None:
    """S3-40, box 5: `init` has git ignore the workspace's state, once."""
    first = built.console.run("init")
    again = built.console.run("init")
    subprocess.run(["git", "init", "--quiet"], cwd=built.root, check=True)
    seen = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=built.root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert (first.code, again.code) == (0, 0)
    assert built.read(".gitignore").splitlines().count(".windrow/") == 1
    assert ".context/project.md" in seen
    assert ".windrow" not in seen


def test_a_manifest_of_another_version_is_refused_rather_than_guessed_at(built: RuleProject) -> None:
    """S3-23: the shared state of a newer Windrow is an error; a workspace state of one is a warning."""
    (built.root / ".windrow" / STATE_FILE).write_bytes(
        msgspec.msgpack.encode({"schema": "windrow.stat/99", "categories": "", "entries": {}})
    )
    pointer = built.records / "current.json"
    local = built.console.run("build", "--incremental")
    pointer.write_text(pointer.read_text().replace("windrow.pointer/1", "windrow.pointer/9"))

    shared = built.console.run("build", "--incremental")

    assert (local.code, "No changes detected" in local.out, "another version" in local.err) == (0, True, True)
    assert (shared.code, "error[W1202]" in shared.err) == (2, True)
