"""FarmPerformer: has jobs performed by the farm's workers, and sees to it that each ends exactly once.

Two threads: one reads the build's events, one publishes and looks at the farm twice a second. What is to be
done is decided by Delivery alone; the broker may be away for `broker_patience` seconds, or come back empty.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from coordinator.dispatch.delivery import Delivery, Started, Unserved, Worker
from coordinator.dispatch.link import FarmLink
from coordinator.dispatch.performer import JobStarted, Report, Warned, unforeseen
from coordinator.dispatch.takeover import Takeover
from shared import queue
from shared.clock import Clock, SystemClock
from shared.errors import BrokerUnavailable, NoWorker, WindrowError
from shared.model.job import JobOrder, JobOutcome
from shared.patience import LEAST
from shared.queue import Beat, Claimed, Ended, Refused, Returned
from shared.settings import FarmSettings
from shared.storage.blobs import BlobStore

LOOK_SECONDS = 0.5
BUDGET_SECONDS = 1.0  # a batch that takes longer gives back what it has not begun
BACK_OFF = (0.1, 0.2, 0.5, 1.0)  # seconds between tries while the broker is away
JOIN_SECONDS = 30.0

_log = logging.getLogger("windrow.farm")


class FarmPerformer:
    """See Performer. platform: what slots() counts workers for; tools: what workers fingerprint to find theirs.

    place: names the project and branch whose build lock is held. What a build of it that died has running is
    cancelled, and nothing is sent before that is over.

    Errors that end the build, delivered once: NoWorker after farm.worker_grace seconds without a live worker
    for a platform in use, BrokerUnavailable after farm.broker_patience seconds without the broker.
    """

    def __init__(
        self,
        settings: FarmSettings,
        *,
        build: str,
        place: str,
        platform: str,
        tools: Sequence[str],
        blobs: BlobStore,
        clock: Clock | None = None,
    ) -> None:
        self._farm, self._build, self._platform, self._tools = settings, build, platform, tuple(tools)
        self._clock: Clock = clock or SystemClock()
        self._link = FarmLink(
            settings.broker, build=build, place=place, blobs=blobs, patience=settings.broker_patience
        )
        self._delivery = Delivery(
            heartbeat=settings.heartbeat,
            grace=settings.worker_grace,
            lost_after=queue.MISSED_BEATS * settings.heartbeat,
        )
        self._takeover: Takeover | None = None  # None until the broker was asked; the sending thread's alone
        self._changed = threading.Condition()  # guards everything below and the delivery
        self._deliver: Callable[[Report], None] = lambda _: None
        self._threads: list[threading.Thread] = []
        self._beats: list[Beat] = []
        self._ended = False  # closed, cancelled or given up: nothing is delivered any more
        self._cancelled = False
        self._stopping = False  # nothing more is to begin
        # Who is without an answer since when. A broker that is full, or must not write, answers those who read even so.
        self._away: dict[str, float] = {}
        self._warned = 0  # how many of the delivery's warnings were passed on
        self._silent = False  # it did not answer for as long as anybody wants to wait

    def open(self, deliver: Callable[[Report], None]) -> None:
        """See Performer; a broker that does not answer is told by a report, in time."""
        self._deliver = deliver
        try:
            self._link.open(self._tools)
            self._takeover = self._take_over()
            self._beats = self._link.look([self._platform], self._tools).beats
        except BrokerUnavailable as error:
            self._missed("sending", error)
        for work in (self._send, self._read):
            name = f"windrow-farm-{work.__name__}"
            thread = threading.Thread(target=self._until_over, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def slots(self) -> int:
        """Slots of the live workers that serve the platform, at least 1."""
        with self._changed:
            return max(1, sum(b.slots for b in self._beats if self._platform in b.platforms and not b.stopping))

    def room(self) -> int:
        """See Performer: for each slot one that runs, one of which the outputs are being stored, and one that waits."""
        return 3 * self.slots()

    def submit(self, orders: Sequence[JobOrder]) -> None:
        """See Performer; returns at once."""
        with self._changed:
            if not self._ended and orders:
                self._delivery.add(orders, self._clock.monotonic())
                self._changed.notify_all()

    def after_failure(self, *, stop: bool) -> None:
        """See Performer; what workers have claimed runs, and that is a second's work of tiny jobs at most."""
        with self._changed:
            self._stopping = self._stopping or stop
            self._changed.notify_all()

    def cancel(self) -> None:
        """See Performer; workers see it at their next heartbeat, or when the build's marker lapses."""
        with self._changed:
            self._ended = self._cancelled = True
            self._delivery.forget()
            self._changed.notify_all()
        self._say(self._link.cancel, f"workers stop by themselves within {2 * queue.MARKER_LIFE} s")

    def close(self) -> None:
        """See Performer."""
        with self._changed:
            self._ended = True
            unfinished = self._cancelled or len(self._delivery) > 0
            self._changed.notify_all()
        if unfinished and not self._cancelled:
            self._say(self._link.cancel, f"workers stop by themselves within {2 * queue.MARKER_LIFE} s")
        self._say(self._link.wake, "its keys lapse by themselves")
        for thread in self._threads:
            thread.join(LEAST if self._silent else JOIN_SECONDS)
        self._say(lambda: self._link.clear(keep_marker=unfinished), "its keys lapse by themselves")
        if not any(thread.is_alive() for thread in self._threads):
            # One that still waits for a silent broker has nothing to do but end, and needs its connection for that.
            self._link.close()

    def _say(self, tell: Callable[[], None], otherwise: str) -> None:
        """Tell the broker something, unless it is known not to answer: then nobody waits for it again."""
        if self._silent:
            return
        try:
            tell()
        except BrokerUnavailable as error:
            self._silent = True
            _log.warning("%s; %s", error.what, otherwise)

    @property
    def resubmitted(self) -> int:
        """Jobs that were sent more than once."""
        with self._changed:
            return self._delivery.resubmitted

    def _until_over(self, work: Callable[[], None]) -> None:
        """Work in a thread; whatever else ends it ends the build, for nobody would do its part any more."""
        try:
            work()
        except WindrowError as error:  # such as orders that could not be stored
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - a bug here must end the build, not hang it
            self._give_up(unforeseen(error, "talking to the farm"))

    # -- the sending thread ------------------------------------------------------------------------

    def _send(self) -> None:
        look_at, tries = 0.0, 0
        while self._wait_for_work(look_at):
            try:
                self._take_back()
                self._publish()
                if self._clock.monotonic() >= look_at:
                    look_at = self._clock.monotonic() + LOOK_SECONDS
                    self._look()
                tries = 0
            except BrokerUnavailable as error:
                self._missed("sending", error)
                self._pause(BACK_OFF[min(tries, len(BACK_OFF) - 1)])
                tries += 1

    def _wait_for_work(self, look_at: float) -> bool:
        """Wait until there is something to publish or to look at; False when it is over."""
        with self._changed:
            while not self._ended:
                now = self._clock.monotonic()
                due = self._delivery.next_due() if self._may_send() else None
                until = look_at if due is None else min(look_at, due)
                if until <= now or self._stopping is not self._delivery.stopped:
                    return True
                self._changed.wait(until - now)
            return False

    def _may_send(self) -> bool:
        return self._takeover is not None and self._takeover.over()

    def _take_over(self) -> Takeover:
        dead = self._link.overtake()
        if dead:
            _log.warning("build %s never ended; what it has running is ended first", ", ".join(sorted(dead)))
        return Takeover(dead, self._clock.monotonic(), self._farm.heartbeat)

    def _publish(self) -> None:
        if not self._may_send():
            return
        with self._changed:
            parcels = self._delivery.due(self._clock.monotonic())
        if parcels:
            self._link.publish(parcels, BUDGET_SECONDS)
            with self._changed:
                self._delivery.sent((p.batch for p in parcels), self._clock.monotonic())
            self._heard("sending")

    def _take_back(self) -> None:
        """Once nothing more is to begin: end what no worker has claimed."""
        with self._changed:
            if not self._stopping:
                return
            dropped, sent = self._delivery.stop(), self._delivery.unclaimed()
        for outcome in dropped:
            self._report(outcome)
        if sent:
            revoked = self._link.revoke(sent)
            with self._changed:
                dropped = self._delivery.revoked(revoked)
            for outcome in dropped:
                self._report(outcome)

    def _look(self) -> None:
        if self._takeover is None:
            self._takeover = self._take_over()
        with self._changed:
            platforms = {self._platform, *self._delivery.platforms()}
        farm = self._link.look(platforms, self._tools)
        if not farm.known:
            _log.warning("the broker lost this build, or was asked after it too late; sending again what no worker has")
            self._link.reread()
        self._heard("sending", lost=not farm.known)
        self._takeover.look(self._clock.monotonic(), farm.beats)
        workers = {beat.id: self._worker(beat) for beat in farm.beats}
        with self._changed:
            self._beats = farm.beats
            found = self._delivery.look(self._clock.monotonic(), workers, farm.queued)
        self._warn()
        for item in found:
            if isinstance(item, Unserved):
                self._give_up(self._no_worker(item.platform))
            else:
                self._report(item)

    def _worker(self, beat: Beat) -> Worker:
        running = frozenset(r.batch for r in beat.running if r.build == self._build)
        return Worker(beat.slots, frozenset(() if beat.stopping else beat.platforms), running)

    # -- the reading thread ------------------------------------------------------------------------

    def _read(self) -> None:
        tries = 0
        while not self._over():
            try:
                events = self._link.events(queue.READ_SECONDS)
                tries = 0
            except BrokerUnavailable as error:
                self._missed("reading", error)
                self._pause(BACK_OFF[min(tries, len(BACK_OFF) - 1)])
                tries += 1
                continue
            self._heard("reading")
            for event in events:
                self._apply(event)

    def _apply(self, event: queue.Event) -> None:
        found: list[Started | JobOutcome] = []
        with self._changed:
            now = self._clock.monotonic()
            match event:
                case Claimed():
                    found += self._delivery.claimed(event.batch, event.worker, now)
                case Ended():
                    ended = (self._delivery.ended(event.batch, outcome, now) for outcome in event.outcomes)
                    found += [outcome for outcome in ended if outcome is not None]
                    self._changed.notify_all()
                case Returned():
                    self._delivery.returned(event.batch, event.jobs, now)
                    self._changed.notify_all()
                case Refused():
                    found += self._delivery.refused(event.batch, event.message, now)
                    self._changed.notify_all()
        self._warn()
        for item in found:
            self._report(item)

    # -- both ---------------------------------------------------------------------------------------

    def _report(self, item: Started | JobOutcome) -> None:
        if not self._over():
            self._deliver(JobStarted(item.job, item.worker) if isinstance(item, Started) else item)

    def _warn(self) -> None:
        """Pass on that a worker was lost, or that a job ran twice and made other bytes the second time."""
        with self._changed:
            news = self._delivery.warnings[self._warned :]
            self._warned += len(news)
        if not self._over():
            for text in news:
                self._deliver(Warned(text))

    def _give_up(self, error: WindrowError) -> None:
        with self._changed:
            first, self._ended = not self._ended, True
            self._changed.notify_all()
        if first:
            self._deliver(error)

    def _heard(self, who: str, *, lost: bool = False) -> None:
        """The broker did what one thread asked for."""
        with self._changed:
            if self._away.pop(who, None) is not None or lost:
                self._delivery.interrupted(self._clock.monotonic())

    def _missed(self, who: str, error: BrokerUnavailable) -> None:
        """The broker did not do it."""
        with self._changed:
            now = self._clock.monotonic()
            if not self._away:
                _log.warning("%s (%s); waiting for it", error.what, error.why)
            # Not since it last answered: this machine may have stood still since then.
            silent = now - self._away.setdefault(who, now)
        if silent >= self._farm.broker_patience:
            self._silent = True
            error.what = f"the broker has {'refused' if error.refused else 'not answered'} for {silent:.0f} s"
            how = "mend" if error.refused else "start"
            error.fix = f"{how} the broker and build again: finished jobs are kept (windrow doctor)"
            self._give_up(error)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended, seconds)

    def _over(self) -> bool:
        with self._changed:
            return self._ended

    def _no_worker(self, platform: str) -> NoWorker:
        with self._changed:
            beats = list(self._beats)
        lines = [_offer(beat, self._tools) for beat in beats]
        return NoWorker(
            f"no worker takes jobs of platform {platform}",
            at=queue.redacted(self._farm.broker),
            why="; ".join(lines) if lines else f"no worker is connected (waited {self._farm.worker_grace:g} s)",
            fix=f"give a worker the same tools as this machine; for a pinned fingerprint: worker --platform {platform}"
            if lines
            else "start one: windrow worker, or windrow farm up",
        )


def _offer(beat: Beat, tools: Sequence[str]) -> str:
    if beat.stopping:
        return f"worker {beat.id} is stopping"
    unfit = beat.unfit.get(queue.toolset(tools))
    offers = ", ".join(beat.platforms) or "nothing"
    return f"worker {beat.id} offers {offers}" + (f" ({unfit})" if unfit else "")
