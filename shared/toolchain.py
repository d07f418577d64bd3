"""What the tools of this machine are: a fingerprint of their content, with a stat cache in front.

The fingerprint is part of every action key and names the queue that a worker serves. Two machines with
the same bytes under the same tool names have the same one, wherever the tools lie.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from shared import hashing
from shared.commands import programs
from shared.errors import ToolMissing, UnreadableFile
from shared.model.path import basename
from shared.settings import Rule

_SCHEMA = "windrow.toolchain/1"
_DIGITS = 16
# Compiler drivers do their work through these.
_PARTS = ("cc1", "cc1plus", "as", "ld", "collect2")
_DRIVER = re.compile(r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-\d+(?:\.\d+)*)?")
_PATIENCE = 20.0  # seconds for a driver to say where a part is
_RACY_NS = 50_000_000  # a file changed this shortly before it was hashed may change again without a trace


class Tool(NamedTuple):
    """Where a tool really lies, and the digest of its bytes."""

    path: str
    hash: str


class Toolchain(NamedTuple):
    """The fingerprint (`linux-x86_64-<16 hex>`, without digits when there are no tools), and what it is made of."""

    fingerprint: str
    tools: Mapping[str, Tool]

    def identity(self, names: Iterable[str]) -> str:
        """What some of the tools are, with the parts of those that are compiler drivers: `linux-x86_64-<64 hex>`."""
        wanted = frozenset(names)
        own = sorted((name, tool.hash) for name, tool in self.tools.items() if name.partition(":")[0] in wanted)
        return f"{system()}-{hashing.bare(hashing.of_value(own))}"


class _Known(msgspec.Struct, array_like=True, frozen=True):
    """A file's stat signature when it had a digest: mtime and ctime in ns, size, inode, device."""

    mtime: int
    ctime: int
    size: int
    inode: int
    device: int
    hash: str


class _Cache(msgspec.Struct):
    """What was learnt before: digests by path, and parts by driver's digest."""

    schema: str = _SCHEMA
    files: dict[str, _Known] = {}
    drivers: dict[str, dict[str, str]] = {}


def fingerprint(tools: Sequence[str], *, cache: Path | None, path: str) -> Toolchain:
    """The fingerprint of these tools (names looked up on `path`, or absolute paths).

    Raises ToolMissing for a tool that is not there, UnreadableFile for one that cannot be read. Files whose
    stat signature is in the cache are not read again, and no process is started for drivers it knows.
    """
    if not tools:
        return Toolchain(system(), {})
    look = _Look(cache, path)
    found: dict[str, Tool] = {}
    for name in sorted(set(tools)):
        tool = look.tool(name)
        found[name] = tool
        for part, where in look.parts(name, tool):
            found[f"{name}:{part}"] = where
    look.save()
    digest = hashing.of_value([(name, tool.hash) for name, tool in sorted(found.items())])
    return Toolchain(f"{system()}-{hashing.bare(digest)[:_DIGITS]}", found)


def system() -> str:
    """Operating system and architecture, e.g. `linux-x86_64`."""
    uname = os.uname()
    return f"{uname.sysname.lower()}-{uname.machine.lower()}"


def named_by(rules: Iterable[Rule]) -> set[str]:
    """The programs that rules' commands name, on the path or not."""
    return {name for rule in rules for name in programs(rule.command) if "{" not in name}


def tools_of(rules: Iterable[Rule], path: str) -> tuple[str, ...]:
    """The tools that rules' commands name and that are on `path`, sorted; a best effort."""
    return tools_of_commands((rule.command for rule in rules), path)


def tools_of_commands(commands: Iterable[Sequence[str] | str], path: str) -> tuple[str, ...]:
    """As tools_of, for commands: lists, texts run by `sh -c`, or lists that run `sh -c`."""
    names = {name for command in commands for name in programs(command)}
    return tuple(sorted(name for name in names if "/" not in name and "{" not in name and which(name, path)))


def which(name: str, path: str) -> str | None:
    """The program a shell would run for a name, or None."""
    found = [name] if "/" in name else [f"{folder}/{name}" for folder in path.split(os.pathsep)]
    for program in found:
        # A relative folder of PATH means another program in every directory.
        if program.startswith("/") and os.access(program, os.X_OK) and Path(program).is_file():
            return program
    return None


class _Look:
    """One look at the tools, with what earlier looks learnt."""

    def __init__(self, cache: Path | None, path: str) -> None:
        self._cache_path, self._path = cache, path
        self._before = _load(cache)
        self._now = _Cache(files={}, drivers={})
        self._fresh: set[str] = set()

    def tool(self, name: str) -> Tool:
        """A tool by name."""
        program = which(name, self._path)
        if program is None:
            raise ToolMissing(
                f"tool {name} is not on this machine",
                at=name,
                why=f"PATH is {self._path or 'empty'}",
                fix=f"install {name}, or take it out of [toolchain] tools",
            )
        return self._hashed(os.path.realpath(program))

    def _hashed(self, real: str) -> Tool:
        try:
            status = Path(real).stat()
            known = self._now.files.get(real) or self._before.files.get(real)
            if known is None or known != _signed(status, known.hash):
                known = _signed(status, hashing.of_file(real)[0])
                self._fresh.add(real)
        except OSError as error:
            raise UnreadableFile(f"tool {real} cannot be read: {error.strerror}", at=real) from error
        self._now.files[real] = known
        return Tool(real, known.hash)

    def parts(self, name: str, tool: Tool) -> Iterator[tuple[str, Tool]]:
        """The programs a compiler driver runs; none for other tools."""
        if not (_DRIVER.fullmatch(basename(name)) or _DRIVER.fullmatch(basename(tool.path))):
            return
        # The name counts: one driver, or a wrapper, may be several by the name it is called by.
        key = f"{tool.hash} {basename(name)}"
        answers = self._before.drivers.get(key)
        if answers is None:
            answers = _ask(which(name, self._path) or tool.path, self._path)
            self._fresh.add(key)
        self._now.drivers[key] = answers
        for part, answer in answers.items():
            where = which(answer, self._path)
            if where is not None:
                yield part, self._hashed(os.path.realpath(where))

    def save(self) -> None:
        """Keep what was learnt now for the next look, if there is anything new."""
        if self._cache_path is None or not self._fresh:
            return
        _store(self._cache_path, self._before, self._now)


def _signed(status: os.stat_result, hash_: str) -> _Known:
    return _Known(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev, hash_)


def _ask(driver: str, path: str) -> dict[str, str]:
    """Where a driver finds its parts, as it says; nothing for a driver that does not answer."""
    import subprocess  # noqa: PLC0415 - not needed, and not loaded, while the cache knows

    answers: dict[str, str] = {}
    for part in _PARTS:
        try:
            done = subprocess.run(
                [driver, f"-print-prog-name={part}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd="/",
                env={"PATH": path, "LC_ALL": "C"},
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            # No driver after all; its own bytes are in the fingerprint.
            return {}
        answer = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode == 0 and answer and "\n" not in answer:
            answers[part] = answer
    return answers


def _load(path: Path | None) -> _Cache:
    """What an earlier look left; an unreadable or unknown cache is an empty one."""
    if path is None:
        return _Cache(files={}, drivers={})
    try:
        cache = msgspec.json.decode(path.read_bytes(), type=_Cache)
    except (OSError, msgspec.MsgspecError):
        return _Cache(files={}, drivers={})
    return cache if cache.schema == _SCHEMA else _Cache(files={}, drivers={})


def _store(path: Path, before: _Cache, now: _Cache) -> None:
    """Replace the cache file; without room or right for it the next look only takes longer."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(b"")
        # The file system's own idea of now: a file that changed just before may change again within one tick.
        settled = temporary.stat().st_mtime_ns - _RACY_NS
        files = before.files | now.files
        files = {name: known for name, known in files.items() if max(known.mtime, known.ctime) < settled}
        temporary.write_bytes(msgspec.json.encode(_Cache(files=files, drivers=before.drivers | now.drivers)))
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
