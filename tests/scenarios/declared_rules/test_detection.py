"""Change detection, dependency tracking and selective recompilation."""

from __future__ import annotations

import os
import re

import pytest

from tests.scenarios.declared_rules.looks import AGGREGATES, SUMMARIES, entries
from tests.scenarios.rule_project import AUTH, DB, FINAL, JOBS, LOGIN, MDCS, REFERENCE, STYLE, RuleProject


def test_mtime_unchanged_skips_hash_check(built: RuleProject) -> None:
    """S3-41, box 1."""
    assert built.look().snapshot.hashed == 0


def test_mtime_changed_triggers_hash_verification(built: RuleProject) -> None:
    """S3-41, box 2: that one file is read, and found to be the same."""
    os.utime(built.root / REFERENCE, ns=(10**18, 10**18))

    seen = built.look()

    assert seen.snapshot.hashed == 1
    assert seen.snapshot.touched == (REFERENCE,)
    assert not seen.plan


def test_new_file_is_detected_as_changed(built: RuleProject) -> None:
    """S3-41, box 3."""
    path = built.rule("backend/cache", "Cache it.")

    seen = built.look()

    assert seen.changes.added == (path,)
    assert "mdc-backend:.cursor/rules/backend-cache.mdc" in seen.plan.jobs


def test_hash_unchanged_with_mtime_change_updates_what_is_stored(built: RuleProject) -> None:
    """S3-41, box 4: no revision and no output come of it, but the next build need not read the file."""
    before = built.stored()
    os.utime(built.root / REFERENCE, ns=(10**18, 10**18))

    report = built.build()

    assert report.status == "no-changes"
    assert entries(built).entries[REFERENCE].mtime == 10**18
    assert built.stored() == before
    built.settle()


def test_hash_changed_triggers_recompilation(built: RuleProject) -> None:
    """S3-41, box 5; of a change that leaves size and mtime as they were."""
    path = built.root / ".context/rules/backend/db.md"
    before = path.stat()
    path.write_text(path.read_text().replace("How", "Who"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    built.build()

    assert DB in built.made()
    assert "Who to do" in built.read(DB)


def test_sha256_hash_format_with_prefix(built: RuleProject) -> None:
    """S3-41, box 6: in every place of the manifest where a digest stands."""
    manifest = built.manifest()

    hashes = [state.hash for state in manifest.sources.values()]
    hashes += [made.hash for made in manifest.artefacts.values()]
    hashes += [job.key for job in manifest.jobs.values()]
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", hash_) for hash_ in [*hashes, manifest.content_hash])


def test_rule_to_rule_dependencies_are_recorded(built: RuleProject) -> None:
    """S3-42, box 1; and a reference that is taken away leaves the manifest."""
    job = built.manifest().jobs[f"mdc-security:{LOGIN}"]
    assert REFERENCE in job.inputs

    built.write(
        "windrow.toml", built.read("windrow.toml").replace(f', "{REFERENCE}"', "").replace(f" {REFERENCE};", " {in};")
    )
    built.build()

    assert REFERENCE not in built.manifest().jobs[f"mdc-security:{LOGIN}"].inputs


def test_cascading_rebuild_when_a_dependency_changes(built: RuleProject) -> None:
    """S3-42, box 2: what refers to a rule is compiled again with it."""
    built.rule("backend/auth", "New.", description="signing in")

    built.build()

    assert built.made() == {AUTH, LOGIN, SUMMARIES, *AGGREGATES}
    assert "description: signing in" in built.read(LOGIN)


def test_config_yaml_change_triggers_a_full_rebuild(built: RuleProject) -> None:
    """S3-42, box 3 (S3-14): every output takes the configuration."""
    built.write(".context/config.yaml", "version: '2'\n")

    built.build()

    assert built.planned == JOBS
    assert FINAL <= built.made()


@pytest.mark.parametrize("name", ["project.md", "architecture.md"])
def test_project_or_architecture_change_triggers_claude_and_agents_rebuild(built: RuleProject, name: str) -> None:
    """S3-42, boxes 4 and 5 (S3-15): exactly two jobs."""
    built.write(f".context/{name}", "# Another\n")

    built.build()

    assert (built.planned, built.made()) == (2, AGGREGATES)


def test_a_single_rule_change_recompiles_its_output_and_the_aggregates_it_is_in(built: RuleProject) -> None:
    """S3-16: of the aggregates only the one whose input came out otherwise (C34)."""
    before = built.tree()
    built.rule("backend/db", "Use transactions.")

    report = built.build()

    changed = {path for path, data in built.tree().items() if path in FINAL and before[path] != data}
    assert (report.planned, report.executed) == (4, 3)
    assert changed == {DB, "CLAUDE.md"}
    assert built.made("cut_off") == {"AGENTS.md"}


def test_several_rule_changes_recompile_all_their_outputs(built: RuleProject) -> None:
    """S3-17."""
    built.rule("backend/db", "One.")
    built.rule("frontend/style", "Two.")

    built.build()

    assert built.made() & MDCS == {DB, STYLE}
