"""One try at the jobs of one plan, under the lock: dispatch, materialise, commit, in that order on one page."""

from __future__ import annotations

import contextlib
import itertools
import shutil

import msgspec

from coordinator import beside_outputs
from coordinator.afresh import afresh_of
from coordinator.commit import left, materialise
from coordinator.commit.base import Base
from coordinator.commit.fold import fold, repeats
from coordinator.commit.materialise import Applied
from coordinator.commit.placing import Placing
from coordinator.dispatch.prepare import Preparer
from coordinator.dispatch.report import Options, RunReport
from coordinator.dispatch.scheduler import Scheduler
from coordinator.dispatch.tally import Tallied, Tally
from coordinator.dispatch.tree import RunTree
from coordinator.dispatch.uploads import SourceMoved
from coordinator.emit import emit
from coordinator.history.record import BuildRecord
from coordinator.lock.lease import Lease
from coordinator.plan.planner import up_to
from coordinator.progress import BuildObserver, Observers
from coordinator.project import Project
from coordinator.report import BuildReport, count_how
from coordinator.request import Request
from coordinator.settling import Settling
from coordinator.survey import Survey, survey, wanted_here
from coordinator.vanished import store_again
from shared.clock import iso
from shared.errors import Interrupted, LockLost, named
from shared.model.file import FileState
from shared.model.graph import BuildGraph
from shared.model.manifest import Manifest
from shared.model.plan import Plan
from shared.model.tests import TEST_RULE

__all__ = ["Attempt", "SourceMoved", "Tally"]

_passes = itertools.count(1)


class Attempt:
    """One try at the jobs of one plan; use once."""

    def __init__(
        self,
        project: Project,
        request: Request,
        observer: BuildObserver,
        seen: Survey,
        lease: Lease,
        name: str,
        began: float,
        tally: Tally,
    ) -> None:
        self.project, self.request, self.seen, self.lease = project, request, seen, lease
        self.name, self.began, self.tally = name, began, tally
        # What workers still run of another pass was asked for other sources: to them it is another build.
        self.known_as = f"{name}.{next(_passes)}"
        self.settings, self.stores, self.clock = project.settings, project.stores, project.clock
        self.graph: BuildGraph = seen.graph or BuildGraph(())
        self.plan: Plan = up_to(seen.plan, request.up_to_layer)
        if not request.commit:
            # What nobody makes any more stays until there is a revision without it.
            self.plan = msgspec.structs.replace(self.plan, removed=())
        self.outside = self._left_out()
        tests = self.settings.tests
        self.lenient = frozenset({TEST_RULE}) if tests is not None and not tests.gate else frozenset()
        self.record = BuildRecord(project, self.plan, self.graph, build=name, base=seen.base, began=began, tally=tally)
        # Noted before it is told: who is interrupted in between has lost nothing.
        self.observer = Observers(self.record, observer)
        self.bytes_up = 0
        self.done = Applied((), (), ())
        self._scheduler: Scheduler | None = None
        self._tree: RunTree | None = None
        self.staging = materialise.Staging(self.settings.state_dir, name)
        self.placing = Placing(self.settings.root, name) if project.imported else None
        self.settling = Settling(
            seen,
            self.graph,
            self.stores,
            staging=self.staging,
            placing=self.placing,
            here=self._wanted_here(),
            **({"left": project.imported.left} if project.imported else {}),
        )

    def run(self) -> BuildReport:
        """Have the jobs done and commit; raises what `build` does, and SourceMoved when the tree changed meanwhile."""
        with contextlib.closing(self.staging):
            return self._run()

    def _run(self) -> BuildReport:
        for warning in (*self.seen.base.problems, *self.seen.warnings):
            self.observer.warned(warning)
        self.observer.planned(self.plan, self.graph, build=self.name, revision=self.seen.base.next_revision)
        try:
            self.record.begin(self.seen.snapshot, self.seen.manifest)
            self.settling.bring(frozenset(self.plan.jobs))
            report = self._finish(self._dispatch())
        except (Interrupted, KeyboardInterrupt):
            self.record.end("interrupted")
            raise
        except SourceMoved:
            # The build goes on, and its record with it.
            self.record.leave()
            self.tally.end_pass(
                bytes_up=self.bytes_up,
                bytes_down=self.settling.bytes_down,
                written=(*self.done.written, *(self.placing.written if self.placing else ())),
                removed=self.done.removed,
            )
            raise
        except BaseException:
            self.record.end("failed")
            raise
        self.record.end(report.status)
        return report

    def _dispatch(self) -> RunReport:
        afresh = afresh_of(self.project, self.graph, self.seen.snapshot, self.stores.blobs)
        self._tree = tree = RunTree(self.graph, self.seen.snapshot, self.seen.manifest, afresh=afresh)
        preparer = Preparer(
            tree=tree,
            blobs=self.stores.blobs,
            results=self.stores.results,
            root=self.settings.root,
            build=self.known_as,
            default_timeout=self.settings.job_timeout,
            use_cache=not self.request.no_cache,
            fresh=frozenset({TEST_RULE}) if self.request.all_tests else frozenset(),
            again=self.tally.vanished,
            settle=self.settling.reuse,
            wanted=self.settling.wanted,
            clock=self.clock,
            includes=self.project.includes,
            beyond=self.project.beyond,
            keep_depfiles=self.request.keep_depfiles,
        )
        preparer.bring(self.plan.changes.edited)
        timeout = self.request.timeout
        here, permits = self.project.performer_here(), self.project.permits(self.name)
        self._scheduler = Scheduler(
            self.plan,
            tree=tree,
            preparer=preparer,
            performer=lambda: Tallied(self.project.performer(self.known_as, self.graph.platform), self.tally),
            here=None if here is None else lambda: Tallied(here(), self.tally),
            settle=self.settling.settle,
            observer=self.observer,
            clock=self.clock,
            alive=self._still_ours,
            options=Options(
                schedule=self.request.schedule,
                failures=self.request.failures,
                deadline=None if timeout is None else self.began + timeout,
                require_cached=self.request.require_cached,
                outside=self.outside,
                lenient=self.lenient,
                permits=permits,
                at_once=self.request.at_once,
            ),
        )
        try:
            return self._scheduler.run()
        finally:
            preparer.close()
            self.bytes_up = preparer.bytes_up
            if permits is not None:
                permits.close()

    def keys(self) -> dict[str, str]:
        """The jobs that have a result by now, each with the key of it."""
        return self._scheduler.report().keys if self._scheduler else {}

    def reused_jobs(self) -> frozenset[str]:
        """Those of them that a stored result stood for."""
        return frozenset(self.tally.reused(self._scheduler.report())) if self._scheduler else frozenset()

    def _wanted_here(self) -> frozenset[str] | None:
        """The outputs that the workspace is to hold; None for all of them."""
        if self.project.imported is None or self.request.download == "all":
            return None
        users = [id_ for id_ in self.plan.jobs if self.graph.recipes[id_].place == "workspace"]
        needed = self.graph.closure(users)
        there = {path for path, maker in self.graph.producer.items() if maker in needed}
        return wanted_here(self.graph, self.request.question) | there

    def _left_out(self) -> frozenset[str]:
        """The jobs that were not asked for: above the last layer, or needed by no target."""
        return self.plan.outside | (self.seen.plan.jobs.keys() - self.plan.jobs.keys())

    def _still_ours(self) -> None:
        if self.lease.lost():
            raise LockLost(
                "the build lock was lost while building",
                why="its lease ran out, or somebody took it with `windrow lock break`",
                fix="nothing was committed and finished jobs are kept; build again",
            )

    def _finish(self, ran: RunReport) -> BuildReport:
        """Outputs to the workspace, then the revision; neither when a job failed, unless asked to keep going."""
        self.record.ran(ran)
        beside_outputs.settle(
            self.settings.root,
            self.graph.recipes,
            ran,
            keep_response_files=self.request.keep_response_files,
            keep_depfiles=self.request.keep_depfiles,
        )
        whole = not ran.skipped and all(failure.rule in self.lenient for failure in ran.failures)
        if whole or self.request.failures != 1:
            self.done = self._materialise(ran, whole=whole)
        if whole:
            self._all_there(ran)
        why_not = self._why_not(ran, whole=whole)
        committed: Base | None = None
        if not why_not:
            draft = self._draft(ran)
            if repeats(self.seen.base.manifest, draft):
                why_not = "the revision is as it should be"
            else:
                self._still_ours()
                committed = self.project.publish(self.seen.base, draft, self.lease)
            left.forget_placed(self.settings.state_dir, self.seen.left(self.done.removed))
            if committed:
                for problem in (*self.record.archive(committed.revision), *committed.problems):
                    self.observer.warned(problem)
                if self.settings.emit.folder and (problem := emit(self.project, self.seen)):
                    self.observer.warned(problem)
        self._learn(ran)
        if whole or self.request.failures != 1:
            self._export(ran, whole=whole)
        return self._report(ran, committed, why_not)

    def _materialise(self, ran: RunReport, *, whole: bool) -> Applied:
        gone = {path: self._hash_of_ours(path) for path in (*self.plan.removed, *self._left(ran))} if whole else {}
        self._spare()
        left.note_placed(self.settings.state_dir, ((write.path, write.hash) for write in self.staging.writes()))
        done = materialise.apply(self.settings.root, self.settings.state_dir, self.staging, gone)
        if self.placing is not None:
            done = done._replace(written=(*done.written, *self.placing.written))
        for warning in done.warnings:
            self.observer.warned(warning)
        return done

    def _left(self, ran: RunReport) -> list[str]:
        """What jobs made besides their outputs when they ran before, and not this time."""
        manifest = self.seen.base.manifest
        if not self.request.commit or manifest is None:
            return []
        made = {output.path for result in ran.results.values() for output in result.outputs}
        before = ((job, path) for job in ran.results if job in manifest.jobs for path in manifest.jobs[job].also)
        ours = ((job, path) for job, path in before if path not in made and path in manifest.artefacts)
        return [path for job, path in ours if self.graph.producer.get(path) == job]

    def _hash_of_ours(self, path: str) -> str:
        """What an output holds if nobody wrote over it: what some build put there."""
        there, manifest = self.seen.snapshot.outputs.get(path), self.seen.base.manifest
        if there is not None and there.hash == self.seen.placed.get(path):
            return there.hash
        assert manifest is not None
        return manifest.artefacts[path].hash

    def _spare(self) -> None:
        """Keep a copy of what outputs replace that no revision made and git does not ignore: it may be somebody's."""
        known = self.seen.base.manifest.artefacts if self.seen.base.manifest else {}
        known = {path: made for path, made in known.items() if path not in self.plan.changes.edited}
        there = {**self.seen.scan.snapshot.sources, **self._edited()}
        for write in self.staging.writes():
            if write.path in known or write.path not in there or there[write.path].hash == write.hash:
                continue
            kept = self.settings.state_dir / "replaced" / self.name / write.path
            try:
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.settings.root / write.path, kept, follow_symlinks=False)
            except OSError as error:
                raise named(error, kept, "writing") from error
            self.observer.warned(f"{write.path} was there and no revision made it; it is kept as {kept}")

    def _edited(self) -> dict[str, FileState]:
        outputs, placed = self.seen.snapshot.outputs, self.seen.placed
        written = (path for path in placed if path in outputs and outputs[path].hash != placed[path])
        return {path: outputs[path] for path in (*self.plan.changes.edited, *written)}

    def _why_not(self, ran: RunReport, *, whole: bool) -> str:
        if not whole:
            if self.settings.tests and ran.failures and all(one.rule == TEST_RULE for one in ran.failures):
                return "tests failed"
            return "a job failed" if ran.failures else "not every job ran"
        if not self.request.commit:
            return "only its jobs were asked for"
        if self.request.up_to_layer is not None and len(self.plan.layers) < len(self.seen.plan.layers):
            return f"only layers 0 to {self.request.up_to_layer} of {len(self.seen.plan.layers)} were asked for"
        if self.request.targets and not self.project.imported and not self._covers_all(ran):
            return "only some targets were asked for"
        return ""

    def _covers_all(self, ran: RunReport) -> bool:
        """Whether the targets asked for took in everything that is out of date, also by what this build made."""
        everything = msgspec.structs.replace(self.request.question, targets=())
        if not set(survey(self.project, self.seen.base, everything).plan.jobs) <= set(self.plan.jobs):
            return False
        known = self.seen.manifest.artefacts if self.seen.manifest else {}
        users = self.graph.dependants()
        return not any(
            (made := known.get(output.path)) is None or made.hash != output.hash
            for job, result in ran.results.items()
            if not self.outside.isdisjoint(users[job])
            for output in result.outputs
        )

    def _all_there(self, ran: RunReport) -> None:
        """No revision may name a blob that is gone, whoever took it away: before the build, unnoticed, or meanwhile."""
        made = {
            output.hash: (job, output.path)
            for job, result in ran.results.items()
            if self.graph.recipes[job].place != "workspace"
            for output in result.outputs
            if output.mode != "link"
        }
        lost = {hash_: made[hash_][1] for hash_ in self.stores.blobs.find_missing(made)}
        if gone := store_again(self.stores, self.settings.root, lost):
            # What is stored of these jobs answers without its bytes: they are to run.
            self.tally.vanished = frozenset(made[hash_][0] for hash_ in gone)
            raise SourceMoved(f"stored outputs of {', '.join(sorted(self.tally.vanished)[:3])} vanished")

    def _draft(self, ran: RunReport) -> Manifest:
        base = self.seen.manifest
        imported = self.project.imported
        return fold(
            base,
            graph=self.graph,
            snapshot=self._tree.now() if self._tree is not None else self.seen.snapshot,
            results=ran.results,
            plan=self.plan,
            stale=self.plan.stale,
            beside=imported.beside if imported else None,
            beyond=self.project.beyond.held,
        )

    def _learn(self, ran: RunReport) -> None:
        """Let the next scan know the outputs just written, so that it need not read them."""
        made = {output.path for result in ran.results.values() for output in result.outputs}
        self.seen.scan.learn(made, (self.placing or self.staging).placed)
        for warning in (self.seen.scan.save(), self.project.save_learnt()):
            if warning:
                self.observer.warned(warning)

    def _export(self, ran: RunReport, *, whole: bool) -> None:
        """Tell in files that others know what the workspace now holds, if all of it was asked for."""
        context = self.project.context
        if context is None or self.outside:
            return
        good = self.graph.recipes.keys() - {failure.job for failure in ran.failures} - set(ran.skipped)
        snapshot, now = self.seen.snapshot, iso(self.clock.now())
        if warning := context.export(self.graph, self.seen.scan, snapshot, good, now=now, whole=whole):
            self.observer.warned(warning)

    def _report(self, ran: RunReport, committed: Base | None, why_not: str) -> BuildReport:
        tally, own = self.tally, self.tally.own(ran)
        reused = tally.reused(ran)
        written = tuple(dict.fromkeys((*tally.written, *self.done.written)))
        removed = dict.fromkeys((*tally.removed, *self.done.removed))
        return BuildReport(
            build=self.name,
            status="failed" if ran.failures else "ok",
            project=self.settings.project, branch=self.settings.branch, base_revision=self.seen.base.revision,
            revision=committed.revision if committed else 0,
            planned=len(self.plan.jobs) + len(ran.added),
            executed=tally.executed,
            reused=count_how(reused),
            failed=len(ran.failures), skipped=len(ran.skipped), repeated=ran.repeated,
            layers=tuple(len(layer) for layer in self.plan.layers),
            outputs_written=len(written), outputs_removed=len(removed),
            bytes_up=ran.bytes_up + tally.bytes_up,
            bytes_down=ran.bytes_down + self.settling.bytes_down + tally.bytes_down,
            seconds=self.clock.monotonic() - self.began,
            saved_seconds=max(0.0, ran.saved_seconds - sum(ran.results[job].timings.run for job in own)),
            files=len(self.seen.snapshot.sources),
            failures=ran.failures,
            changed=written,
            not_committed=why_not,
            plan=self.plan,
            tests=self.graph.tests,
            made={one.path: one.hash for result in ran.results.values() for one in result.outputs},
            done=ran.keys,
            reused_jobs=frozenset(reused),
        )  # fmt: skip
