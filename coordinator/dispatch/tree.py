"""RunTree: what every path holds while a build runs."""

from __future__ import annotations

from shared.model.action import ActionResult, Input
from shared.model.graph import BuildGraph
from shared.model.manifest import Manifest
from shared.model.snapshot import Snapshot


class RunTree:
    """Sources as scanned, outputs as made in this build, else as the manifest has them."""

    def __init__(self, graph: BuildGraph, snapshot: Snapshot, manifest: Manifest | None) -> None:
        self.graph, self.snapshot, self.manifest = graph, snapshot, manifest
        self.results: dict[str, ActionResult] = {}
        self._made: dict[str, Input] = {}

    def find(self, path: str) -> Input | None:
        """The present state of a path, or None."""
        if path in self.graph.producer:
            made = self._made.get(path)
            if made is not None:
                return made
            known = self.manifest.artefacts.get(path) if self.manifest else None
            return Input(path, known.hash, known.size, known.mode) if known else None
        source = self.snapshot.sources.get(path)
        return Input(path, source.hash, source.size, source.mode) if source else None

    def take(self, job: str, result: ActionResult) -> bool:
        """Note a job's outputs; whether any differs from what stood there."""
        changed = False
        for output in result.outputs:
            before = self.find(output.path)
            changed |= before is None or (before.hash, before.mode) != (output.hash, output.mode)
            self._made[output.path] = Input(output.path, output.hash, output.size, output.mode)
        self.results[job] = result
        return changed

    def reads(self, job: str, maker: str) -> bool:
        """Whether a job as last run reads what another makes; True where that cannot be told."""
        recipe = self.graph.recipes[job]
        entry = self.manifest.jobs.get(job) if self.manifest else None
        if entry is None or recipe.depfile is None:
            return True
        used = {*recipe.inputs, *(entry.trace.used if entry.trace else ()), *entry.unread}
        return not used.isdisjoint(self.graph.recipes[maker].outputs)
