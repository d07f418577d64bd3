"""Printed: what a run printed, read once and stored once."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from shared.model.action import Log
from workers.execute.logs import log_of, printed
from workers.execute.showincludes import parse_showincludes
from workers.execute.slot import Ended
from workers.ticket import Ticket

_NO_SPACE = os.strerror(errno.ENOSPC).encode()
_INTERRUPTS = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
_NOT_FOUND, _NOT_RUNNABLE, _TIMED_OUT, _KILLED = 127, 126, 124, 128  # as shells and timeout(1) have them


class Printed:
    """files: of the two streams. roots: where the command may have thought its tree to be. moved: bytes, afar."""

    def __init__(self, ticket: Ticket, files: Iterable[Path], ended: Ended, roots: tuple[str, ...]) -> None:
        self._ticket, self._cut, self._roots = ticket, ended.cut, roots
        known_as = ticket.order.action.root
        self._data = tuple(printed(path, [root for root in roots if root != known_as], known_as) for path in files)
        # The headers that lines of it name, where lines do; nobody need read these.
        self.named: tuple[str, ...] = ()
        if prefix := ticket.order.action.notes:
            found = [parse_showincludes(os.fsdecode(data), prefix) for data in self._data]
            self.named = tuple(dict.fromkeys(path for headers, _ in found for path in headers))
            self._data = tuple(os.fsencode(rest) for _, rest in found)
        self._logs: tuple[Log, Log] | None = None
        self.moved = 0

    def logs(self) -> tuple[Log, Log]:
        """Both streams, stored."""
        if self._logs is None:
            self._logs = (self._log(0), self._log(1))
        return self._logs

    @property
    def whole(self) -> bool:
        """Whether all that it printed was kept."""
        return not any(self._cut)

    def lacked_space(self, ended: Ended) -> bool:
        """Whether it says so, or was killed for writing into a mapped file what there was no space for."""
        return ended.signal == signal.SIGBUS or any(_NO_SPACE in data for data in self._data)

    def _log(self, stream: int) -> Log:
        ticket = self._ticket
        log, moved = ticket.patiently(lambda: log_of(self._data[stream], self._cut[stream], ticket.workshop.blobs))
        self.moved += moved
        return log

    def wanted(self, complaint: str) -> tuple[str, ...]:
        """The files it, or we, complained about and it was not given."""
        from workers.execute.hints import wanted  # noqa: PLC0415 - most jobs complain of nothing

        action = self._ticket.order.action
        given = {item.path for item in action.inputs}
        texts = (complaint, *(data.decode("utf-8", "replace") for data in reversed(self._data)))
        found = dict.fromkeys(path for text in texts for path in wanted(text, self._roots, action.cwd))
        return tuple(path for path in found if path not in given)


def interrupted(ended: Ended) -> bool:
    """Whether somebody ended a command as people end what they do not want to go on; a time limit is nobody.

    A shell whose last command ended so says it by its exit code; as in ninja, that counts for Ctrl-C alone.
    """
    if ended.timed_out or ended.error:
        return False
    return ended.signal in _INTERRUPTS or ended.exit_code == _KILLED + signal.SIGINT


def complaint(program: str, timeout: float, ended: Ended) -> tuple[int, str]:
    """The exit code and the words for a command that did not succeed."""
    if ended.error and ended.error_errno == errno.ENOENT:
        script = ", or the program its first line names is not" if "/" in program else ""
        return _NOT_FOUND, f"{program}: not found{script}"
    if ended.error:
        return _NOT_RUNNABLE, f"{program}: {ended.error[:1].lower()}{ended.error[1:]}"
    if ended.timed_out:
        return _TIMED_OUT, f"it took longer than its time limit of {timeout:g} s"
    if ended.signal:
        return _KILLED + ended.signal, f"killed by {signal.Signals(ended.signal).name}"
    return ended.exit_code, f"exit code {ended.exit_code}"
