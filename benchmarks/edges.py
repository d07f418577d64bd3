"""Generated build.ninja projects of 1,000 to 100,000 edges: nothing to do, one header, and what a job costs.

A first build of 100,000 jobs takes half an hour, of which the coordinator is the smallest part. Here the coordinator
is the real one, and whoever performs the jobs lends it what ninja made of the same tree.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import ninja_graph, timing
from benchmarks.rig import ROOT, environment
from benchmarks.timing import Row, Sample
from cli.ninja_project import open_build_folder
from coordinator.build import build
from coordinator.dispatch.inline import InlinePerformer
from coordinator.project import Project
from coordinator.request import Request
from shared import hashing
from shared.clock import SystemClock
from shared.depfile import dependencies, located
from shared.keys import key_after_run
from shared.model.action import ActionResult, Input, Output, Trace
from shared.model.job import JobOrder, JobOutcome
from shared.storage.blobs import BlobStore
from tests.fakes.observer import RecordingObserver
from tests.fakes.performers import here_only
from workers.execute.probes import Prober
from workers.execute.trace import trace_of

EDGES = (1_000, 10_000, 100_000)
SLOTS = 2
NINJA = ("ninja", "-j2", "--quiet")
WINDROW_NINJA = (sys.executable, "-c", "import sys, windrow; sys.argv[0] = 'windrow-ninja'; windrow.ninja()")


class Lender:
    """Performs a job by what lies in a folder that ninja has built; `seconds` is the processor time that took."""

    def __init__(self, built: Path, blobs: BlobStore) -> None:
        self._built, self._blobs, self._prober = built, blobs, Prober()
        self._lock, self.seconds, self.jobs = threading.Lock(), 0.0, 0

    def perform(self, order: JobOrder) -> JobOutcome:
        """See workers.perform.Worker."""
        began = time.thread_time()
        action = order.action
        made: list[Output] = []
        for path in action.outputs:
            data = (self._built / path).read_bytes()
            hash_ = hashing.of_bytes(data)
            self._blobs.put(hash_, data)
            made.append(Output(path, hash_, len(data)))
        trace: Trace | None = None
        if action.depfile is not None:
            unit = next(path for path in action.primary if path.endswith(".c"))
            lines = (self._built / unit).read_text().splitlines()
            headers = [line.split('"')[1] for line in lines if line.startswith("#include")]
            text = f"{action.outputs[0]}: {unit} {' '.join(headers)}\n"
            reads = located(dependencies(text), (str(self._built),), action.links, action.cwd)
            trace = trace_of(action, reads, self._prober, self._content)
        result = ActionResult(key=key_after_run(action, trace), outputs=tuple(made), trace=trace, worker="lent")
        with self._lock:
            self.seconds += time.thread_time() - began
            self.jobs += 1
        return JobOutcome(order.job, order.attempt, "executed", result=result, worker="lent")

    def _content(self, item: Input) -> bytes:
        return (self._built / item.path).read_bytes()


def first_build(folder: Path, built: Path, cache: Path) -> None:
    """Have the coordinator build a folder with what ninja made; prints what that cost. A process of its own."""
    environ = environment(cache)
    settings = open_build_folder(folder, "build.ninja", flags={}, environ=environ)
    lenders: list[Lender] = []

    def make(project: Project, _commands: int) -> InlinePerformer:
        lenders.append(Lender(built, project.stores.blobs))
        return InlinePerformer(lenders[-1].perform, lambda: None, SLOTS)

    project = Project(settings, environ=environ, clock=SystemClock(), performers=here_only(make))
    began = time.process_time()
    report = build(project, Request(), RecordingObserver())
    spent = time.process_time() - began
    if report.status != "ok":
        raise SystemExit(f"the build ended {report.status}")
    lent = sum(lender.seconds for lender in lenders)
    jobs = sum(lender.jobs for lender in lenders)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"jobs": jobs, "coordinator": spent - lent, "lent": lent, "peak": peak}))


class Graph:
    """One project in two folders: one that ninja builds, and one for windrow."""

    def __init__(self, home: Path, edges: int) -> None:
        self.edges, self.built, self.folder = edges, home / f"ninja{edges}", home / f"windrow{edges}"
        self.cache = home / f"cache{edges}"
        self.environ = {**environment(self.cache), "PYTHONPATH": str(ROOT)}
        ninja_graph.write(self.built, edges)
        shutil.copytree(self.built, self.folder)
        timing.run(NINJA, self.built, self.environ)
        self.cost = self._first()
        self.edits = 0

    def _first(self) -> dict[str, float]:
        words = [sys.executable, "-m", "benchmarks.edges", str(self.folder), str(self.built), str(self.cache)]
        done = subprocess.run(words, cwd=ROOT, env=self.environ, stdout=subprocess.PIPE, check=True)
        told: dict[str, float] = json.loads(done.stdout)
        return told

    def ninja(self, *words: str) -> Sample:
        """Run ninja."""
        return timing.run([*NINJA, *words], self.built, self.environ)

    def windrow(self, *words: str) -> Sample:
        """Run windrow-ninja."""
        return timing.run([*WINDROW_NINJA, "-j2", *words], self.folder, self.environ)

    def edited(self, folder: Path, plan: Callable[[], Sample]) -> Callable[[], Sample]:
        """Only tell what is to be done, after a header was edited."""

        def after_an_edit() -> Sample:
            self.edits += 1
            (folder / "include/d0/h7.h").write_text(f"#define H7 {self.edits}\n")
            return plan()

        return after_an_edit


def tables(home: Path) -> list[Row]:
    """Every size, one after the other; each is gone before the next."""
    sizes = [int(size) for size in os.environ.get("WINDROW_BENCH_EDGES", "").split(",") if size] or list(EDGES)
    found: list[Row] = []
    for edges in sizes:
        graph = Graph(home, edges)
        cost, jobs = graph.cost, int(graph.cost["jobs"])
        micro, peak = 1e6 * cost["coordinator"] / jobs, cost["peak"]
        text = f"CPU µs a job: {micro:,.0f}; {peak / (1 << 20):,.0f} MB at most ({peak / jobs / 1024:.1f} KB a job)"
        spent = cost["coordinator"]
        found.append(Row(f"{edges:,} edges, first build", "coordinator", round(spent, 3), (spent, spent), note=text))
        graph.windrow()  # the first one looks at all, and notes what it saw
        found += timing.compare(
            f"{edges:,} edges, nothing to do", {"windrow-ninja": graph.windrow, "ninja": graph.ninja}
        )
        plans = {
            "windrow-ninja -n": graph.edited(graph.folder, lambda g=graph: g.windrow("-n")),  # type: ignore[misc]
            "ninja -n": graph.edited(graph.built, lambda g=graph: g.ninja("-n")),  # type: ignore[misc]
        }
        found += timing.compare(f"{edges:,} edges, plan one header", plans)
        for folder in (graph.built, graph.folder, graph.cache):
            shutil.rmtree(folder)
    return found


if __name__ == "__main__":
    first_build(*map(Path, sys.argv[1:4]))
