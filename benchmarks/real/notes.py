"""What each engine has done of a project so far, kept in a file: a run that was stopped is gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.real.comparing import Tree
from benchmarks.real.engines import Ran


class Left(NamedTuple):
    """A case: what was executed, and what lies in the build folder afterwards."""

    ran: Ran
    tree: Tree


class _Begun(NamedTuple):
    """A case whose change is made, and what was run of it; no run yet: None."""

    case: str
    ran: Ran | None


class _Notes(msgspec.Struct):
    targets: list[str]
    edges: int
    left: dict[str, dict[str, Left]] = {}
    begun: dict[str, _Begun] = {}


class Notes:
    """The notes in `path`; targets and edges are those of the configured project.

    Engines take turns with one folder: it is that of the engine that began last.
    """

    def __init__(self, path: Path, notes: _Notes) -> None:
        self._path, self._notes = path, notes
        self.targets, self.edges = tuple(notes.targets), notes.edges

    @classmethod
    def begin(cls, path: Path, targets: tuple[str, ...], edges: int) -> Notes:
        """Of a project that was configured just now."""
        notes = cls(path, _Notes(list(targets), edges))
        notes._write()
        return notes

    @classmethod
    def read(cls, path: Path) -> Notes:
        """Those of an earlier run; FileNotFoundError without one."""
        return cls(path, msgspec.json.decode(path.read_bytes(), type=_Notes))

    def known(self, engine: str) -> bool:
        """Whether the engine has begun, so that the folder is as it left it."""
        return engine in self._notes.begun

    def left(self, engine: str) -> dict[str, Left]:
        """The engine's cases that came to their end."""
        return dict(self._notes.left.get(engine, {}))

    def begun(self, engine: str, case: str) -> bool:
        """Whether the case's change is made."""
        begun = self._notes.begun.get(engine)
        return begun is not None and begun.case == case

    def change_made(self, engine: str, case: str) -> None:
        """The case's change is made, and nothing was run of it yet."""
        self._notes.begun[engine] = _Begun(case, None)
        self._write()

    def ran(self, engine: str, ran: Ran) -> Ran:
        """A run of the case that is begun; it and those before it as one."""
        case, before = self._notes.begun[engine]
        whole = before.then(ran) if before else ran
        self._notes.begun[engine] = _Begun(case, whole)
        self._write()
        return whole

    def ended(self, engine: str, left: Left) -> None:
        """The case that is begun came to its end."""
        self._notes.left.setdefault(engine, {})[self._notes.begun[engine].case] = left
        self._write()

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self._notes))
        new.replace(self._path)
