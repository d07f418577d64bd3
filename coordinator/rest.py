"""Rest: what the file system said of everything a build looked at when there was nothing to do.

While it says the same there is still nothing to do, and no file needs to be opened and no graph to be made. A cache
of this workspace, never the truth: whatever it cannot clear is looked at in full. Format: docs/design/rest.md.

Only what Python has at hand is imported: a build with nothing to do is over before anything else could be loaded.
"""

from __future__ import annotations

import marshal
import os
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping

try:
    from _blake2 import blake2b  # hashlib takes longer to load than all else here together
except ImportError:
    from hashlib import blake2b

SCHEMA = 5
FILE, NAMED = "rest", "rest-targets"
_PREFIXES = ("WINDROW_", "AWS_")
_OTHERS = ("PATH", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")

# ctime (ns) and inode: no write, rename, change of mode or setting back of times leaves both as they were.
Seen = tuple[int, int]
ABSENT: Seen = (-1, -1)


def typed(folder: str, targets: Iterable[str]) -> str:
    """Targets as somebody typed them in a folder, in one text: equal texts ask for equal things. Empty for none."""
    words = "\0".join(targets)
    return f"{os.path.realpath(folder)}\0{words}" if words else ""


def look(path: str) -> Seen:
    """What the file system says of a path, symlinks not followed."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    return status.st_ctime_ns, status.st_ino


def environment(environ: Mapping[str, str], more: Iterable[str] = ()) -> bytes:
    """A digest of the variables that can change what a build does: some hold secrets, which no file may."""
    wanted = {*_OTHERS, *more}
    found = (f"{name}={environ[name]}" for name in sorted(environ) if name in wanted or name.startswith(_PREFIXES))
    return blake2b("\0".join(found).encode("utf-8", "surrogateescape"), digest_size=32).digest()


def store(
    path: str,
    question: str,
    root: str,
    seen: Mapping[str, Seen],
    told: Mapping[str, object],
    names: tuple[str, ...],
    environ: Mapping[str, str],
) -> None:
    """Keep that there was nothing to do; `seen`: paths relative to root, or absolute, as they were when looked at.

    question: what was asked for. told: what is to be said next time. names: more variables that count. OSError.
    """
    payload = marshal.dumps(
        (
            SCHEMA,
            sys.version,
            question,
            root,
            names,
            environment(environ, names),
            dict(told),
            "\0".join(seen),
            array("q", [one[0] for one in seen.values()]).tobytes(),
            array("q", [one[1] for one in seen.values()]).tobytes(),
        )
    )
    temporary = f"{path}.tmp.{os.getpid()}"
    with open(temporary, "wb", opener=_ours_alone) as file:
        file.write(zlib.crc32(payload).to_bytes(4, "big") + payload)
    os.replace(temporary, path)  # noqa: PTH105


def _ours_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def holds(path: str, question: str | None, environ: Mapping[str, str]) -> dict[str, object] | None:
    """What to say if there is still nothing to do, else None; without a question, if it was the plain one."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            data = file.read()
    except OSError:
        return None
    payload = memoryview(data)[4:]
    if zlib.crc32(payload) != int.from_bytes(data[:4], "big"):
        return None
    try:
        kept = marshal.loads(payload)  # noqa: S302 - this user's own file, whole by its checksum
        schema, version, asked, root, more, variables, told, names, times, inodes = kept
    except (ValueError, EOFError, TypeError):
        return None
    if (schema, version) != (SCHEMA, sys.version) or environment(environ, more) != variables:
        return None
    if question != asked if question is not None else not told.get("plain"):
        return None
    if not _same(root, names.split("\0"), times, inodes):
        return None
    answer: dict[str, object] = told
    return answer


def _same(root: str, names: list[str], times: bytes, inodes: bytes) -> bool:
    """Whether all paths are as they were; the shortest way to say it, for there may be a million."""
    then, which = array("q"), array("q")
    then.frombytes(times)
    which.frombytes(inodes)
    lstat = os.lstat
    try:
        here = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False  # this folder is gone
    try:
        os.chdir(root)
        for name, ctime, inode in zip(names, then, which, strict=True):
            try:
                status = lstat(name)
            except OSError:
                if ctime == -1:
                    continue
                return False
            if status.st_ctime_ns != ctime or status.st_ino != inode:
                return False
    except OSError:
        return False
    finally:
        os.fchdir(here)
        os.close(here)
    return True
