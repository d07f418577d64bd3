"""Workshop: what a worker performs its orders with, and where."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from shared.clock import Clock
from shared.storage.blobs import BlobStore
from shared.storage.results import Results
from workers.execute.probes import Prober
from workers.execute.slot import SlotPool
from workers.sandbox.home import Home


class Workshop:
    """Stores, slots, and a folder for sandboxes; thread-safe. name: the worker's, for people. path: of commands."""

    def __init__(
        self,
        blobs: BlobStore,
        results: Results,
        *,
        name: str,
        sandbox_root: Path,
        slots: int,
        clock: Clock,
        path: str | None = None,
    ) -> None:
        self.blobs, self.results, self.name, self.clock = blobs, results, name, clock
        self.path = os.environ.get("PATH", os.defpath) if path is None else path
        self.pool = SlotPool(slots)
        self.prober = Prober()
        self._root = sandbox_root
        self._home: Home | None = None
        self._lock = threading.Lock()

    def home(self) -> Home:
        """Where jobs run; made when first needed."""
        with self._lock:
            if self._home is None:
                self._home = Home(self._root)
            return self._home

    def close(self) -> None:
        """End the supervisors, remove the folder."""
        self.pool.close()
        with self._lock:
            home, self._home = self._home, None
        if home is not None:
            home.close()
