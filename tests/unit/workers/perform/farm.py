"""A worker with real sandboxes and stores, and a project of one C file."""

from __future__ import annotations

import threading
from pathlib import Path

from shared import hashing
from shared.clock import SystemClock
from shared.errors import StoreUnavailable
from shared.model.action import Action, Input
from shared.model.job import JobOrder, JobOutcome
from shared.storage.memory import MemoryBlobs
from tests.fakes.clock import FakeClock
from tests.fakes.results import DictResults
from workers.perform import Worker
from workers.workshop import Workshop

HELLO = '#include <stdio.h>\n#include "greet.h"\nint main(void) { puts(GREETING); return 0; }\n'
COMPILE = ("gcc", "-Iinc", "-MMD", "-MF", "out/hello.d", "-c", "src/hello.c", "-o", "out/hello.o")


class FlakyBlobs(MemoryBlobs):
    """Fails the first so many calls that move bytes."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures
        self.storing: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def _trip(self) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise StoreUnavailable("the bucket is away")

    def fetch(self, hash_: str, path: Path, *, executable: bool = False) -> int:
        if self.failures > 0:
            path.write_bytes(b"half")
        self._trip()
        return super().fetch(hash_, path, executable=executable)

    def put_file(self, hash_: str, path: Path) -> int:
        self._trip()
        self.storing.append(hash_)
        assert self.gate.wait(20)
        return super().put_file(hash_, path)


class Farm:
    """A worker with stores of its own, and the files of a tree."""

    def __init__(self, root: Path, *, slots: int = 2, clock: FakeClock | None = None, elsewhere: bool = False) -> None:
        self.root = root
        self.blobs = FlakyBlobs()
        self.results = DictResults(self.blobs)
        self.clock = clock or SystemClock()
        self.worker = Worker(Workshop(
            self.blobs, self.results, name="w1", sandbox_root=root / "sandboxes", slots=slots, clock=self.clock,
            elsewhere=elsewhere,
        ))  # fmt: skip
        self.files: dict[str, Input] = {}
        self.links: dict[str, str] = {}

    def write(self, path: str, text: str, *, executable: bool = False) -> None:
        data = text.encode()
        hash_ = hashing.of_bytes(data)
        self.blobs.put(hash_, data)
        self.files[path] = Input(path, hash_, len(data), "exec" if executable else "file")

    def link(self, path: str, target: str) -> None:
        self.links[path] = target
        self.files[path] = Input(path, hashing.of_bytes(target.encode()), len(target), "link")

    def action(
        self,
        *argv: str,
        outputs: tuple[str, ...] = ("out",),
        depfile: str | None = None,
        primary: tuple[str, ...] | None = None,
        env: tuple[tuple[str, str | None], ...] = (),
    ) -> Action:
        inputs = tuple(sorted(self.files.values()))
        own = primary if primary is not None else tuple(item.path for item in inputs)
        return Action("command", argv, env, outputs, depfile, "test", inputs, own, links=dict(self.links))

    def run(self, *argv: str, no_cache: bool = False, timeout: float = 30.0, **about: object) -> JobOutcome:
        action = self.action(*argv, **about)  # type: ignore[arg-type]
        return self.worker.perform(JobOrder("b1", "job", 1, action, timeout, no_cache))

    def text(self, hash_: str) -> str:
        return self.blobs.get(hash_).decode()


def hello(farm: Farm) -> None:
    farm.write("src/hello.c", HELLO)
    farm.write("inc/greet.h", '#include "text.h"\n')
    farm.write("inc/text.h", '#define GREETING "hi"\n')
    farm.write("inc/unused.h", "")


def compiled(farm: Farm, *argv: str, **about: object) -> JobOutcome:
    return farm.run(
        *(argv or COMPILE), outputs=("out/hello.o",), depfile="out/hello.d", primary=("src/hello.c",), **about
    )
