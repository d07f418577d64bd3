"""Settling: brings what jobs made to where the workspace wants it, and tells which store it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from coordinator.commit.materialise import Staging
from coordinator.commit.placing import Placing
from coordinator.survey import Survey
from shared.errors import BlobMissing, CorruptRecord
from shared.model.action import ActionResult, Output
from shared.model.graph import BuildGraph, Recipe
from shared.model.path import is_normal
from shared.storage.carried import honest
from shared.storage.compose import Stores
from shared.storage.results import Source
from shared.storage.stored_results import blobs_of


class Settling:
    """Of one try at a plan. here: the outputs that the workspace is to hold; None for all of them. Thread-safe.

    placing: places outputs one by one as they come; without it they are staged for one transaction. left: whether a
    file of the tree is none of the sources, but left from a build that is not known any more.
    """

    def __init__(
        self,
        seen: Survey,
        graph: BuildGraph,
        stores: Stores,
        *,
        staging: Staging,
        placing: Placing | None,
        here: frozenset[str] | None,
        left: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        self._seen, self._graph, self._stores = seen, graph, stores
        self._staging, self._placing, self._here, self._left = staging, placing, here, left
        # Workers of which a blob was found: they store what they make where this build looks for it.
        self._proven: set[str] = set()

    def settle(self, result: ActionResult, carried: Mapping[str, bytes] = MappingProxyType({})) -> Source | None:
        """Fetch the outputs of a job that the workspace does not hold already; BlobMissing if they are gone.

        carried: bytes of some by digest, which came with word of them. The farthest store that one came from; None
        when the workspace lacked none of them.
        """
        if result.worker in self._proven:
            for hash_, data in honest(carried).items():
                self._stores.take(hash_, data)
        source: Source | None = None
        left: list[str] = []
        for output in result.outputs:
            self._refuse_escape(output)
            if self._stays_in_store(output.path):
                if output.mode != "link":
                    left.append(output.hash)
                continue
            if self._is_there(output):
                self._staging.keep(output.path)
                continue
            if source != "remote":
                source = self._nearest(output)
            if self._placing is not None:
                self._placing.place(output, self._stores.blobs)
            else:
                self._staging.stage(output.path, output.hash, output.mode, self._stores.blobs)
            if source == "remote":
                self._proven.add(result.worker)
        self._believe(result.worker, left)
        return source

    def _believe(self, worker: str, left: list[str]) -> None:
        """Take what stays in the store for being there; the store is asked once of each worker."""
        if worker in self._proven:
            self._stores.believe(left)
        elif left:
            for hash_ in self._stores.blobs.find_missing(left):
                raise BlobMissing(hash_)
            self._proven.add(worker)

    def wanted(self, recipe: Recipe) -> bool:
        """Whether the workspace is to hold anything that a recipe declares."""
        return not all(map(self._stays_in_store, recipe.outputs))

    def reuse(self, result: ActionResult) -> Source | None:
        """As settle, for a result that was found: BlobMissing also for what is not fetched and the store lacks."""
        fetched = {one.hash for one in result.outputs if not (self._stays_in_store(one.path) or self._is_there(one))}
        for hash_ in self._stores.blobs.find_missing(one for one in blobs_of(result) if one not in fetched):
            raise BlobMissing(hash_)
        return self.settle(result)

    def bring(self, planned: frozenset[str]) -> None:
        """Place what commands in the workspace will need, an earlier build left in the store and no job will make."""
        manifest = self._seen.base.manifest
        if not self._here or manifest is None or self._placing is None:
            return
        for path in sorted(self._here):
            artefact = manifest.artefacts.get(path)
            if artefact is not None and path not in self._seen.snapshot.outputs and artefact.job not in planned:
                made = Output(path, artefact.hash, artefact.size, artefact.mode, artefact.target)
                self._placing.place(made, self._stores.blobs)

    @property
    def bytes_down(self) -> int:
        """Bytes that came from a remote store for the workspace."""
        return self._staging.bytes_down + (self._placing.bytes_down if self._placing else 0)

    def _is_there(self, output: Output) -> bool:
        there = self._seen.snapshot.outputs.get(output.path)
        return there is not None and (there.hash, there.mode) == (output.hash, output.mode)

    def _nearest(self, output: Output) -> Source:
        away = self._stores.remote and output.mode != "link" and self._stores.local.find_missing([output.hash])
        return "remote" if away else "local"

    def _stays_in_store(self, path: str) -> bool:
        if self._here is not None and path not in self._here:
            return True
        maker = self._graph.producer.get(path)
        return maker is not None and self._graph.recipes[maker].stored

    def _refuse_escape(self, output: Output) -> None:
        """What a store or a worker says is written only where a job of this graph could have written it."""
        sources = self._seen.snapshot.sources
        if not is_normal(output.path):
            raise CorruptRecord(f"a stored result names the output {output.path!r}", why="it is no path of the tree")
        if output.path in sources and output.path not in self._graph.producer and not self._left(output.path):
            raise CorruptRecord(
                f"a stored result would write over {output.path}", why="that is a source, and no rule makes it"
            )
