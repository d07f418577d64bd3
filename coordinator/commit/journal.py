"""The journal of a transaction on the working copy: every step with its way back, durable before the first step."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

import msgspec

from shared import atomic, canonical, errors, hashing
from shared.errors import LocalError
from shared.model.file import Mode
from shared.process import Process

SCHEMA = "windrow.journal/1"


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One path: written from `staged` (absolute) so that it holds `hash`, or removed if `staged` is empty.

    backup: absolute path that holds what was there before; `existed` tells whether there was anything.
    """

    path: str
    hash: str
    backup: str
    staged: str = ""
    mode: Mode = "file"
    existed: bool = False


class Journal(msgspec.Struct, frozen=True):
    """A transaction under way. made: folders that it creates, parents first."""

    build: str
    process: Process
    steps: tuple[Step, ...]
    made: tuple[str, ...] = ()
    schema: str = SCHEMA


def read(path: Path) -> Journal | None:
    """The journal, None when there is none; LocalError when it cannot be read."""
    try:
        journal = msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.named(error, path, "reading") from error
    except msgspec.MsgspecError as error:
        raise _unreadable(path, str(error)) from error
    if journal.schema != SCHEMA:
        raise _unreadable(path, f"its schema is {journal.schema!r}")
    return journal


def _unreadable(path: Path, why: str) -> LocalError:
    return LocalError(
        f"the journal {path} cannot be read",
        at=str(path),
        why=why,
        fix=f"remove it; outputs that are half in place are found and written again (backups: {path.parent / 'stage'})",
    )


def write(path: Path, journal: Journal) -> None:
    """Write a journal so that it outlasts a power cut; LocalError."""
    atomic.write_atomic(path, canonical.encode(journal), durable=True)


def forward(root: Path, step: Step, temporary: str) -> None:
    """Do a step that is not done yet, keeping what it replaces; OSError. May be repeated."""
    # Strings, for this is done for every output of a build.
    target, backup = f"{root}/{step.path}", step.backup
    if not step.staged:
        if holds(Path(target), step.hash):
            _move(target, backup, f"{backup}.part")
        return
    if not os.path.lexists(step.staged):
        return
    if step.existed and not os.path.lexists(backup) and os.path.lexists(target):
        _keep(target, backup)
    _move(step.staged, target, target + temporary)


def back(root: Path, step: Step, temporary: str) -> None:
    """Undo a step, if it was done; OSError. Leaves alone what someone else has put there since. May be repeated."""
    target, backup = root / step.path, step.backup
    ours = step.staged != "" and holds(target, step.hash)
    if os.path.lexists(target) and not ours:
        return
    if os.path.lexists(backup):
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(backup, str(target), f"{target}{temporary}")
    elif ours and not step.existed:
        target.unlink()


def done(root: Path, step: Step) -> bool:
    """Whether a step is done, or can still be done."""
    if not step.staged or os.path.lexists(step.staged):
        return True
    return holds(root / step.path, step.hash)


def holds(path: Path, hash_: str) -> bool:
    """Whether a path is a file or symlink of this content; OSError when it cannot be read."""
    try:
        if path.is_symlink():
            return hashing.of_bytes(os.fsencode(path.readlink())) == hash_
        return path.is_file() and hashing.of_file(path)[0] == hash_
    except (FileNotFoundError, NotADirectoryError):
        return False


def _keep(target: str, backup: str) -> None:
    try:
        os.link(target, backup, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        part = Path(f"{backup}.part")
        shutil.copy2(target, part, follow_symlinks=False)
        part.replace(backup)


def _move(source: str, target: str, temporary: str) -> None:
    """Rename, or across file systems copy beside the target and rename there."""
    try:
        os.replace(source, target)  # noqa: PTH105 - as a string
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = Path(temporary)
        try:
            shutil.copy2(source, part, follow_symlinks=False)
            if not part.is_symlink():
                _sync(part)
            part.replace(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    # A rename between two names of one file leaves both.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(source)  # noqa: PTH108 - as a string


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
