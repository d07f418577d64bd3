"""ScriptedPerformer: performs jobs on the spot by functions, and records what ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coordinator.dispatch.performer import JobStarted, Report
from shared import hashing
from shared.errors import BlobMissing
from shared.keys import key_after_run
from shared.model.action import ActionResult, Log, Output, Timings, Trace
from shared.model.job import JobOrder, JobOutcome
from shared.storage.blobs import BlobStore
from shared.storage.results import Results

Script = Callable[[JobOrder], JobOutcome]


class ScriptedPerformer:
    """Each output of a job is the job's id and the digests of what it was given; a script may do otherwise.

    held: jobs whose outcome waits until `let_go`.
    """

    def __init__(self, blobs: BlobStore, results: Results, scripts: dict[str, Script] | None = None, *, slots: int = 2):
        self.blobs, self.results = blobs, results
        self.scripts = scripts or {}
        self.performed: list[str] = []
        self.batches: list[tuple[str, ...]] = []
        self.orders: list[JobOrder] = []
        self.cancelled = self.closed = self.stopped = False
        self.under_way = self.most_under_way = 0
        self._slots = slots
        self.held: dict[str, JobOrder] = {}
        self.hold: set[str] = set()

    def open(self, deliver: Callable[[Report], None]) -> None:
        self.deliver = deliver

    def slots(self) -> int:
        return self._slots

    def room(self) -> int:
        return 2 * self._slots

    def submit(self, orders: Sequence[JobOrder]) -> None:
        self.batches.append(tuple(order.job for order in orders))
        for order in orders:
            self.orders.append(order)
            self.performed.append(order.job)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            self.deliver(JobStarted(order.job, "w"))
            if order.job in self.hold:
                self.held[order.job] = order
            else:
                self.let_go(order)

    def let_go(self, order: JobOrder) -> None:
        self.under_way -= 1
        self.deliver(self.scripts.get(order.job, self.succeed)(order))

    def succeed(
        self, order: JobOrder, *, used: Sequence[str] = (), probes: Sequence[str] = (), text: str = ""
    ) -> JobOutcome:
        action = order.action
        lost = [item.hash for item in action.inputs if self._is_lost(item.hash)]
        if lost:
            return JobOutcome(order.job, order.attempt, "missing", missing=tuple(lost), worker="w")
        read = [
            f"{i.path}={i.hash}"
            for i in action.inputs
            if i.path in action.primary or i.path in used or i.path in action.extra
        ]
        outputs = []
        for path in action.outputs:
            data = f"{path}:{text or read}".encode()
            hash_ = hashing.of_bytes(data)
            self.blobs.put(hash_, data)
            outputs.append(Output(path, hash_, len(data)))
        traced = action.depfile is not None or bool(action.extra)
        trace = (
            Trace(tuple(sorted({*used, *(action.extra if action.depfile is None else ())})), tuple(probes), action.tree)
            if traced
            else None
        )
        result = ActionResult(
            key_after_run(action, trace), tuple(outputs), trace=trace, timings=Timings(run=1.0), worker="w"
        )
        self.results.put(result, replace=order.no_cache)
        return JobOutcome(order.job, order.attempt, "executed", result=result, worker="w", seconds=1.0)

    def _is_lost(self, hash_: str) -> bool:
        try:
            self.blobs.get(hash_)
        except BlobMissing:
            return True
        return False

    def after_failure(self, *, stop: bool) -> None:
        self.stopped = self.stopped or stop

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        self.closed = True


def fail(message: str = "", *, exit_code: int = 1, wanted: Sequence[str] = ()) -> Script:
    """A script that fails."""

    def script(order: JobOrder) -> JobOutcome:
        return JobOutcome(
            order.job,
            order.attempt,
            "failed",
            exit_code=exit_code,
            message=message,
            stderr=Log(text="it broke"),
            wanted=tuple(wanted),
            worker="w",
        )

    return script
