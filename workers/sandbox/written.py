"""Written: which files of a tree a command opened to write, where their times do not tell.

In memory (tmpfs) a page that was read may be written to by way of a shared mapping, and the file keeps its times.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from workers.sandbox.marks import laid_of, mark

_CLOSE_WRITE, _OVERFLOW, _IGNORED, _ONLY_FOLDERS = 0x8, 0x4000, 0x8000, 0x01000000  # linux/inotify.h
_EVENT = struct.Struct("iIII")
_CHUNK = 1 << 16

Tell = Callable[[], frozenset[str] | None]


class _Told:
    """What is known of one tree. whole: whether nothing was lost of it."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.whole = True


class Watch:
    """Sees files of any trees being opened to write; thread-safe. OSError where the system does not tell.

    A file is noted as soon as whoever opened it has let go of it, and of what it mapped of it; dead processes have.
    """

    def __init__(self) -> None:
        import ctypes  # noqa: PLC0415 - 2 ms, and not where all jobs run on the disk

        self._libc, self._errno = ctypes.CDLL(None, use_errno=True), ctypes.get_errno
        self._fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._folders: dict[int, tuple[_Told, str]] = {}
        self._lock = threading.Lock()

    def over(self, tree: str, folders: Iterable[str]) -> Tell:
        """Watch these folders of a tree from now on ("" is its own), and forget what others were told of them.

        What tells the files that were opened to write so far; None once it cannot tell all of them.
        """
        told = _Told()
        with self._lock:
            self._read()
            for folder in folders:
                path = os.fsencode(f"{tree}/{folder}")
                # A folder that was watched before has the number it had.
                number = self._checked(self._libc.inotify_add_watch(self._fd, path, _CLOSE_WRITE | _ONLY_FOLDERS))
                self._folders[number] = told, f"{folder}/" if folder else ""

        def tell() -> frozenset[str] | None:
            with self._lock:
                self._read()
                return frozenset(told.paths) if told.whole else None

        return tell

    def close(self) -> None:
        """Watch nothing any more."""
        with self._lock:
            os.close(self._fd)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                number, what, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size + length
                self._note(number, what, data[at - length : at].rstrip(b"\0"))

    def _note(self, number: int, what: int, name: bytes) -> None:
        if what & _OVERFLOW:
            for told, _ in self._folders.values():
                told.whole = False
        elif what & _IGNORED:
            # The folder is gone.
            self._folders.pop(number, None)
        elif number in self._folders:
            told, folder = self._folders[number]
            told.paths.add(folder + os.fsdecode(name))

    def _checked(self, result: int) -> int:
        if result < 0:
            number = self._errno()
            raise OSError(number, os.strerror(number))
        return result


def shown(site: Path) -> bool:
    """Whether the times of a file show where a folder is made that it was written to by way of a mapping."""
    file = site / "file"
    try:
        site.mkdir()
        file.write_bytes(b"x")
        laid = mark(str(file), observed=False)
        with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 1) as mapped:
            # What was read may then be written to without the system's help.
            mapped[0] += 1
        told = laid_of(os.lstat(file)) != laid
        file.unlink()
        site.rmdir()
    except OSError:
        return False
    return told
