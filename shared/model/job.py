"""JobOrder and JobOutcome: what travels between coordinator and worker, whichever way."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.model.action import Action, ActionResult, Log


class JobOrder(msgspec.Struct, frozen=True):
    """One job to perform: its id in the build, which try this is, the action and its time limit in seconds.

    looked: when a result was last looked for and none was there, in seconds since the epoch; 0 if it was not.
    kept: later builds may take its result instead of a run. carried: bytes of small inputs by digest, which the store
    has as well, but only since a moment ago. wanted: the build is to have its outputs, and not only to know of them.
    no_cache: no stored result may stand for it. again: it runs because of stored bytes that are gone, so that what it
    makes is stored whatever a store is believed to have.
    """

    build: str
    job: str
    attempt: int
    action: Action
    timeout: float
    no_cache: bool = False
    again: bool = False
    looked: float = 0.0
    kept: bool = True
    carried: dict[str, bytes] = {}
    wanted: bool = True


Status = Literal["executed", "reused", "failed", "missing", "lost", "dropped"]


class JobOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of one try.

    executed: ran, exit code 0, outputs stored; `result` is set. reused: a result was already there.
    failed: the command failed, timed out, or broke its promise; `message` says how. missing: blobs that
    the action names are not in the store (`missing`, by digest). lost: the machine failed, not the job.
    dropped: it was not begun, and the build starts nothing more.
    wanted: relative paths a failed command named as not found, in no fixed place of the tree; or paths that one which
    succeeded says it has read and was not given. marks: the last digits of the digests of what its trace has beyond the
    tree, where that is another machine's. carried: bytes of small outputs by digest, which are in the store as well.
    interrupted: it failed because a signal ended it by which people end what runs (SIGINT, SIGTERM, SIGHUP).
    """

    job: str
    attempt: int
    status: Status
    result: ActionResult | None = None
    exit_code: int = 0
    message: str = ""
    stdout: Log = Log()
    stderr: Log = Log()
    missing: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    marks: str = ""
    worker: str = ""
    seconds: float = 0.0
    bytes_up: int = 0
    bytes_down: int = 0
    carried: dict[str, bytes] = {}
    interrupted: bool = False
