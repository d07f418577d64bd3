"""Bench: a scheduler on stores in memory and a scripted performer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from coordinator.commit.fold import fold
from coordinator.diff import diff
from coordinator.dispatch.prepare import Preparer
from coordinator.dispatch.report import Options, RunReport
from coordinator.dispatch.scheduler import Scheduler
from coordinator.dispatch.tree import RunTree
from coordinator.plan.dirty import Facts
from coordinator.plan.planner import plan
from shared import hashing
from shared.clock import SystemClock
from shared.model.file import FileState
from shared.model.graph import BuildGraph, Recipe
from shared.model.manifest import Manifest
from shared.model.snapshot import Snapshot
from shared.storage.memory import MemoryBlobs, MemoryRefs
from shared.storage.stored_results import StoredResults
from tests.fakes.observer import RecordingObserver
from tests.fakes.performer import ScriptedPerformer


def step(name: str, *inputs: str, candidates: tuple[str, ...] = (), kind: str = "command") -> Recipe:
    depfile = f"{name}.d" if candidates else None
    return Recipe(
        f"r:{name}", "r", ("run", name), (name,), tuple(sorted(inputs)), candidates, depfile=depfile, kind=kind
    )


class Bench:
    """A tree on disk, stores in memory, and builds of it."""

    def __init__(self, root: Path, recipes: list[Recipe], sources: dict[str, str]) -> None:
        self.root = root
        self.recipes = recipes
        self.blobs = MemoryBlobs()
        self.results = StoredResults(MemoryRefs(), self.blobs, source="local")
        self.manifest: Manifest | None = None
        self.settled: list[str] = []
        self.observer = RecordingObserver()
        self.scripts: dict = {}
        self.performer = ScriptedPerformer(self.blobs, self.results, self.scripts)
        self.sources: dict[str, str] = {}
        for path, text in sources.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        self.sources[path] = text
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def snapshot(self) -> Snapshot:
        sources = {p: FileState(hashing.of_bytes(t.encode()), len(t)) for p, t in self.sources.items()}
        made = self.manifest.artefacts if self.manifest else {}
        return Snapshot(sources, {p: FileState(a.hash, a.size, a.mode) for p, a in made.items()})

    def run(
        self, *, options: Options = Options(), use_cache: bool = True, full: bool = False, commit: bool = True
    ) -> RunReport:
        self.performer = ScriptedPerformer(self.blobs, self.results, self.scripts)
        return self.run_with(self.performer, options=options, use_cache=use_cache, full=full, commit=commit)

    def run_with(self, performer, *, options=Options(), use_cache=True, full=False, commit=True) -> RunReport:
        self.performer = performer
        self.observer = RecordingObserver()
        graph = BuildGraph(self.recipes, platform="linux")
        seen = self.snapshot()
        planned = plan(Facts(graph, self.manifest, seen, diff(self.manifest, seen), full=full))
        tree = RunTree(graph, seen, self.manifest)
        preparer = Preparer(
            tree=tree,
            blobs=self.blobs,
            results=self.results,
            root=self.root,
            build="b",
            default_timeout=10.0,
            use_cache=use_cache,
            settle=self.settle,
            clock=SystemClock(),
        )
        report = Scheduler(
            planned,
            tree=tree,
            preparer=preparer,
            performer=lambda: performer,
            settle=self.settle,
            observer=self.observer,
            clock=SystemClock(),
            alive=lambda: None,
            options=options,
        ).run()
        if commit and not report.failures and not report.skipped:
            draft = fold(self.manifest, graph=graph, snapshot=seen, results=report.results, plan=planned)
            self.manifest = msgspec.structs.replace(draft, revision=1)
        return report

    def settle(self, result, _carried=None) -> None:
        for output in result.outputs:
            self.blobs.get(output.hash)
            self.settled.append(output.path)

    def spoil(self, path: str) -> None:
        self.blobs.contents[self.manifest.artefacts[path].hash] = b"spoilt"
