"""A farm whose time moves by hand; there is no broker."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator.dispatch.delivery import Delivery, Started, Unserved, Worker
from shared.model.action import Action, ActionResult, Output
from shared.model.job import JobOrder, JobOutcome, Status

HEARTBEAT = 1.0
PLATFORM = "linux"


def order(job: str, platform: str = PLATFORM) -> JobOrder:
    return JobOrder("b1", job, 1, Action("command", ("noop",), (), (job,), None, platform, (), ()), 60.0)


def outcome(job: str, attempt: int = 1, status: Status = "executed", content: str = "0") -> JobOutcome:
    result = ActionResult(job, (Output("out", f"sha256:{content * 64}", 0),)) if status == "executed" else None
    return JobOutcome(job, attempt, status, result)


class Farm:
    """A delivery with a clock, a queue length and workers that tests set."""

    def __init__(self, grace: float = 30.0) -> None:
        self.now = 100.0
        self.delivery = Delivery(heartbeat=HEARTBEAT, grace=grace, lost_after=5 * HEARTBEAT)
        self.workers: dict[str, Worker] = {}
        self.queued = 0
        self.sent: list[tuple[int, dict[str, int]]] = []
        self.worker("w1")

    def worker(self, name: str, *running: int, platforms: Sequence[str] = (PLATFORM,)) -> None:
        self.workers[name] = Worker(2, frozenset(platforms), frozenset(running))

    def add(self, *jobs: str) -> int:
        self.delivery.add([order(job) for job in jobs], self.now)
        return self.publish()[-1]

    def end(self, outcome: JobOutcome, batch: int | None = None) -> JobOutcome | None:
        """An outcome of a job's newest batch, or of another."""
        newest = next((id_ for id_, jobs in reversed(self.sent) if outcome.job in jobs), 0)
        return self.delivery.ended(newest if batch is None else batch, outcome, self.now)

    def publish(self) -> list[int]:
        parcels = self.delivery.due(self.now)
        self.delivery.sent([p.batch for p in parcels], self.now)
        self.sent += [(p.batch, {o.job: o.attempt for o in p.orders}) for p in parcels]
        return [p.batch for p in parcels]

    def pass_time(self, seconds: float) -> list[Started | JobOutcome | Unserved]:
        """Time goes by, with looks half a second apart; what they found."""
        found: list[Started | JobOutcome | Unserved] = []
        for _ in range(round(seconds / 0.5)):
            self.now += 0.5
            found += self.delivery.look(self.now, self.workers, {PLATFORM: self.queued})
            self.publish()
        return found
