"""Puts outputs into the working copy as one transaction: all of them, or the tree as it was."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from coordinator.commit import journal as journals
from coordinator.commit.journal import Journal, Step
from coordinator.commit.marked import marked
from shared import atomic, errors, failpoint, process
from shared.errors import LocalError
from shared.model.file import Mode
from shared.process import Process
from shared.storage.blobs import BlobStore


class Write(NamedTuple):
    """A path to write: what it will hold, and where that is staged."""

    path: str
    staged: Path
    hash: str
    mode: Mode


class Applied(NamedTuple):
    """What was done to the working copy; `warnings` tell of outputs that were kept because someone changed them."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]


Outcome = Literal["forward", "back", "busy"]


class Staging:
    """A folder of one build for outputs on their way into the working copy. Thread-safe; raises LocalError.

    placed: see Placing; of regular files, from before they are in place.
    """

    def __init__(self, state_dir: Path, build: str) -> None:
        self.build = build
        self.folder = state_dir / "stage" / build
        self.bytes_down = 0
        self._numbers = itertools.count(1)
        self._writes: dict[str, Write] = {}
        self.placed: dict[str, tuple[str, os.stat_result]] = {}
        self._guard = threading.Lock()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "owner").write_bytes(msgspec.json.encode(process.this()))
        except OSError as error:
            raise errors.named(error, self.folder, "writing") from error

    def stage(self, path: str, hash_: str, mode: Mode, blobs: BlobStore) -> None:
        """Fetch what a path is to hold; also raises what BlobStore.fetch does."""
        staged, moved = self.place(), 0
        state: os.stat_result | None = None
        try:
            if mode == "link":
                staged.symlink_to(os.fsdecode(blobs.get(hash_)))
            else:
                moved = blobs.fetch(hash_, staged, executable=mode == "exec")
                state = marked(staged)
        except OSError as error:
            raise errors.named(error, staged, "writing") from error
        with self._guard:
            self.bytes_down += moved
            self._writes[path] = Write(path, staged, hash_, mode)
            if state is not None:
                self.placed[path] = (hash_, state)
            else:
                self.placed.pop(path, None)

    def keep(self, path: str) -> None:
        """Leave a path as it is: it turned out to hold the right bytes already."""
        with self._guard:
            self._writes.pop(path, None)
            self.placed.pop(path, None)

    def writes(self) -> tuple[Write, ...]:
        """What is staged, by path."""
        with self._guard:
            return tuple(write for _, write in sorted(self._writes.items()))

    def place(self) -> Path:
        """A name in the folder that nothing else uses."""
        return self.folder / f"{next(self._numbers):06d}"

    def emptied(self) -> None:
        """Forget what was staged; it is in place."""
        with self._guard:
            self._writes.clear()

    def close(self) -> None:
        """Remove the folder and all that is left in it, unless a journal still needs it."""
        if not (self.folder.parent.parent / "journal.json").exists():
            shutil.rmtree(self.folder, ignore_errors=True)


def apply(root: Path, state_dir: Path, staging: Staging, gone: Mapping[str, str] | None = None) -> Applied:
    """Put all that is staged in place and remove what is `gone` (path to the hash it must still have), or do nothing.

    LocalError names the path that stood in the way, and the tree is as it was. A crash in between is made good by
    `recover`. The caller holds the working copy, and stages only what differs.
    """
    recover(root, state_dir)
    writes = staging.writes()
    removals, warnings = _still_ours(root, gone or {})
    if not writes and not removals:
        return Applied((), (), warnings)
    steps = [Step(path, hash_, str(staging.place()), existed=True) for path, hash_ in removals]
    for write in writes:
        existed = os.path.lexists(f"{root}/{write.path}")
        steps.append(Step(write.path, write.hash, str(staging.place()), str(write.staged), write.mode, existed))
    journal = Journal(staging.build, process.this(), tuple(steps), _missing_folders(root, writes))
    path = state_dir / "journal.json"
    try:
        _sync_all(staging.folder, [write.staged for write in writes if write.mode != "link"])
    except OSError as error:
        raise errors.named(error, staging.folder, "writing") from error
    journals.write(path, journal)
    try:
        failpoint.hit("materialise.journal-written")
        _forward(root, journal)
    except BaseException:
        # Also Ctrl-C: nobody may see half of it.
        _back(root, journal)
        path.unlink()
        raise
    _finish(root, path, journal)
    staging.emptied()
    failpoint.hit("materialise.done")
    return Applied(tuple(write.path for write in writes), tuple(path for path, _ in removals), warnings)


def recover(root: Path, state_dir: Path) -> Outcome | None:
    """Finish or undo what a dead build left half done; None when there is nothing, `busy` when its process lives."""
    path = state_dir / "journal.json"
    journal = journals.read(path)
    if journal is None:
        return None
    if journal.process != process.this() and process.state(journal.process) == "alive":
        return "busy"
    try:
        complete = all(journals.done(root, step) for step in journal.steps)
        if complete:
            try:
                _forward(root, journal)
            except LocalError:
                complete = False
        if not complete:
            _back(root, journal)
        _finish(root, path, journal)
    except OSError as error:
        raise errors.named(error, error.filename or path, "recovering, writing") from error
    return "forward" if complete else "back"


def any_left(state_dir: Path) -> bool:
    """Whether there are files here that builds have only while they run."""
    try:
        with os.scandir(state_dir) as entries:
            if any(atomic.is_temporary(entry.name) for entry in entries):
                return True
        with os.scandir(state_dir / "stage") as entries:
            return next(entries, None) is not None
    except OSError:
        # Nothing was written here yet; or something is wrong, and whoever writes here next says what.
        return False


def sweep(root: Path, state_dir: Path, outputs: Iterable[str] = ()) -> int:
    """Remove what dead builds left: staging folders, temporary files there and beside these outputs; how many."""
    count, live = atomic.sweep(state_dir), set()
    stage = state_dir / "stage"
    for folder in sorted(stage.iterdir()) if stage.is_dir() else []:
        if _owned(folder):
            live.add(folder.name)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    for made in sorted({path.rpartition("/")[0] for path in outputs}):
        parent = root / made
        for entry in list(os.scandir(parent)) if parent.is_dir() else []:
            match = _TEMPORARY.fullmatch(entry.name)
            if match and match["build"] not in live and entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)
                count += 1
    return count


_TEMPORARY = re.compile(r".+\.tmp\.(?P<pid>[0-9]+)-(?P<build>[A-Za-z0-9._-]+)")


def _suffix(journal: Journal) -> str:
    return f".tmp.{journal.process.pid}-{journal.build}"


def _owned(folder: Path) -> bool:
    """Whether the process that stages here may still live."""
    try:
        owner = msgspec.json.decode((folder / "owner").read_bytes(), type=Process)
    except (OSError, msgspec.MsgspecError):
        return False
    return process.state(owner) != "dead"


def _still_ours(root: Path, gone: Mapping[str, str]) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """The paths whose file is as it was built, and a warning for each of the others that is there."""
    removals, warnings = [], []
    for path, hash_ in sorted(gone.items()):
        target = root / path
        try:
            stay_inside(root, path)
            if journals.holds(target, hash_):
                removals.append((path, hash_))
            elif os.path.lexists(target):
                warnings.append(f"kept {path}: no rule makes it any more, but it was changed since it was built")
        except OSError as error:
            raise errors.named(error, target, "reading") from error
    return removals, tuple(warnings)


def _missing_folders(root: Path, writes: Iterable[Write]) -> tuple[str, ...]:
    missing: dict[str, None] = {}
    for parent in dict.fromkeys(write.path.rpartition("/")[0] for write in writes):
        chain, folder = [], parent
        while folder and folder not in missing and not os.path.lexists(f"{root}/{folder}"):
            chain.append(folder)
            folder = folder.rpartition("/")[0]
        missing.update(dict.fromkeys(reversed(chain)))
    return tuple(missing)


def _forward(root: Path, journal: Journal) -> None:
    suffix = _suffix(journal)
    ready: set[str] = set()
    for number, step in enumerate(journal.steps, 1):
        target = f"{root}/{step.path}"
        folder, _, name = target.rpartition("/")
        try:
            if folder not in ready:
                stay_inside(root, step.path)
            if step.staged:
                if folder not in ready:
                    os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - as a string
                    ready.add(folder)
                _refuse_folder(target)
            journals.forward(root, step, suffix)
            if not step.staged:
                prune(root, Path(folder))
        except OSError as error:
            # What refuses a rename is the folder.
            raise errors.named(error, folder, f"writing {name} in") from error
        failpoint.hit(f"materialise.renamed-{number}")


def _back(root: Path, journal: Journal) -> None:
    """Undo every step, last first; what cannot be undone now is in the journal, for the next start."""
    suffix = _suffix(journal)
    trouble: LocalError | None = None
    for step in reversed(journal.steps):
        try:
            journals.back(root, step, suffix)
        except OSError as error:
            target = root / step.path
            trouble = trouble or errors.named(error, target.parent, f"writing {target.name} back in")
    if trouble is not None:
        raise trouble
    for folder in reversed(journal.made):
        try:
            (root / folder).rmdir()
        except OSError:
            # Not there, or someone put a file in it: then it stays.
            continue


def _finish(root: Path, path: Path, journal: Journal) -> None:
    try:
        paths = (*(step.path for step in journal.steps), *journal.made)
        for folder in sorted({path.rpartition("/")[0] for path in paths}):
            if (root / folder).is_dir():
                atomic.sync_folder(root / folder)
        # Only now may the way back go.
        path.unlink()
        atomic.sync_folder(path.parent)
        for step in journal.steps:
            if step.existed:
                Path(step.backup).unlink(missing_ok=True)
    except OSError as error:
        raise errors.named(error, path, "writing") from error


def stay_inside(root: Path, path: str) -> None:
    """LocalError when a parent of the path is a symlink that leads out of the tree."""
    parent = path.rpartition("/")[0]
    # realpath: Path.resolve raises on a loop of symlinks.
    real, found = Path(os.path.realpath(root)), Path(os.path.realpath(root / parent))
    if not found.is_relative_to(real):
        raise LocalError(
            f"{path} would be written outside the tree",
            at=path,
            why=f"{parent} leads to {found}",
            fix="replace that symlink by a folder, or give the rule another output",
        )


def _refuse_folder(target: str) -> None:
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise LocalError(
            f"cannot write {target}: a folder is in its place",
            at=target,
            fix="move the folder away, or give the rule another output",
        )


def prune(root: Path, folder: Path) -> None:
    """Remove a folder that holds nothing any more, and its parents likewise, up to the root."""
    while folder != root:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


def _sync_all(folder: Path, files: Sequence[Path]) -> None:
    """Have staged bytes outlast a power cut; many at once by one call for the file system."""
    if len(files) > _SYNC_EACH and (syncfs := _syncfs()):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if syncfs(fd) == 0:
                return
        finally:
            os.close(fd)
    for path in files:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _syncfs() -> Callable[[int], int] | None:
    import ctypes  # noqa: PLC0415 - not for a build with nothing to do

    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "syncfs", None)
    return found


_SYNC_EACH = 32
