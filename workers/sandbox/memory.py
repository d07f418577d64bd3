"""Memory: where small jobs get their directories in memory, and how much of it they may take together.

A file system on a disk is slowest at what a small job does most: making files and removing them again.
Why, and how much: docs/adr/0012-small-jobs-run-in-memory.md.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from shared.model.action import Action

_PART = 4  # of the memory that is free, jobs may take one part in so many
_MOST, _LEAST = 2 << 30, 256 << 20  # bytes: more is not taken; with less there is no point in it
_SMALL = 128 << 20  # bytes of inputs up to which a job is small
_UNLIMITED = 1 << 60  # what cgroups of the first version say when they mean it
_CGROUPS = (("/sys/fs/cgroup", "memory.max", "memory.current"),
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"))  # fmt: skip


class Memory:
    """A folder in memory for jobs that leave at least `floor` bytes free there."""

    def __init__(self, root: Path, floor: int) -> None:
        self.root, self._floor = root, floor

    def takes(self, action: Action) -> bool:
        """Whether a job is small enough to be tried here, and there is room."""
        return sum(item.size for item in action.inputs) <= _SMALL and not self.short()

    def short(self) -> bool:
        """Whether more is taken than jobs may, or the folder was taken away: those that run here must go elsewhere."""
        try:
            # Who logs out may lose what is in memory, and a worker that was started then goes on.
            return not (self.root.is_dir() or _own(self.root)) or _free(self.root) < self._floor
        except OSError:
            return True


def find(environ: Mapping[str, str]) -> Memory | None:
    """A folder of this user's own in memory from which programs can be started; None unless there is much to spare."""
    for place in (environ.get("XDG_RUNTIME_DIR"), "/dev/shm"):  # noqa: S108 - checked below
        if not place or not Path(place).is_absolute():
            continue
        root = Path(place) / f"windrow-{os.geteuid()}"
        try:
            free = _free(Path(place))
            may = min(_MOST, min(free, *_available()) // _PART)
            if may >= _LEAST and not os.statvfs(place).f_flag & os.ST_NOEXEC and _own(root):
                return Memory(root, free - may)
        except OSError:
            # Not there, or not for us: jobs run on the disk as well.
            continue
    return None


def _own(root: Path) -> bool:
    """Make the folder, unless it is there; whether it is ours alone, since anybody may write beside it."""
    with suppress(FileExistsError):
        root.mkdir(mode=0o700)
    status = root.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _available() -> Iterator[int]:
    """Bytes that this machine, and each group of processes that we are in, can still give out."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) << 10
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, group = line.split(":", 2)
        if number == "0" or "memory" in controllers.split(","):
            base, limit, usage = _CGROUPS[0 if number == "0" else 1]
            yield from _left(Path(base + group), Path(base), limit, usage)


def _left(folder: Path, base: Path, limit: str, usage: str) -> Iterator[int]:
    for level in (folder, *folder.parents):
        try:
            most = (level / limit).read_text().strip()
            if most != "max" and int(most) < _UNLIMITED:
                yield int(most) - int((level / usage).read_text())
        except (FileNotFoundError, NotADirectoryError):
            # Inside a container the path is the host's; its own limit is at the base.
            pass
        if level == base:
            return
