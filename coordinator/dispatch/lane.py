"""Lanes: the jobs that each performer is to have, from prepared to handed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from coordinator.dispatch.batches import PreparedJobs
from coordinator.dispatch.performer import Performer, Report
from coordinator.dispatch.permits import Permits
from coordinator.dispatch.states import JobRun
from shared.model.job import JobOrder


class Lane:
    """Jobs in the order of their priority, and the performer, which is made for the first of them."""

    def __init__(
        self,
        make: Callable[[], Performer],
        deliver: Callable[[Report], None],
        pools: Mapping[str, int],
        permits: Permits | None = None,
    ) -> None:
        self._make, self._deliver = make, deliver
        self._performer: Performer | None = None
        self._prepared = PreparedJobs(pools, permits)

    def __len__(self) -> int:
        return len(self._prepared)

    def add(self, run: JobRun) -> None:
        """Take on a job whose order is written."""
        self._prepared.add(run)

    def ended(self, run: JobRun) -> None:
        """A job that was handed over has its outcome."""
        self._prepared.ended(run)

    @property
    def out(self) -> int:
        """How many jobs the performer has."""
        return self._prepared.out

    def hand_over(self, submitted: Callable[[JobRun], None], most: int | None = None) -> None:
        """Give the performer what it can soon take, at most so many jobs; `submitted` is told of each before."""
        if not self._prepared:
            return
        if self._performer is None:
            self._performer = self._make()
            self._performer.open(self._deliver)
        for batch in self._prepared.batches(self._performer.room(), most):
            orders: list[JobOrder] = []
            for run in batch:
                submitted(run)
                assert run.order is not None
                orders.append(run.order)
            self._performer.submit(orders)

    def slots(self, unknown: int = 2) -> int:
        """How many jobs can run at once; `unknown` while there is no performer to ask."""
        return self._performer.slots() if self._performer else unknown

    def after_failure(self, *, stop: bool) -> None:
        """See Performer."""
        if self._performer is not None:
            self._performer.after_failure(stop=stop)

    def cancel(self) -> None:
        """Kill what runs."""
        if self._performer is not None:
            self._performer.cancel()

    def close(self) -> None:
        """Release the performer."""
        if self._performer is not None:
            self._performer.close()


class Lanes:
    """The lane of the build's performer, and one for what must run on this machine, if another performs that.

    at_once: how many jobs may run at once in both together; 0 for as many as there are slots.
    """

    def __init__(
        self,
        performer: Callable[[], Performer],
        here: Callable[[], Performer] | None,
        deliver: Callable[[Report], None],
        pools: Mapping[str, int],
        permits: Permits | None = None,
        at_once: int = 0,
    ) -> None:
        self._at_once = at_once
        self._main = Lane(performer, deliver, pools, permits)
        self._here = self._main if here is None else Lane(here, deliver, pools)
        self._all = (self._main,) if here is None else (self._main, self._here)

    def __len__(self) -> int:
        return sum(map(len, self._all))

    def of(self, run: JobRun) -> Lane:
        """Where a job goes."""
        return self._here if run.here else self._main

    def hand_over(self, submitted: Callable[[JobRun], None]) -> None:
        """As each lane's. What must run here comes first: it is less, and has but one place to go."""
        for lane in reversed(self._all):
            lane.hand_over(submitted, self._free())

    def _free(self) -> int | None:
        """How many jobs more may be out; None where slots alone bound what runs: then some may wait at a worker."""
        unknown = any(len(lane) and not lane.slots(0) for lane in self._all)
        if not self._at_once or (not unknown and sum(lane.slots(0) for lane in self._all) <= self._at_once):
            return None
        return max(0, self._at_once - sum(lane.out for lane in self._all))

    def slots(self) -> int:
        """How many jobs can run at once in all."""
        return sum(lane.slots() for lane in self._all)

    def after_failure(self, run: JobRun, *, stop: bool) -> None:
        """A failure of a job was dealt with; see Performer. To stop concerns every lane."""
        for lane in self._all if stop else (self.of(run),):
            lane.after_failure(stop=stop)

    def cancel(self) -> None:
        """Kill what runs."""
        for lane in self._all:
            lane.cancel()

    def close(self) -> None:
        """Release the performers."""
        for lane in self._all:
            lane.close()
