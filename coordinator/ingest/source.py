"""What a source folder holds: its files, by the paths they go to."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from coordinator.ingest.mapping import Mapped, Mapper, is_content
from coordinator.scan.scanner import Scan, scan
from shared import hashing
from shared.errors import UsageError
from shared.model.file import FileState
from shared.model.path import is_normal
from shared.settings import Settings, StorageSettings

# Folders that are no book: of editors, of Node, of builds. Files that Windrow itself ignores are left out as well.
IGNORED = (".*/", "node_modules/", "build/", "dist/")


class Source(msgspec.Struct, frozen=True):
    """A folder as an ingest sees it. origin: path it goes to → path it was found at, relative to `folder`.

    skipped: what goes nowhere, those that something is wrong with among them. hashed: files that had to be read.
    """

    folder: Path
    scanned: Scan
    files: dict[str, FileState]
    origin: dict[str, str]
    skipped: tuple[Mapped, ...]
    hashed: int

    @property
    def size(self) -> int:
        """Bytes of all files that go somewhere."""
        return sum(state.size for state in self.files.values())

    @property
    def invalid(self) -> tuple[Mapped, ...]:
        """What something is wrong with."""
        return tuple(one for one in self.skipped if one.error)


def look(folder: Path, settings: Settings, mapper: Mapper, *, verify: bool = False) -> Source:
    """Scan a folder and map what it holds. UsageError, UnreadableFile, PathsCollide; writes nothing.

    What was read of files is remembered in the project's own state, so that the next look need not read them.
    """
    if not folder.is_dir():
        raise UsageError(
            f"the source folder {folder} is not a directory" if folder.exists() else f"{folder} does not exist",
            at=str(folder),
            fix="name the folder of the book: --source-dir, or [ingest] source_dir",
        )
    scanned = scan(_settings(folder.resolve(), settings), (), verify=verify)
    found = {path: state for path, state in scanned.snapshot.sources.items() if is_content(path)}
    files: dict[str, FileState] = {}
    origin: dict[str, str] = {}
    skipped: list[Mapped] = []
    linked = {path for path, state in found.items() if state.mode == "link"}
    for one in mapper.map_all(path for path in found if path not in linked):
        if one.path is None:
            skipped.append(one)
            continue
        assert is_normal(one.path)
        state = found[one.source]
        # Of one book the same state, whoever ingests it: file systems that know no x bit set it for all.
        files[one.path] = FileState(state.hash, state.size)
        origin[one.path] = one.source
    skipped += [
        Mapped(path, "unknown", error="it is a symlink; put the file itself there", code="INVALID_PATH")
        for path in sorted(linked)
    ]
    return Source(folder, scanned, dict(sorted(files.items())), origin, tuple(skipped), scanned.snapshot.hashed)


def _settings(folder: Path, settings: Settings) -> Settings:
    """Settings that make the scanner see a source folder as it sees a project."""
    state = state_folder(folder, settings)
    return Settings(
        root=folder,
        project=settings.project,
        branch=settings.branch,
        cache_dir=settings.cache_dir,
        storage=StorageSettings(settings.storage.url),
        ignore=(*IGNORED, *settings.ignore),
        # Where nothing may be written, or was yet, there is nothing to read either.
        state=state if state.is_dir() else folder,
    )


def state_folder(folder: Path, settings: Settings) -> Path:
    """Where what is known of a source folder is kept between ingests."""
    own = hashing.bare(hashing.of_bytes(os.fsencode(folder.resolve())))[:16]
    return settings.state_dir / "ingest" / own
