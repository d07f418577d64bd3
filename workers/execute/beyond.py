"""What the files outside the tree hold that jobs read: headers of the system, hashed once for each change."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable
from typing import NamedTuple

from shared import hashing
from shared.keys import MARK, state_beyond


class Read(NamedTuple):
    """The files among some paths, sorted, and their state for the key; "" if one changed since the job began.

    marks: the end of the digest of each, by which another machine can tell which of them it has otherwise.
    """

    paths: tuple[str, ...]
    state: str
    marks: str = ""


class FilesBeyond:
    """Digests of absolute paths, remembered while the file system says that nothing changed; thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}
        self._lock = threading.Lock()

    def read(self, paths: Iterable[str], begun: int) -> Read:
        """What a job read that began at `begun`, in nanoseconds of the file system's time.

        What is no file, or not there any more, is left out: nobody could say later whether it changed.
        """
        held: dict[str, str] = {}
        moved = False
        for path in sorted(set(paths)):
            try:
                status = os.stat(path)  # noqa: PTH116 - some hundred for every job
                if not stat.S_ISREG(status.st_mode):
                    continue
                moved = moved or status.st_ctime_ns >= begun
                held[path] = self._digest(path, status, begun)
            except OSError:
                continue
        marks = "".join(digest[-MARK:] for digest in held.values())
        return Read(tuple(held), "" if moved else state_beyond(held, held.__getitem__), marks)

    def _digest(self, path: str, status: os.stat_result, begun: int) -> str:
        signature = (status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)
        with self._lock:
            known = self._known.get(path)
        if known is not None and known[0] == signature:
            return known[1]
        digest = hashing.of_file(path)[0]
        # Whatever changes from here on is later than the job's beginning: an earlier time proves what was read.
        if status.st_ctime_ns < begun:
            with self._lock:
                self._known[path] = signature, digest
        return digest
