"""W4-03: seed 003, its 37 tests by name and the scenarios beside them, on declared rules.

Where the seed says `.context/.build-manifest.json` stands a committed revision (and its copy in `.windrow/`), where
it says `.context/.build.lock` the build lock, where it says the manifest's mtime the stat cache of the workspace.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from coordinator import build as building
from coordinator.lock.lease import Holder, me
from coordinator.request import Request
from coordinator.scan.scanner import STATE_FILE
from coordinator.scan.statcache import StatCache
from shared import canonical, hashing
from shared.clock import SystemClock, from_iso, iso
from shared.errors import FarmError, LocalError, LockHeld
from shared.model.graph import BuildGraph
from shared.model.plan import Plan
from tests.console import ended, powerless
from tests.fakes.observer import RecordingObserver
from tests.scenarios.rule_project import (
    AUTH,
    DB,
    FINAL,
    FORMS,
    JOBS,
    LOGIN,
    MDCS,
    REFERENCE,
    STYLE,
    RuleProject,
)
from tests.traps.arena import Gate
from tests.waiting import until

SUMMARIES = ".context/build/summaries"
EVERYTHING = {*FINAL, SUMMARIES}
AGGREGATES = {"CLAUDE.md", "AGENTS.md"}
TEMPORARY = re.compile(r"\.tmp\.\d+")


@pytest.fixture
def project(tmp_path: Path) -> RuleProject:
    """Nothing is built yet."""
    return RuleProject(tmp_path / "tree")


@pytest.fixture
def built(project: RuleProject) -> RuleProject:
    """One revision is there, and every file has been known for long enough."""
    assert project.build().status == "ok"
    project.settle()
    return project


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A place where jobs of a gated project wait while it is shut."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.path.unlink(missing_ok=True)
    until(lambda: not _end_all(gate), what="the jobs at the gate to end")


def _end_all(gate: Gate) -> list[int]:
    waiting = gate.waiting()
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    return waiting


def entries(project: RuleProject) -> StatCache:
    return StatCache.load(project.root / ".windrow" / STATE_FILE)


def left_overs(project: RuleProject) -> list[str]:
    """Temporary files, and staged ones, of builds that are over."""
    found = [path for path in project.tree() if TEMPORARY.search(path)]
    return found + [path.name for path in (project.root / ".windrow").glob("stage/*/*")]


def compiled_to(project: RuleProject, source: str) -> set[str]:
    """The outputs that a source ends up in, by the manifest alone."""
    jobs, reached, grown = project.manifest().jobs.values(), {source}, True
    while grown:
        more = {path for job in jobs if reached.intersection(job.inputs) for path in job.outputs}
        grown = not more <= reached
        reached |= more
    return reached - {source}


# -- requirement: build manifest ------------------------------------------------------------------------


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

    assert manifest.schema == "windrow.manifest/1"
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


# -- requirement: change detection ----------------------------------------------------------------------


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


# -- requirement: dependency tracking -------------------------------------------------------------------


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


# -- requirement: selective recompilation ---------------------------------------------------------------


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


# -- requirement: manifest integrity, deleted files -----------------------------------------------------


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


def test_a_deleted_rule_loses_its_output_its_entry_and_its_place_in_the_aggregates(built: RuleProject) -> None:
    """S3-24, S3-25, S3-26."""
    built.delete(".context/rules/frontend/forms.md")

    report = built.build()

    manifest = built.manifest()
    assert not built.exists(FORMS)
    assert report.outputs_removed == 1
    assert ".context/rules/frontend/forms.md" not in manifest.sources
    assert FORMS not in manifest.artefacts
    assert "frontend/forms" not in built.read("CLAUDE.md") + built.read("AGENTS.md")


def test_the_output_of_a_deleted_rule_is_kept_if_a_person_has_changed_it(built: RuleProject) -> None:
    """W4-08: with a warning."""
    built.delete(".context/rules/frontend/forms.md")
    built.write(FORMS, "mine\n")

    built.build()
    warnings = built.observer.warnings
    checked = built.console.run("doctor")

    assert built.read(FORMS) == "mine\n"
    assert FORMS in built.manifest().sources
    assert FORMS not in built.manifest().artefacts
    assert warnings == [f"kept {FORMS}: no rule makes it any more, but it was changed since it was built"]
    assert "the archived events tell the same as the manifest" in checked.out


def test_a_deleted_rule_that_another_refers_to_is_an_error_before_anything_is_written(built: RuleProject) -> None:
    """S3-25: a dead link."""
    built.delete(REFERENCE)
    before = built.tree()

    said = built.console.run("build")

    assert (said.code, REFERENCE in said.err) == (2, True)
    assert built.tree() == before
    assert built.manifest().revision == 1


def test_two_rules_that_make_one_output_are_an_error_that_names_both(built: RuleProject) -> None:
    """B U26: `backend/auth.md` and a file of another directory compiled to the same name."""
    text = built.read("windrow.toml")
    built.write(
        "windrow.toml",
        text + '\n[[rule]]\nname = "flat"\neach = ".context/project.md"\ncommand = "cp {in} {out}"\n'
        f'outputs = ["{AUTH}"]\n',
    )

    said = built.console.run("build")

    assert said.code == 2
    assert "mdc-backend" in said.err
    assert "flat" in said.err


# -- requirement: atomic file writes --------------------------------------------------------------------


def test_successful_write_creates_target_file(project: RuleProject) -> None:
    """S3-43, box 1: and nothing beside it."""
    project.build()

    assert FINAL <= set(project.tree())
    assert left_overs(project) == []


@pytest.mark.fault
@pytest.mark.parametrize("place", ["materialise.journal-written", "materialise.renamed-1", "materialise.renamed-5"])
def test_interrupted_write_leaves_no_partial_file(built: RuleProject, place: str) -> None:
    """S3-43, box 2 (S3-29): killed at a place, then built again."""
    before = built.tree()
    built.write(".context/config.yaml", "version: '2'\n")

    killed = built.console.run("build", env={"WINDROW_FAILPOINT": f"{place}=kill"})
    between = built.tree()
    again = built.console.run("build")

    assert killed.code == -signal.SIGKILL
    after = built.tree()
    assert all(between[path] in (before[path], after[path]) for path in FINAL)
    assert again.code == 0
    assert all(after[path] != before[path] for path in FINAL)
    assert left_overs(built) == []


def test_temp_files_are_removed_on_error(built: RuleProject) -> None:
    """S3-43, box 3: a folder stands where an output has to go."""
    built.write(".context/config.yaml", "version: '2'\n")
    (built.root / LOGIN).unlink()
    (built.root / LOGIN / "in the way").mkdir(parents=True)

    with pytest.raises(LocalError, match="a folder is in its place"):
        built.build()

    assert left_overs(built) == []


@pytest.mark.fault
def test_multi_file_transaction_commits_all_or_none(built: RuleProject) -> None:
    """S3-43, box 4: the third rename fails (C30)."""
    before = built.tree()
    built.write(".context/config.yaml", "version: '2'\n")

    said = built.console.run("build", env={"WINDROW_FAILPOINT": "materialise.renamed-3=raise"})

    assert said.code == FarmError.exit_code
    assert {path: data for path, data in built.tree().items() if path in EVERYTHING} == {
        path: data for path, data in before.items() if path in EVERYTHING
    }
    assert left_overs(built) == []
    assert built.manifest().revision == 1


@pytest.mark.fault
@pytest.mark.parametrize(
    ("place", "current"),
    [
        ("commit.before-manifest", 1),
        ("commit.after-manifest", 1),
        ("commit.before-pointer", 1),
        ("commit.after-pointer", 2),
    ],
)
def test_manifest_is_written_atomically(built: RuleProject, place: str, current: int) -> None:
    """S3-43, box 5: killed on either side of each write, a whole revision is current, and the next build commits."""
    built.write(".context/config.yaml", "version: '2'\n")

    killed = built.console.run("build", env={"WINDROW_FAILPOINT": f"{place}=kill"})
    base = built.project().load_base()
    again = built.console.run("build")

    assert killed.code == -signal.SIGKILL
    assert (base.revision, base.problems) == (current, ())
    assert again.code == 0
    manifest = built.manifest()
    assert manifest.sources[".context/config.yaml"].size == len("version: '2'\n")
    # Past a manifest that no pointer came to name; what is told of the builds agrees.
    made = {"commit.after-manifest": 3, "commit.before-pointer": 3}.get(place, 2)
    listed = built.console.run("builds", "--json").json()["builds"]
    assert (manifest.revision, max(run["revision"] for run in listed)) == (made, f"rev-{made:04d}")


# -- requirement: build locking -------------------------------------------------------------------------


class Onlooker(RecordingObserver):
    """Asks, when a build begins, who holds the lock."""

    def __init__(self, project: RuleProject) -> None:
        super().__init__()
        self.project = project
        self.holder: Holder | None = None
        self.record = ""

    def planned(self, plan: Plan, graph: BuildGraph, *, build: str, revision: int) -> None:
        super().planned(plan, graph, build=build, revision=revision)
        self.holder = self.project.project().lock().current()
        self.record = (self.project.records / "lock.json").read_text()


def watched(project: RuleProject) -> Onlooker:
    """Build, looking at the lock meanwhile."""
    onlooker = Onlooker(project)
    building.build(project.project(), Request(), onlooker)
    return onlooker


def test_lock_created_on_build_start(project: RuleProject) -> None:
    """S3-44, box 1."""
    onlooker = watched(project)

    assert onlooker.holder is not None
    assert onlooker.holder.gone() is False


def test_lock_contains_pid_timestamp_and_hostname(project: RuleProject) -> None:
    """S3-44, box 2; and what else tells people whose it is."""
    onlooker = watched(project)

    holder = onlooker.holder
    assert holder is not None
    assert (holder.pid, holder.host) == (os.getpid(), socket.gethostname())
    assert abs(from_iso(holder.since) - time.time()) < 60
    assert (holder.fence, bool(holder.user)) == (1, True)
    assert all(word in onlooker.record for word in ('"pid"', '"host"', '"since"'))


def test_active_lock_blocks_new_builds(built: RuleProject) -> None:
    """S3-44, box 3 (S3-32): the seed's sentence, who holds it, and nothing written."""
    built.rule("backend/db", "Later.")
    before, stored = built.tree(), built.stored()
    lease = built.project().lock().acquire(me("other1"))

    said = built.console.run("build")

    lease.release()
    assert said.code == 9
    assert "Another build is in progress" in said.err
    assert f"pid {os.getpid()}" in said.err
    assert "build other1" in said.err
    assert "--wait" in said.err
    assert built.tree() == before
    assert {path: data for path, data in built.stored().items() if "lock" not in path} == {
        path: data for path, data in stored.items() if "lock" not in path
    }


def stale(project: RuleProject, seconds: float) -> None:
    """A lock of this living process, last renewed so many seconds ago."""
    clock = SystemClock()
    then = iso(clock.now() - seconds)
    holder = msgspec.structs.replace(me("old"), since=then, renewed=then, fence=7)
    project.records.mkdir(parents=True, exist_ok=True)
    held = {"holder": msgspec.to_builtins(holder), "beat": clock.monotonic() - seconds}
    (project.records / "lock.json").write_bytes(canonical.encode(held))


def test_stale_lock_is_removed(project: RuleProject) -> None:
    """S3-44, box 4 (S3-33): not renewed for five minutes, although its process lives; the next fence is higher."""
    stale(project, 301)

    onlooker = watched(project)

    assert onlooker.holder is not None
    assert onlooker.holder.fence == 8
    assert project.manifest().fence == 8


def test_a_lock_of_less_than_five_minutes_is_not_stale(project: RuleProject) -> None:
    """S3-32, the other side of the limit."""
    stale(project, 290)

    with pytest.raises(LockHeld, match="Another build is in progress"):
        project.build()


def test_lock_is_released_on_success(project: RuleProject) -> None:
    """S3-44, box 5."""
    project.build()

    assert project.project().lock().current() is None
    assert not (project.records / "lock.json").exists()


def test_lock_is_released_on_failure(project: RuleProject) -> None:
    """S3-44, box 6: after a failed job, and after an error."""
    project.write(".context/rules/backend/db.md", "no front matter\n")
    report = project.build()
    after_job = project.project().lock().current()
    project.rule("backend/db", "Mended.")
    (project.root / DB / "in the way").mkdir(parents=True)
    with pytest.raises(LocalError):
        project.build()

    assert (report.status, after_job) == ("failed", None)
    assert project.project().lock().current() is None


# -- integration: incremental builds --------------------------------------------------------------------


def test_incremental_build_with_single_file_change(built: RuleProject) -> None:
    """S3-45, box 1, at the command line (S3-19)."""
    built.rule("frontend/style", "Two spaces.")

    said = built.console.run("build", "--incremental", "--json")

    report = said.json()
    assert (said.code, report["status"], report["revision"]) == (0, "ok", "rev-0002")
    assert (report["planned"], report["executed"], report["reused"]["cut_off"]) == (4, 3, 1)
    assert (report["outputs_written"], report["layers"]) == (2, [1, 2, 1])


def test_incremental_build_with_no_changes_exits_early(built: RuleProject) -> None:
    """S3-45, box 2 (S3-18): the seed's sentence, exit 0; no lock, no revision, no event, no file touched."""
    before = built.stored()
    times = {path: (built.root / path).stat().st_mtime_ns for path in built.tree()}

    said = built.console.run("build", "--incremental")

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("No changes detected")
    assert built.stored() == before
    assert {path: (built.root / path).stat().st_mtime_ns for path in built.tree()} == times


def test_full_build_ignores_manifest(built: RuleProject) -> None:
    """S3-45, box 3 (S3-20): as an option, and as a project's default that `--incremental` takes back."""
    full = built.console.run("build", "--full", "--no-cache", "--json").json()
    built.settings('[build]\nmode = "full"\n')
    built.console.run("build")

    default = built.console.run("build", "--json").json()
    incremental = built.console.run("build", "--incremental", "--json").json()

    assert (full["planned"], full["executed"]) == (JOBS, JOBS)
    assert (default["planned"], default["executed"]) == (JOBS, 0)
    assert incremental["status"] == "no-changes"


def test_missing_manifest_triggers_full_build(built: RuleProject) -> None:
    """S3-45, box 4 (S3-21): everything is planned, stored results are found again, and a manifest is made."""
    shutil.rmtree(built.records)
    built.wipe_state()

    report = built.console.run("build", "--incremental", "--json").json()

    assert (report["planned"], report["executed"], report["base_revision"]) == (JOBS, 0, None)
    assert report["revision"] == "rev-0001"
    assert built.manifest().revision == 1


@pytest.mark.parametrize("name", ["current.json", "manifests/rev-0001.json"])
def test_corrupt_manifest_triggers_full_build_with_warning(built: RuleProject, name: str) -> None:
    """S3-45, box 5 (S3-22): the damaged pointer is kept aside, and numbers go on (U18, C26)."""
    (built.records / name).write_text("{ not json")
    built.wipe_state()

    said = built.console.run("build", "--incremental")

    assert said.code == 0
    assert re.search(r"warning: .*building fully", said.err)
    assert f"{JOBS} to run" in said.err
    assert built.manifest().revision == 2
    kept = [path.read_text() for path in built.records.glob("damaged/*current.json")]
    assert kept == (["{ not json"] if name == "current.json" else [])


# -- integration: concurrent builds ---------------------------------------------------------------------


@pytest.fixture
def gated(tmp_path: Path, gate: Gate) -> RuleProject:
    """Its jobs wait at the gate when that is shut."""
    return RuleProject(tmp_path / "tree", gate=gate.command)


def test_two_concurrent_builds_the_second_is_blocked(gated: RuleProject, gate: Gate) -> None:
    """S3-46, box 1: from the same working copy, and from another one of the same project and store."""
    elsewhere = RuleProject(gated.root.parent / "other", cache=gated.cache, gate=gate.command)
    gate.shut()
    first = gated.console.start("build", "-j", "1")
    gate.await_step()

    here = gated.console.run("build")
    there = elsewhere.console.run("build")
    looked = gated.console.run("lock", "show", "--json")
    gate.open()
    won = ended(first)

    assert (here.code, there.code) == (9, 9)
    assert "Another build is in progress" in here.err
    assert "Another build is in progress" in there.err
    for said in (here, there):
        assert re.search(rf"why: \S+@\S+, pid {first.pid}, build [0-9a-f]{{6}}, since \S+Z \(\d+ s ago\)", said.err)
    assert (looked.code, looked.json()["holder"]["pid"]) == (9, first.pid)
    assert won.code == 0
    assert not elsewhere.exists("CLAUDE.md")
    assert gated.manifest().revision == 1


@pytest.mark.fault
def test_build_after_a_stale_lock_proceeds(gated: RuleProject, gate: Gate) -> None:
    """S3-46, box 2 (S3-35): the first build is killed and cleans nothing up; the next need not wait five minutes."""
    gate.shut()
    first = gated.console.start("build", "-j", "1")
    gate.await_step()
    first.kill()
    ended(first)
    gate.remove()
    assert (gated.records / "lock.json").exists()

    said = gated.console.run("build")

    assert said.code == 0
    assert gated.manifest().fence == 2
    assert not (gated.records / "lock.json").exists()


# -- requirement: failures ------------------------------------------------------------------------------


def test_a_failed_rule_keeps_what_succeeded_and_commits_nothing(built: RuleProject) -> None:
    """S3-36 with --keep-going (C01): good outputs reach the tree, the shared revision stays; later only the rest runs."""
    built.rule("backend/db", "Good.")
    built.write(".context/rules/frontend/style.md", "no front matter\n")

    said = built.console.run("build", "--keep-going")
    failed = built.manifest().revision
    good = "Good." in built.read(DB)
    built.rule("frontend/style", "Mended.")
    mended = built.build()

    assert said.code == 1
    assert "frontend/style.md: no description" in said.err
    assert "reproduce:" in said.err
    assert (good, failed) == (True, 1)
    assert mended.revision == 2
    assert DB not in built.made()


def test_a_build_that_fails_at_once_changes_no_output_and_no_manifest(built: RuleProject) -> None:
    """S3-37."""
    built.write(".context/rules/frontend/style.md", "no front matter\n")
    before, pointer = built.tree(), (built.records / "current.json").read_bytes()

    report = built.build()

    assert (report.status, report.failed, report.revision) == ("failed", 1, 0)
    assert built.tree() == before
    assert (built.records / "current.json").read_bytes() == pointer


def test_disk_full_is_told_with_the_space_there_is(built: RuleProject) -> None:
    """S3-38: the outputs lie on a disk of 64 KB; the tree stays as it was."""
    folder, old = built.root / ".cursor", built.cache / "old"
    shutil.copytree(folder, old)
    script = f'mount -t tmpfs -o size=64k tmpfs "$0" && cp -r {old}/. "$0" && "$@"'
    small = ["unshare", "-rm", "sh", "-c", script, str(folder)]
    if subprocess.run([*small, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount in a name space of one's own")
    built.rule("frontend/style", "x" * 200_000)
    before = built.tree()

    said = built.console.run("build", before=small)

    assert said.code == 36
    assert "error[W3601]: no space left while writing" in said.err
    assert re.search(r"why: [\d,]+ bytes free of 65,536", said.err)
    assert "fix: " in said.err
    assert built.tree() == before
    assert built.manifest().revision == 1


def test_permission_denied_is_told_with_path_and_permission(built: RuleProject) -> None:
    """S3-39: `.cursor/rules` may not be written; the tree stays as it was, and the next build makes it good."""
    built.rule("frontend/style", "Other.")
    folder = built.root / ".cursor/rules"
    folder.chmod(0o555)
    before = built.tree()

    said = built.console.run("build", before=powerless())
    between = built.tree()
    folder.chmod(0o755)
    mended = built.build()

    assert said.code == 36
    assert "error[W3602]: permission denied while writing" in said.err
    assert str(folder) in said.err
    assert "has mode 555, owner uid" in said.err
    assert between == before
    assert (mended.status, mended.revision) == ("ok", 2)


# -- performance ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> RuleProject:
    """100 rules, built; shared by the tests that measure."""
    project = RuleProject(tmp_path_factory.mktemp("hundred") / "tree")
    for number in range(95):
        project.rule(f"{('backend', 'frontend')[number % 2]}/rule-{number:02d}", f"Rule {number}.\n" * 20)
    assert project.build().executed == JOBS + 95
    return project


def test_incremental_build_with_1_changed_file_in_100_rule_project(hundred: RuleProject) -> None:
    """S3-47, box 1 (W4-14): one .mdc and what it is in, in well under the time of a full build."""
    hundred.settle()
    hundred.rule("backend/rule-50", "Changed.")
    began = time.perf_counter()

    report = hundred.build()

    took = time.perf_counter() - began
    assert (report.planned, report.executed) == (4, 3)
    assert (len(report.changed), took < 2.0) == (2, True), took


def test_change_detection_overhead_for_100_files(hundred: RuleProject) -> None:
    """S3-47, box 2: less than 100 ms, the diff and an empty plan included."""
    hundred.settle()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        seen = hundred.look()
        times.append(time.perf_counter() - began)

    assert (seen.snapshot.hashed, bool(seen.plan)) == (0, False)
    assert min(times) < 0.1, times


def test_hash_computation_performance(tmp_path: Path) -> None:
    """S3-47, box 3: 32 MB in less than a second, in pieces that fit into memory."""
    path = tmp_path / "large"
    path.write_bytes(os.urandom(1 << 20) * 32)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        hash_, size = hashing.of_file(path)
        times.append(time.perf_counter() - began)

    assert (size, hash_) == (32 << 20, "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest())
    assert min(times) < 1.0, times
