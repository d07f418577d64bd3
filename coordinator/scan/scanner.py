"""Stage 1. What is on disk: the tree to a Snapshot."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import cast

from coordinator.scan.categories import Categories
from coordinator.scan.content import read_all
from coordinator.scan.statcache import Entry, FileSystemNow, StatCache
from coordinator.scan.walk import Walked, Where, read_link, shut, unreadable, walk
from shared import hashing
from shared.clock import Clock, SystemClock
from shared.model.file import Category, FileState, Mode
from shared.model.snapshot import Snapshot
from shared.settings import Settings
from shared.uncollected import uncollected

STATE_FILE = "stat.msgpack"
# What stands in an output's place and is no file: the content of no artefact.
NOT_A_FILE = FileState(hashing.of_value(["windrow", "not a file"]), 0)
# The margin of a file that is racy, and a tick by which the file system's own time may lag.
_SETTLE_SECONDS = 0.025
_FILE_URL = "file://"
# What ninja, CMake and Meson write about their own work, which no command reads.
_BOOKKEEPING = frozenset(
    (".ninja_log", ".ninja_deps", ".ninja_lock", "meson-logs", "Testing", "CMakeTmp", "CMakeScratch",
     "CMakeConfigureLog.yaml", "CMakeOutput.log", "CMakeError.log")
)  # fmt: skip
# What tells the build folder of another configuration, of which nothing is a source.
_BUILD_FOLDERS = frozenset((".ninja_log", "CMakeCache.txt", "meson-private"))


class Scan:
    """What was seen, and what the next scan may rely on."""

    def __init__(self, scanner: _Scanner, snapshot: Snapshot) -> None:
        self._scanner, self.snapshot = scanner, snapshot

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know, though nothing is wrong."""
        return tuple(self._scanner.warnings)

    def look(self, outputs: Collection[str]) -> dict[str, FileState]:
        """Those of some more outputs that are there, as they are."""
        return self._scanner.look(outputs)

    def learn(self, outputs: Collection[str], placed: Mapping[str, tuple[str, os.stat_result]] | None = None) -> None:
        """Read outputs that were written since, so that the next scan need not.

        placed: digest and state of those that this build wrote itself; while only the change time is another, they are
        not read again. Waits for some milliseconds if outputs are so new that their times cannot be relied on.
        """
        self._scanner.learn(outputs, placed or {})

    def modified(self, path: str) -> int:
        """When a source was last modified, in nanoseconds, as it was when it was looked at; 0 for a symlink."""
        entry = self._scanner.entries.get(path)
        return entry.mtime if entry is not None else 0

    def settled(self) -> dict[str, tuple[int, int]] | None:
        """Change time (ns) and inode of everything looked at, folders included; None if anything was just changed.

        The next change of any of it shows in these.
        """
        return self._scanner.settled()

    def save(self) -> str:
        """Keep what was learnt for the next scan; writes nothing if that is nothing. A warning if it fails."""
        return self._scanner.save()


def scan(
    settings: Settings,
    outputs: Collection[str],
    *,
    verify: bool = False,
    clock: Clock | None = None,
    named: Collection[str] = (),
    entered: Collection[str] = (),
) -> Scan:
    """Every source of the tree and the known outputs that are there.

    verify: hash every file, whatever is known. named: paths that are sources even where they are ignored. entered:
    folders that are entered although a .gitignore above leaves them out. Raises UnreadableFile, and LocalError for
    names and files that cannot be used.
    """
    scanner = _Scanner(settings, verify=verify, clock=clock or SystemClock())
    known = outputs if isinstance(outputs, set | frozenset | dict) else frozenset(outputs)
    with uncollected():
        return Scan(scanner, scanner.run(known, named, entered))


def glance(settings: Settings, paths: Collection[str], *, verify: bool = False, clock: Clock | None = None) -> Scan:
    """Those of some paths that are there, as the outputs of a snapshot; nothing else is looked at.

    Files behind a symlinked folder count as not there. verify and errors as for `scan`.
    """
    scanner = _Scanner(settings, verify=verify, clock=clock or SystemClock())
    with uncollected():
        return Scan(scanner, Snapshot({}, scanner.look(paths), hashed=scanner.hashed))


class _Scanner:
    def __init__(self, settings: Settings, *, verify: bool, clock: Clock) -> None:
        self.settings, self.verify, self.clock = settings, verify, clock
        self.root = str(settings.root)
        self.cache = StatCache.load(settings.state_dir / STATE_FILE)
        self.categories = Categories(settings.categories)
        self.same_categories = self.cache.categories == self.categories.digest
        self.warnings: list[str] = [self.cache.warning] if self.cache.warning else []
        self.entries: dict[str, Entry] = {}
        self.touched: list[str] = []
        self.folders: dict[str, os.stat_result] = {}
        self.links: tuple[str, ...] = ()
        self.hashed = 0

    def run(self, outputs: Collection[str], named: Collection[str], entered: Collection[str]) -> Snapshot:
        walked = self._walk(outputs)
        if left := self._left_out(entered, walked):
            behind = walk(self.root, self.settings.ignore, outputs, _own_paths(self.settings), Where(left))
            walked = _both(walked, behind)
        self.warnings.extend(walked.warnings)
        links: dict[str, str] = {}
        sources = self._linked(walked.links, links)
        found = {**walked.outputs, **self._elsewhere(outputs, walked.outputs, links)}
        more = self._elsewhere([path for path in named if path not in walked.files and path not in found], links, links)
        files = {path: status for path, status in more.items() if stat.S_ISREG(status.st_mode)}
        more_links = [path for path, status in more.items() if stat.S_ISLNK(status.st_mode)]
        sources.update(self._linked(more_links, links))
        self.folders, self.links = walked.folders, (*walked.links, *more_links)
        sources.update(self._states({**walked.files, **files}, outputs=False))
        made = self._outputs(found)
        return Snapshot(
            sources=dict(sorted(sources.items())),
            outputs=made,
            links=links,
            touched=tuple(sorted(self.touched)),
            hashed=self.hashed,
            folders=frozenset(path for path, status in more.items() if stat.S_ISDIR(status.st_mode)),
        )

    def _linked(self, paths: Iterable[str], links: dict[str, str]) -> dict[str, FileState]:
        """The states of symlinks, whose texts are noted."""
        states: dict[str, FileState] = {}
        for path in paths:
            text = read_link(self.root, path)
            if text is not None:
                links[path] = text
                states[path] = _link_state(text, self.categories.of(path))
        return states

    def _walk(self, outputs: Collection[str]) -> Walked:
        settings, skip = self.settings, _own_paths(self.settings)
        if settings.ninja is None:
            return walk(self.root, settings.ignore, outputs, skip)
        cwd, folders = settings.ninja.cwd, settings.folders or ("",)
        if not cwd:
            return walk(self.root, settings.ignore, outputs, skip, Where(folders, _BOOKKEEPING, _BUILD_FOLDERS))
        # What is made by configuring lies in the build folder, which is ignored as a rule.
        besides = tuple(folder for folder in folders if folder != cwd)
        sources = walk(self.root, settings.ignore, outputs, skip | {cwd}, Where(besides, marks=_BUILD_FOLDERS))
        if not (settings.root / cwd).is_dir():
            return sources
        configured = walk(self.root, (), outputs, skip, Where((cwd,), _BOOKKEEPING, ignore_file=""))
        return _both(sources, configured)

    def _left_out(self, entered: Collection[str], walked: Walked) -> tuple[str, ...]:
        """The folders among these that are there and were not entered, none below another."""
        known: dict[str, bool] = {"": True}
        left: list[str] = []
        for folder in sorted(entered):
            if folder in walked.folders or any(folder.startswith(f"{above}/") for above in left):
                continue
            if not shut(folder, self.settings.ignore) and self._real(folder, known, {}):
                left.append(folder)
        return tuple(left)

    def look(self, outputs: Collection[str]) -> dict[str, FileState]:
        return self._outputs(self._elsewhere(outputs, (), {}))

    def _outputs(self, found: dict[str, os.stat_result]) -> dict[str, FileState]:
        odd = {path: status for path, status in found.items() if not stat.S_ISREG(status.st_mode)}
        regular = {path: status for path, status in found.items() if path not in odd} if odd else found
        return {**{path: self._odd(path, odd[path]) for path in odd}, **self._states(regular, outputs=True)}

    def _elsewhere(
        self, outputs: Iterable[str], seen: Collection[str], links: dict[str, str]
    ) -> dict[str, os.stat_result]:
        """The outputs the walk did not come by, as their folders are ignored; none behind a symlink."""
        folders: dict[str, bool] = {"": True}
        found: dict[str, os.stat_result] = {}
        for path in outputs:
            if path in seen or not self._real(path.rpartition("/")[0], folders, links):
                continue
            try:
                found[path] = os.lstat(f"{self.root}/{path}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise unreadable(error, path) from error
        return found

    def _real(self, folder: str, known: dict[str, bool], links: dict[str, str]) -> bool:
        """Whether a path is a folder and so are all above it; notes the symlinks that are not."""
        answer = known.get(folder)
        if answer is None:
            answer = self._real(folder.rpartition("/")[0], known, links)
            if answer:
                try:
                    mode = os.lstat(f"{self.root}/{folder}").st_mode
                except (FileNotFoundError, NotADirectoryError):
                    mode = 0
                except OSError as error:
                    raise unreadable(error, folder) from error
                answer = stat.S_ISDIR(mode)
                if stat.S_ISLNK(mode) and (text := read_link(self.root, folder)) is not None:
                    links.setdefault(folder, text)
            known[folder] = answer
        return answer

    def _odd(self, path: str, status: os.stat_result) -> FileState:
        text = read_link(self.root, path) if stat.S_ISLNK(status.st_mode) else None
        return NOT_A_FILE if text is None else _link_state(text, "source")

    def _states(self, files: dict[str, os.stat_result], *, outputs: bool) -> dict[str, FileState]:
        """The state of regular files: remembered where that can be relied on, else read."""
        known = {} if self.verify else self.cache.entries
        states: dict[str, FileState] = {}
        unknown: list[str] = []
        for path, status in files.items():
            entry = known.get(path)
            if entry is None or entry.racy or not entry.is_of(status):
                unknown.append(path)
                continue
            if not outputs and not (entry.category and self.same_categories):
                entry = _categorised(entry, self.categories.of(path))
            elif outputs and entry.category:
                entry = _categorised(entry, "")
            self.entries[path] = entry
            states[path] = _state(entry)
        if unknown:
            states.update(self._read(unknown, sum(files[path].st_size for path in unknown), outputs=outputs))
        return states

    def _read(self, paths: list[str], size: int, *, outputs: bool) -> dict[str, FileState]:
        # Before the reading: a change after it must get a later time than is remembered.
        now = FileSystemNow(self.settings.state_dir)
        if now.warning and now.warning not in self.warnings:
            self.warnings.append(now.warning)
        states: dict[str, FileState] = {}
        for path, content in zip(paths, read_all(self.root, paths, size), strict=True):
            if content is None:
                continue
            self.hashed += 1
            hash_, status = content
            category = "" if outputs else self.categories.of(path)
            entry = _entry(status, hash_, racy=now.racy(status), category=category)
            before = self.cache.entries.get(path)
            self.entries[path] = entry
            state = states[path] = _state(entry)
            if not outputs and before is not None and not before.is_of(status) and state.same_content(_state(before)):
                self.touched.append(path)
        return states

    def learn(self, outputs: Collection[str], placed: Mapping[str, tuple[str, os.stat_result]]) -> None:
        """Read these outputs, and once more those that were too new to be relied on."""
        if racy := self._learn(outputs, placed):
            self.clock.sleep(_SETTLE_SECONDS)
            self._learn(racy, placed)

    def _learn(self, outputs: Collection[str], placed: Mapping[str, tuple[str, os.stat_result]]) -> list[str]:
        """Note what these outputs hold; those that were too new."""
        for path in outputs:
            self.entries.pop(path, None)
        files = self._elsewhere(outputs, (), {})
        now = FileSystemNow(self.settings.state_dir)
        for path, status in files.items():
            hash_, before = placed.get(path, ("", status))
            if hash_ and _alike(before, status):
                self.entries[path] = _entry(status, hash_, racy=now.racy(status), category="")
        unread = [path for path in files if path not in self.entries and stat.S_ISREG(files[path].st_mode)]
        if unread:
            self._read(unread, sum(files[path].st_size for path in unread), outputs=True)
        return [path for path in files if path in self.entries and self.entries[path].racy]

    def settled(self) -> dict[str, tuple[int, int]] | None:
        now = FileSystemNow(self.settings.state_dir)
        if any(entry.racy for entry in self.entries.values()) or any(map(now.racy, self.folders.values())):
            return None
        seen = {path or ".": (status.st_ctime_ns, status.st_ino) for path, status in self.folders.items()}
        seen.update((path, (entry.ctime, entry.inode)) for path, entry in self.entries.items())
        for path in self.links:
            status = os.lstat(f"{self.root}/{path}")
            if now.racy(status):
                return None
            seen[path] = (status.st_ctime_ns, status.st_ino)
        return seen

    def save(self) -> str:
        return self.cache.save(self.entries, self.categories.digest)


def _both(one: Walked, other: Walked) -> Walked:
    """What two walks found."""
    return Walked(
        {**one.files, **other.files},
        {**one.links, **other.links},
        {**one.outputs, **other.outputs},
        [*one.warnings, *other.warnings],
        {**one.folders, **other.folders},
    )


def _alike(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether it is the same file with the same content; it may have been renamed."""
    return (before.st_ino, before.st_mtime_ns, before.st_size, before.st_mode) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_size,
        after.st_mode,
    )


def _entry(status: os.stat_result, hash_: str, *, racy: bool, category: str) -> Entry:
    return Entry(
        size=status.st_size,
        mtime=status.st_mtime_ns,
        ctime=status.st_ctime_ns,
        inode=status.st_ino,
        mode=status.st_mode,
        hash=hash_,
        racy=racy,
        category=category,
    )


def _own_paths(settings: Settings) -> frozenset[str]:
    """Where in the tree, if in it at all, caches, storage and exports lie: they change while a build runs."""
    stored = [settings.cache_dir]
    if settings.storage.url.startswith(_FILE_URL):
        stored.append(Path(settings.storage.url.removeprefix(_FILE_URL)))
    own = {folder.relative_to(settings.root).as_posix() for folder in stored if folder.is_relative_to(settings.root)}
    if settings.context_rules:
        # Windrow writes these beside the sources, as tools of this kind do.
        own.update(f"{settings.context_rules}/{name}" for name in (".build-manifest.json", ".build.lock"))
    return frozenset(own)


def _state(entry: Entry) -> FileState:
    mode: Mode = "exec" if entry.mode & stat.S_IXUSR else "file"
    return FileState(entry.hash, entry.size, mode, cast("Category", entry.category or "source"))


def _categorised(entry: Entry, category: str) -> Entry:
    return Entry(entry.size, entry.mtime, entry.ctime, entry.inode, entry.mode, entry.hash, entry.racy, category)


def _link_state(text: str, category: Category) -> FileState:
    data = text.encode()
    return FileState(hashing.of_bytes(data), len(data), "link", category)
