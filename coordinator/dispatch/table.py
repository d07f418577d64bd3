"""JobTable: the jobs of a build, and the tallies the scheduler goes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordinator.dispatch.report import RunReport
from coordinator.dispatch.states import ENDED, UNDER_WAY, JobRun, State
from coordinator.progress import Failure


class JobTable:
    """Every job by id; `left` counts those not ended, `under_way` those some thread or worker is busy with."""

    def __init__(self) -> None:
        self._runs: dict[str, JobRun] = {}
        self._counts = dict.fromkeys(State, 0)
        self.left = 0
        self.under_way = 0

    def add(self, run: JobRun) -> None:
        """Take a job on."""
        self._runs[run.id] = run
        self._counts[run.state] += 1
        self.left += 1

    def move(self, run: JobRun, state: State) -> None:
        """Change a job's state."""
        before = run.state
        run.move(state)
        self._counts[before] -= 1
        self._counts[state] += 1
        self.under_way += (state in UNDER_WAY) - (before in UNDER_WAY)
        self.left += (before in ENDED) - (state in ENDED)

    def count(self, state: State) -> int:
        """How many jobs are in a state."""
        return self._counts[state]

    def is_open(self, job: str) -> bool:
        """Whether a job is in the build and has not ended."""
        run = self._runs.get(job)
        return run is not None and run.state not in ENDED

    def waits(self, job: str, need: str) -> bool:
        """Whether a job cannot begin before another is done, directly or not."""
        stack, seen = [job], {job}
        while stack:
            run = self._runs.get(stack.pop())
            fresh = run.waiting - seen if run is not None else set()
            if need in fresh:
                return True
            seen |= fresh
            stack += fresh
        return False

    def done(self) -> list[JobRun]:
        """The jobs whose results count."""
        return [run for run in self if run.state is State.DONE]

    def never_ran(self) -> tuple[str, ...]:
        """The jobs that are neither done nor failed, sorted."""
        return tuple(sorted(run.id for run in self if run.state not in (State.DONE, State.FAILED)))

    def get(self, job: str) -> JobRun | None:
        """A job, or None if it is not in the build."""
        return self._runs.get(job)

    def __getitem__(self, job: str) -> JobRun:
        return self._runs[job]

    def __iter__(self) -> Iterator[JobRun]:
        return iter(tuple(self._runs.values()))


def report_of(
    runs: JobTable,
    failures: Sequence[Failure],
    added: Sequence[str],
    *,
    bytes_up: int,
    bytes_down: int,
    saved_seconds: float,
) -> RunReport:
    """What came of the jobs of a table."""
    return RunReport(
        results={run.id: run.result for run in runs.done() if run.result is not None},
        how={run.id: run.how for run in runs.done() if run.how is not None},
        failures=tuple(failures),
        skipped=runs.never_ran(),
        added=tuple(added),
        bytes_up=bytes_up,
        bytes_down=bytes_down,
        saved_seconds=saved_seconds,
        repeated=sum(run.given is not None or run.elsewhere for run in runs),
    )
