"""Workshop: what a worker performs its orders with, and where."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from shared.calls import KIND
from shared.clock import Clock
from shared.settings import STORE_PATIENCE
from shared.storage.blobs import BlobStore
from shared.storage.results import Results
from workers.execute.beyond import FilesBeyond
from workers.execute.isolation import Isolation, isolation
from workers.execute.probes import Prober
from workers.execute.slot import CALLS, Slot, SlotPool
from workers.sandbox.fetching import Fetcher
from workers.sandbox.home import Home
from workers.sandbox.memory import Memory

_CALL_PATIENCE = 0.05  # seconds
# Bytes of the trees that are kept for later jobs, on the disk and in memory.
_KEPT, _KEPT_IN_MEMORY = 4 << 30, 128 << 20


class Workshop:
    """Stores, slots, and folders for sandboxes; thread-safe.

    name: the worker's, for people. path: where commands are looked up; None for this process's PATH. memory: where
    small jobs are tried first. workspace: the folder whose files the orders are of, if it is on this machine, for jobs
    that must run there. way: how trees appear at their own paths; None to find out. patience: seconds that a store is
    waited for. calls: what performs calls, if it was started ahead. elsewhere: whether orders come from another
    process, which has no use of this one's files: with word of small outputs go their bytes.
    """

    def __init__(  # noqa: PLR0913 - what jobs are performed with
        self,
        blobs: BlobStore,
        results: Results,
        *,
        name: str,
        sandbox_root: Path,
        slots: int,
        clock: Clock,
        path: str | None = None,
        memory: Memory | None = None,
        workspace: Path | None = None,
        way: Isolation | None = None,
        patience: float = STORE_PATIENCE,
        calls: Slot | None = None,
        elsewhere: bool = False,
    ) -> None:
        self.blobs, self.results, self.name, self.clock = blobs, results, name, clock
        self.patience, self.elsewhere = patience, elsewhere
        self.path = os.environ.get("PATH", os.defpath) if path is None else path
        self.pool = SlotPool(slots)
        # As many again: a thread holds one of either at a time, and none is started before its first job.
        # One that is there is done with a short call before another has loaded what calls need.
        self._calls = SlotPool(slots, CALLS, patience=_CALL_PATIENCE, first=calls)
        self.prober = Prober()
        self.beyond = FilesBeyond()
        self.fetcher = Fetcher(blobs)
        self.memory, self.workspace = memory, workspace
        self._way = way
        self._slots = slots
        self._root = sandbox_root
        self._homes: dict[Path, Home] = {}
        self._gone: list[Home] = []  # what was taken away under jobs that may still run
        self._lock = threading.Lock()

    def home(self, memory: Memory | None = None) -> Home:
        """Where jobs run, on the disk or in memory; made when first needed, and anew when somebody took it away."""
        root = memory.root if memory is not None else self._root
        with self._lock:
            if root in self._homes and not self._homes[root].there():
                self._gone.append(self._homes.pop(root))
            if root not in self._homes:
                self._homes[root] = Home(root, (2 * self._slots, _KEPT_IN_MEMORY if memory is not None else _KEPT))
            return self._homes[root]

    def let_go(self, memory: Memory) -> None:
        """Remove the trees that are kept in memory."""
        with self._lock:
            home = self._homes.get(memory.root)
        if home is not None:
            home.let_go()

    def slots(self, kind: str) -> SlotPool:
        """The slots that perform a kind of action."""
        return self._calls if kind == KIND else self.pool

    def isolation(self) -> Isolation:
        """How the trees of jobs appear at their own paths; found out when first needed."""
        return isolation() if self._way is None else self._way

    def close(self) -> None:
        """End the supervisors, remove the folders."""
        self.pool.close()
        self._calls.close()
        self.fetcher.close()
        with self._lock:
            homes, self._homes, self._gone = [*self._homes.values(), *self._gone], {}, []
        for home in homes:
            home.close()
