"""The one Celery task: decode, perform, report."""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery

from shared import queue
from shared.envelope import read_envelope
from shared.errors import CorruptRecord
from workers.batch import BatchRunner

_log = logging.getLogger("windrow.worker")


def register(app: Celery, runner: BatchRunner) -> None:
    """Have an application's task performed by `runner`."""

    def perform(envelope: Any, orders: str) -> None:
        try:
            checked = read_envelope(envelope)
        except CorruptRecord as error:
            _log.error("dropped a message: %s (%s)", error.what, error.why)
            return
        runner.run(checked, orders)

    app.task(name=queue.TASK, ignore_result=True)(perform)
