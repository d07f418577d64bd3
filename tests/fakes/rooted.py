"""RootedFarm: a worker that performs jobs of an imported build, whose tree has a path of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from shared import hashing
from shared.clock import SystemClock
from shared.model.action import ROOT, Action, Input, Output
from shared.model.job import JobOrder, JobOutcome
from shared.storage.memory import MemoryBlobs
from tests.fakes.results import DictResults
from workers.execute.isolation import Isolation
from workers.perform import Worker
from workers.workshop import Workshop

_MOUNTS = Path(__file__).resolve().parents[2] / "workers/execute/mounts.py"


def ways() -> list[Isolation]:
    """How trees can appear at their own paths on this machine."""
    found: list[Isolation] = []
    for way in ("mounts", "user-mounts"):
        command = [sys.executable, "-I", "-S", str(_MOUNTS), way]
        if subprocess.run(command, capture_output=True, text=True, check=False).stdout == way:
            found.append(way)
    return found


class RootedFarm:
    """The files that jobs of the tree at `root` are given, and a worker for them; sandboxes: where they run."""

    def __init__(
        self, root: Path | str, sandboxes: Path, *, way: Isolation | None = None, workspace: Path | None = None
    ) -> None:
        self.root = str(root)
        self.blobs = MemoryBlobs()
        self.results = DictResults(self.blobs)
        self.worker = Worker(
            Workshop(
                self.blobs,
                self.results,
                name="w1",
                sandbox_root=sandboxes,
                slots=1,
                clock=SystemClock(),
                way=way,
                workspace=workspace,
            )
        )
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

    def action(self, *argv: str, outputs: tuple[str, ...] = (), **about: object) -> Action:
        """{root} in a word stands for the tree's path."""
        inputs = tuple(sorted(self.files.values()))
        fields: dict[str, object] = {
            "kind": "command",
            "argv": tuple(word.replace("{root}", ROOT) for word in argv),
            "env": (),
            "outputs": outputs,
            "depfile": None,
            "platform": "test",
            "inputs": inputs,
            "primary": tuple(item.path for item in inputs),
            "links": dict(self.links),
            "root": self.root,
            "loose": True,
        }
        return Action(**{**fields, **about})  # type: ignore[arg-type]

    def perform(self, action: Action, *, no_cache: bool = False, timeout: float = 30.0) -> JobOutcome:
        return self.worker.perform(JobOrder("b1", "job", 1, action, timeout, no_cache))

    def run(self, *argv: str, outputs: tuple[str, ...] = (), **about: object) -> JobOutcome:
        return self.perform(self.action(*argv, outputs=outputs, **about))

    def made(self, outcome: JobOutcome) -> dict[str, bytes | str]:
        """What each output holds: bytes, or the text of a symlink."""
        assert outcome.status in ("executed", "reused"), outcome
        assert outcome.result is not None
        return {output.path: self._held(output) for output in outcome.result.outputs}

    def _held(self, output: Output) -> bytes | str:
        return output.target if output.mode == "link" else self.blobs.get(output.hash)
