"""Puts outputs into the working copy one by one, as their jobs end: what builds that people know do.

For imported builds, whose commands may run in the working copy itself and find there what others have made.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from coordinator.commit.marked import marked
from shared import atomic, errors
from shared.model.action import Output
from shared.storage.blobs import BlobStore


class Placing:
    """Writes outputs under the root by a temporary file and a rename. Thread-safe; raises LocalError.

    placed: what regular files were given, by path: the digest, and lstat from before anybody else could see the file.
    """

    def __init__(self, root: Path, build: str) -> None:
        self.root, self.build = root, build
        self.bytes_down = 0
        self.written: list[str] = []
        self.placed: dict[str, tuple[str, os.stat_result]] = {}
        self._guard = threading.Lock()

    def place(self, output: Output, blobs: BlobStore) -> None:
        """Have a path hold what was made; also raises what BlobStore.fetch does."""
        target = f"{self.root}/{output.path}"
        temporary = Path(f"{target}.tmp.{os.getpid()}-{self.build}")
        moved = 0
        state: os.stat_result | None = None
        try:
            # Each time: a command of the workspace may have removed it.
            temporary.parent.mkdir(parents=True, exist_ok=True)
            if output.mode == "link":
                temporary.symlink_to(output.target)
            else:
                moved = blobs.fetch(output.hash, temporary, executable=output.mode == "exec")
                state = marked(temporary)
            temporary.replace(target)
        except BaseException as error:
            with contextlib.suppress(OSError):
                atomic.discard(temporary)
            if isinstance(error, OSError):
                raise errors.named(error, target, "writing") from error
            raise
        with self._guard:
            self.bytes_down += moved
            self.written.append(output.path)
            if state is not None:
                self.placed[output.path] = (output.hash, state)
            else:
                self.placed.pop(output.path, None)
