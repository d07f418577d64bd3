"""FileLog: EventLog in two files, for builds without a farm.

A file's first line may say how much of it was trimmed, so that cursors, `<inputs>-<artefacts>` in bytes
since the beginning of time, stay good.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from coordinator.history.eventlog import KINDS, Entry, Kind, decode, kind_of, lines
from shared import atomic, errors
from shared.model.event import Event

_TRIMMED = b'{"trimmed":'


class _Content(NamedTuple):
    """A file's events as bytes, the logical position of the first, and how many lines stand before it."""

    data: bytes
    begin: int
    before: int


class FileLog:
    """See EventLog. `events/inputs.log` and `artefacts.log` in a folder; `warn` is told of a torn last line."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._folder, self._warn = folder, warn

    def append(self, events: Sequence[Event]) -> None:
        """See EventLog."""
        with self._guarded(fcntl.LOCK_EX):
            for kind in KINDS:
                batch = lines(event for event in events if kind_of(event) == kind)
                if batch:
                    self._append(self._path(kind), batch)

    def read(self, since: str = "") -> Iterator[Entry]:
        """See EventLog."""
        at = _parse(since)
        with self._guarded(fcntl.LOCK_SH):
            contents = {kind: self._content(kind) for kind in KINDS}
        for kind in KINDS:
            content, path = contents[kind], self._path(kind)
            position = content.begin
            for number, line in enumerate(content.data.splitlines(keepends=True), content.before + 1):
                position += len(line)
                if position <= at[kind]:
                    continue
                if not line.endswith(b"\n"):
                    self._warn(f"dropped an unfinished line at the end of {path} (line {number})")
                    break
                at[kind] = position
                yield Entry(_cursor(at), decode(line, f"{path}:{number}"))

    def trim(self, upto: str) -> None:
        """See EventLog."""
        at = _parse(upto)
        with self._guarded(fcntl.LOCK_EX):
            for kind in KINDS:
                content = self._content(kind)
                if at[kind] > content.begin:
                    rest = content.data[at[kind] - content.begin :]
                    begin = min(at[kind], content.begin + len(content.data))
                    atomic.write_atomic(self._path(kind), b"%s%d}\n%s" % (_TRIMMED, begin, rest), durable=False)

    def _path(self, kind: Kind) -> Path:
        return self._folder / f"{kind}.log"

    def _append(self, path: Path, batch: bytes) -> None:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                self._drop_torn_end(fd, path)
                atomic.write_all(fd, batch)
            finally:
                os.close(fd)
        except OSError as error:
            raise errors.named(error, path, "writing") from error

    def _drop_torn_end(self, fd: int, path: Path) -> None:
        """Remove what a writer that died left unfinished, so that the next line begins at its own start."""
        size = os.fstat(fd).st_size
        if size == 0 or os.pread(fd, 1, size - 1) == b"\n":
            return
        whole = os.pread(fd, size, 0).rfind(b"\n") + 1
        self._warn(f"dropped an unfinished line at the end of {path}")
        os.ftruncate(fd, whole)

    def _content(self, kind: Kind) -> _Content:
        try:
            data = self._path(kind).read_bytes()
        except FileNotFoundError:
            return _Content(b"", 0, 0)
        except OSError as error:
            raise errors.named(error, self._path(kind), "reading") from error
        first, _, rest = data.partition(b"\n")
        if not first.startswith(_TRIMMED):
            return _Content(data, 0, 0)
        digits = first[len(_TRIMMED) :].removesuffix(b"}")
        return _Content(rest, int(digits) if digits.isdigit() else 0, 1)

    @contextmanager
    def _guarded(self, how: int) -> Iterator[None]:
        guard = self._folder / ".guard"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(guard, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise errors.named(error, guard, "writing") from error
        try:
            fcntl.flock(fd, how)
            yield
        finally:
            os.close(fd)


def _cursor(at: dict[Kind, int]) -> str:
    return f"{at['inputs']}-{at['artefacts']}"


def _parse(cursor: str) -> dict[Kind, int]:
    inputs, _, artefacts = (cursor or "0-0").partition("-")
    return {"inputs": int(inputs), "artefacts": int(artefacts)}
