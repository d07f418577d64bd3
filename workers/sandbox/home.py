"""Home: the folder of one worker under the sandbox root, with a place for each job."""

from __future__ import annotations

import fcntl
import itertools
import os
import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from shared.errors import named
from workers.sandbox.kept import Kept, KeptTrees
from workers.sandbox.marks import observable
from workers.sandbox.removal import remove
from workers.sandbox.strays import end_all_in
from workers.sandbox.written import Tell, Watch, shown

_LOCK = "lock"
_BACKLOG = 64  # places that may wait to be removed


class Home:
    """A worker's own folder, locked while it lives; what dead workers left is removed at the start.

    trees: those that jobs left for others. most: how many of them there may be, and how many bytes.
    """

    def __init__(self, root: Path, most: tuple[int, int] = (0, 0)) -> None:
        self.trees = KeptTrees(most)
        path, self._lock = _made(root)
        # Real, so that paths a command prints or notes down can be recognised.
        self.path = path.resolve()
        self._numbers = itertools.count(1)
        self._observes: bool | None = None
        self._shows: bool | None = None
        self._watch: Watch | None = None
        self._watching = threading.Lock()
        self._removing = ThreadPoolExecutor(1, thread_name_prefix="windrow-remove")
        self._removals: deque[Future[None]] = deque()
        _sweep(root, spare=path.name)

    def place(self) -> Path:
        """A path of this home that was not given out before."""
        return self.path / str(next(self._numbers))

    def there(self) -> bool:
        """Whether nobody took it away."""
        return self.path.is_dir()

    def observes(self) -> bool:
        """Whether it can be seen here what a command reads; tried out once."""
        if self._observes is None:
            self._observes = observable(self.place())
        return self._observes

    def watch(self, tree: Path, folders: Iterable[str], *, worth: bool = True) -> Tell:
        """What tells, of a tree that is laid out, files that are written to from now on without their times showing it.

        Where times show every write these are none; None where it cannot be seen, or is not worth it: what a few files
        hold is as soon seen.
        """
        with self._watching:
            if self._shows is None:
                self._shows = shown(self.place())
            if self._shows:
                return frozenset
            if not worth:
                return _unknown
            try:
                if self._watch is None:
                    self._watch = Watch()
                return self._watch.over(str(tree), folders)
            except OSError:
                return _unknown

    def discard(self, place: Path) -> None:
        """Have a place removed while other jobs run; LocalError if an earlier one could not be."""
        while self._removals and (self._removals[0].done() or len(self._removals) > _BACKLOG):
            self._removals.popleft().result()
        self._removals.append(self._removing.submit(remove, place))

    def keep(self, kept: Kept) -> None:
        """Keep a tree for later jobs; OSError."""
        place = self.place()
        kept.tree.rename(place)
        for gone in self.trees.give(kept._replace(tree=place)):
            self.discard(gone)

    def let_go(self) -> None:
        """Remove the trees that are kept: there is a better use of their room."""
        for gone in self.trees.clear():
            self.discard(gone)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        ending = None
        if self._watch is not None:
            # The kernel waits for its readers, which takes it longer than many a job.
            ending = threading.Thread(target=self._watch.close, name="windrow-watch")
            ending.start()
        self._removing.shutdown(wait=True, cancel_futures=True)
        _clear(self.path)
        if ending is not None:
            ending.join()
        os.close(self._lock)


def _unknown() -> None:
    return None


def _clear(path: Path) -> None:
    """Remove a home. Its lock goes last: without it, what is left of one that was killed here is nobody's to sweep."""
    if not path.is_dir():
        return
    for name in os.listdir(path):  # noqa: PTH208 - names are all that is wanted
        if name != _LOCK:
            remove(path / name)
    remove(path)


def _made(root: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor that holds its lock; LocalError."""
    while True:
        path = root / f"w-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            root.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise named(error, path, "writing") from error
        fcntl.flock(lock, fcntl.LOCK_EX)
        # A worker that starts at the same time may have found it unlocked, and taken it for a dead one's.
        if os.fstat(lock).st_nlink:
            return path, lock
        os.close(lock)


def _sweep(root: Path, spare: str) -> None:
    for path in root.glob("w-*"):
        if path.name == spare:
            continue
        try:
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            # Being made or being removed just now, or another user's: not ours to judge.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its supervisors may have died with it, and then nobody has ended its jobs.
            end_all_in(str(path.resolve()))
            _clear(path)
        except BlockingIOError:
            continue  # its worker lives
        finally:
            os.close(lock)
