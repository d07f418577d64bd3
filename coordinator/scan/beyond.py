"""Files outside the tree that a build names: what they hold, remembered by what the file system says of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from coordinator.scan.statcache import Entry, FileSystemNow, StatCache
from shared import hashing
from shared.errors import UnreadableFile
from shared.keys import MARK, state_beyond

_FILE = "beyond.msgpack"
# A folder counts by being there: what it holds is named by itself where it matters.
_FOLDER = hashing.of_value(["windrow", "a folder"])


class Beyond:
    """Digests of absolute paths; every answer holds for the life of this object."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._cache = StatCache.load(state_dir / _FILE)
        self._entries: dict[str, Entry] = {}
        self._answers: dict[str, str] = {}
        self._states: dict[tuple[str, ...], str] = {}
        self._now: FileSystemNow | None = None

    def digest(self, path: str) -> str:
        """What a file holds, symlinks followed; "" if there is none. UnreadableFile."""
        answer = self._answers.get(path)
        if answer is None:
            answer = self._answers[path] = self._look(path)
        return answer

    def fresh(self, path: str) -> str:
        """As digest, of the file as it is now."""
        self._answers.pop(path, None)
        return self.digest(path)

    def held(self, path: str) -> str:
        """As digest; "" also for what this user may not read: no job of theirs reads it either."""
        try:
            return self.digest(path)
        except UnreadableFile:
            self._answers[path] = ""
            return ""

    def state(self, paths: tuple[str, ...]) -> str:
        """What several files hold, as keys have it; jobs that read the same files cost one look at each."""
        known = self._states.get(paths)
        if known is None:
            known = self._states[paths] = state_beyond(paths, self.held)
        return known

    def differing(self, paths: tuple[str, ...], marks: str) -> list[str]:
        """Those of the files that hold something else than the ends of digests in `marks` say, if it has one each."""
        if len(marks) != MARK * len(paths):
            return []
        told = (marks[at : at + MARK] for at in range(0, len(marks), MARK))
        return [path for path, mark in zip(paths, told, strict=True) if self.held(path)[-MARK:] != mark]

    def changed(self, paths: tuple[str, ...]) -> list[str]:
        """Those of the files that hold something else than was answered; they are answered anew from now on."""
        before = [self.held(path) for path in paths]
        for path in paths:
            self._answers.pop(path, None)
        self._states.clear()
        return [path for path, was in zip(paths, before, strict=True) if self.held(path) != was]

    def answers(self) -> Mapping[str, str]:
        """Every path that was asked for, with what it holds; "" for none."""
        return self._answers

    def save(self) -> None:
        """Keep what was learnt; a cache that cannot be written costs time only."""
        self._cache.save(self._entries, "")

    def _look(self, path: str) -> str:
        try:
            status = os.stat(path)  # noqa: PTH116 - some thousand when nothing else is to be done
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            raise UnreadableFile(f"cannot look at {path}", at=path, why=error.strerror or "") from error
        if stat.S_ISDIR(status.st_mode):
            return _FOLDER
        known = self._cache.entries.get(path)
        if known is None or known.racy or not known.is_of(status):
            known = self._read(path, status)
        self._entries[path] = known
        return known.hash

    def _read(self, path: str, status: os.stat_result) -> Entry:
        self._now = self._now or FileSystemNow(self._state_dir)
        try:
            hash_ = hashing.of_file(path)[0]
        except OSError as error:
            raise UnreadableFile(f"cannot read {path}", at=path, why=error.strerror or "") from error
        times = status.st_mtime_ns, status.st_ctime_ns
        return Entry(status.st_size, *times, status.st_ino, status.st_mode, hash_, self._now.racy(status), "")
