"""A hydrate from start to end: choose a revision, look at the folder, fetch what differs, take away what went."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec

from coordinator.commit import materialise
from coordinator.commit.placing import Placing
from coordinator.hydrate import placed, state
from coordinator.hydrate.state import State
from coordinator.hydrate.target import Scope, Target, choose, files_of
from coordinator.ingest import trees
from coordinator.lock import workspace
from coordinator.project import Project
from coordinator.scan.scanner import Scan, glance
from shared import atomic, failpoint, hashing
from shared.clock import iso
from shared.errors import FarmError, LocalError, WindrowError, named
from shared.model.action import Output
from shared.model.file import FileState
from shared.settings import Settings
from shared.settings_keys import LOCAL_FILE, PROJECT_FILE

CONCURRENCY = 5
_OWN = frozenset((PROJECT_FILE, LOCAL_FILE))


class HydrateRequest(msgspec.Struct, frozen=True):
    """What is asked of a hydrate. revision: None for the current one. full: fetch every file, whatever is there.

    wait: seconds for another command to leave the workspace, None without limit. concurrency: files fetched at once.
    """

    folder: Path
    state_file: Path
    scope: Scope = "all"
    revision: int | None = None
    full: bool = False
    wait: float | None = 0.0
    concurrency: int = CONCURRENCY


class HydrateReport(msgspec.Struct, frozen=True):
    """What came of it.

    failures: path and what went wrong. bytes: of the files fetched; bytes_down: those that came from another machine.
    saved: files that somebody had changed, copies of which are in `saved_in`.
    """

    revision: int
    manifest_hash: str
    files: int
    downloaded: int = 0
    unchanged: int = 0
    removed: int = 0
    bytes: int = 0
    bytes_down: int = 0
    saved: tuple[str, ...] = ()
    saved_in: str = ""
    failures: tuple[tuple[str, WindrowError], ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


class _Seen(NamedTuple):
    """How a folder stands to its target. known: what hydrate may have put where, before; settled: its run ended."""

    scan: Scan
    there: Mapping[str, FileState]
    known: dict[str, tuple[str, ...]]
    fetch: list[Output]
    gone: list[str]
    settled: bool


def hydrate(project: Project, request: HydrateRequest) -> HydrateReport:
    """Bring a folder to what a revision holds. Files that cannot be had are in the report, and the rest is there.

    A file is there whole or not at all, and what is there already is not fetched again, also after a run that was
    killed. The state file is written when everything is there, and only then. Raises LockHeld, UsageError, FarmError,
    LocalError.
    """
    began = project.clock.monotonic()
    with workspace.holding(project.settings.state_dir, project.clock, wait=request.wait):
        report = _Hydrate(project, request).run()
    return msgspec.structs.replace(report, seconds=project.clock.monotonic() - began)


class _Hydrate:
    def __init__(self, project: Project, request: HydrateRequest) -> None:
        self.project, self.request = project, request
        self.name = os.urandom(3).hex()
        atomic.make_folder(request.folder, durable=False)
        self.root = request.folder.resolve()
        self.own = _own_folder(project.settings, self.root)
        atomic.make_folder(self.own, durable=False)
        self.record = self.own / "placed.msgpack"
        self.warnings: list[str] = []
        self.saved: list[str] = []

    def run(self) -> HydrateReport:
        request = self.request
        if request.full:
            state.forget(request.state_file)
        found = state.read(request.state_file, self.project.settings.project)
        if found.warning:
            self.warnings.append(found.warning)
        target = choose(self.project, request.scope, request.revision)
        for path in _OWN & target.files.keys():
            raise LocalError(
                f"{path} would be written over",
                at=path,
                why="settings of a project are not hydrated",
                fix="ingest it to another path",
            )
        seen = self._look(target, found.state)
        report = HydrateReport(target.revision, target.hash, len(target.files))
        if seen.fetch or seen.gone:
            report = self._change(target, seen, report)
        elif not seen.settled or seen.known != {path: (file.hash,) for path, file in target.files.items()}:
            placed.settle(self.record, {path: file.hash for path, file in target.files.items()}, {})
        if warning := seen.scan.save():
            self.warnings.append(warning)
        if not report.failures:
            self._reached(target, found.state)
        unchanged = len(target.files) - len(seen.fetch)
        return msgspec.structs.replace(report, unchanged=unchanged, warnings=tuple(self.warnings))

    def _look(self, target: Target, reached: State | None) -> _Seen:
        """What the folder holds of all that hydrate put there or is to put there."""
        noted, files, full = placed.read(self.record), target.files, self.request.full
        known = noted.files if noted is not None else self._by_hash(reached)
        unfinished = noted is not None and noted.open
        if unfinished:
            # The workspace is ours, so whoever wrote them is dead.
            materialise.sweep(self.root, self.project.settings.state_dir, [*files, *known])
        settings = _settings(self.project.settings, self.root, self.own)
        scan = glance(settings, [*files, *known], verify=full)
        there = scan.snapshot.outputs
        fetch = [file for path, file in files.items() if full or not _as_wanted(there.get(path), file)]
        gone = sorted(path for path in known if path not in files and path in there)
        return _Seen(scan, there, known, fetch, gone, settled=noted is not None and not unfinished)

    def _by_hash(self, reached: State | None) -> dict[str, tuple[str, ...]]:
        """What the state file says that was put here, where nothing else is known, as on a machine of CI."""
        if reached is None:
            return {}
        manifest = trees.find(self.project.stores.refs, *self.project.name, reached.manifest_hash)
        if manifest is None and self.request.scope != "all":
            return {}  # only whole states are found by their hash
        if manifest is None:
            self.warnings.append(
                f"the state {reached.manifest_hash[:12]}… is not known; files it had and the revision has not are left"
            )
            return {}
        return {path: (file.hash,) for path, file in files_of(manifest, "all").items()}

    def _change(self, target: Target, seen: _Seen, report: HydrateReport) -> HydrateReport:
        wanted = {file.path: file.hash for file in seen.fetch}
        placed.intend(self.record, seen.known, {path: file.hash for path, file in target.files.items()})
        failpoint.hit("hydrate.began")
        removed = [path for path in seen.gone if self._remove(path, seen)]
        for path, hash_ in wanted.items():
            self._spare(path, hash_, seen)
        placing = Placing(self.root, self.name)
        failures = self._fetch(seen.fetch, placing)
        failed = {path for path, _ in failures}
        there = {path: file.hash for path, file in target.files.items() if path not in failed}
        kept = {path: seen.known[path] for path in seen.gone if path not in removed}
        doubtful = {path: (*seen.known.get(path, ()), wanted[path]) for path in failed}
        placed.settle(self.record, there, {**kept, **doubtful})
        seen.scan.learn({path for path in wanted if path not in failed})
        if self.saved:
            files = "1 file" if len(self.saved) == 1 else f"{len(self.saved):,} files"
            self.warnings.append(f"what {files} here held is not what hydrate had left; it is kept in {self._kept}")
        return msgspec.structs.replace(
            report,
            downloaded=len(wanted) - len(failed),
            removed=len(removed),
            bytes=sum(file.size for file in seen.fetch if file.path not in failed),
            bytes_down=placing.bytes_down,
            saved=tuple(self.saved),
            saved_in=str(self._kept) if self.saved else "",
            failures=tuple(failures),
        )

    def _fetch(self, files: list[Output], placing: Placing) -> list[tuple[str, WindrowError]]:
        for folder in {file.path.rpartition("/")[0] for file in files}:
            materialise.stay_inside(self.root, f"{folder}/x" if folder else "x")
        blobs = self.project.stores.blobs

        def fetch(file: Output) -> tuple[str, WindrowError] | None:
            try:
                placing.place(file, blobs)
            except (FarmError, LocalError) as error:
                return file.path, error
            failpoint.hit("hydrate.placed")
            return None

        with ThreadPoolExecutor(self.request.concurrency, thread_name_prefix="hydrate") as pool:
            return [failure for failure in pool.map(fetch, files) if failure is not None]

    def _remove(self, path: str, seen: _Seen) -> bool:
        """Take away a file that the revision has not; one that somebody changed stays."""
        target = self.root / path
        if seen.there[path].hash not in seen.known[path]:
            self.warnings.append(f"kept {path}: the revision has it no more, but it was changed here")
            return False
        try:
            materialise.stay_inside(self.root, path)
            target.unlink(missing_ok=True)
            materialise.prune(self.root, target.parent)
        except OSError as error:
            raise named(error, target, "writing") from error
        return True

    @property
    def _kept(self) -> Path:
        return self.project.settings.state_dir / "replaced" / self.name

    def _spare(self, path: str, wanted: str, seen: _Seen) -> None:
        """Keep a copy of what is about to be replaced, if hydrate did not write it."""
        there = seen.there.get(path)
        if there is None or there.hash in (wanted, *seen.known.get(path, ())) or (self.root / path).is_dir():
            return
        kept = self._kept / path
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.root / path, kept, follow_symlinks=False)
        except OSError as error:
            raise named(error, kept, "writing") from error
        self.saved.append(path)

    def _reached(self, target: Target, before: State | None) -> None:
        if before is not None and (before.manifest_hash, before.file_count) == (target.hash, len(target.files)):
            return
        now = iso(self.project.clock.now())
        state.write(self.request.state_file, State(self.project.settings.project, target.hash, now, len(target.files)))


def _as_wanted(there: FileState | None, file: Output) -> bool:
    return there is not None and (there.hash, there.mode) == (file.hash, file.mode)


def _own_folder(settings: Settings, folder: Path) -> Path:
    """Where what is known of a hydrated folder is kept."""
    return settings.state_dir / "hydrate" / hashing.bare(hashing.of_bytes(os.fsencode(folder)))[:16]


def _settings(settings: Settings, folder: Path, own: Path) -> Settings:
    """Settings by which the scanner looks at files of a hydrated folder."""
    return Settings(folder, settings.project, settings.branch, settings.cache_dir, state=own)
