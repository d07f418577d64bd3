"""What a Python interpreter is, and which packages it has: asked once, and again when its folders change."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import msgspec

from coordinator.importers.pytests import program
from shared import toolchain
from shared.atomic import write_atomic
from shared.errors import LocalError, ToolMissing

SCHEMA = "windrow.interpreter/2"
_PATIENCE = 60.0  # seconds for an interpreter to say what it has


class Interpreter(msgspec.Struct, frozen=True):
    """digest: of version and packages. folders: where these lie. pytest: its version, empty without it.

    coverage: whether coverage.py is there.
    """

    digest: str
    folders: tuple[str, ...]
    pytest: str
    coverage: bool


class _Kept(msgspec.Struct, frozen=True):
    """What an interpreter answered, and what the file system said of it then: path to mtime and ctime in ns."""

    schema: str
    seen: dict[str, tuple[int, int]]
    answer: Interpreter


def interpreter(name: str, *, path: str, cache: Path) -> Interpreter:
    """What the interpreter of this name has; ToolMissing where there is none, or none that answers."""
    found = toolchain.which(name, path)
    if found is None:
        raise ToolMissing(
            f"tool {name} is not on this machine",
            at=name,
            why=f"PATH is {path or 'empty'}",
            fix="activate the environment that the tests run in, or set [tests] python",
        )
    kept_at = cache / f"interpreter-{''.join(c if c.isalnum() else '-' for c in found)}.json"
    kept = _load(kept_at)
    if kept is not None and kept.seen == _seen(found, kept.answer.folders):
        return kept.answer
    answer = _ask(name, found, path)
    kept = _Kept(SCHEMA, _seen(found, answer.folders), answer)
    with suppress(LocalError):  # it is asked again next time
        write_atomic(kept_at, msgspec.json.encode(kept), durable=False)
    return answer


def _load(path: Path) -> _Kept | None:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept if kept.schema == SCHEMA else None


def _seen(found: str, folders: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    beside = Path(found).parent.parent / "pyvenv.cfg"
    seen: dict[str, tuple[int, int]] = {}
    for path in (found, os.path.realpath(found), str(beside), *folders):
        try:
            status = Path(path).stat()
        except OSError:
            seen[path] = (0, 0)
        else:
            seen[path] = (status.st_mtime_ns, status.st_ctime_ns)
    return seen


def _ask(name: str, found: str, path: str) -> Interpreter:
    try:
        done = subprocess.run(
            [found, program.__file__, "--environment"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env={"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=_PATIENCE,
            check=True,
        )
        return msgspec.json.decode(done.stdout, type=Interpreter)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise ToolMissing(
            f"{name} does not say which packages it has", at=found, why=str(error), fix="set [tests] python"
        ) from error
