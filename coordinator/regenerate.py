"""Has a build file made anew by its own edge (CMake, Meson) before anything else is looked at.

ninja goes by times. Here what the inputs held when it last ran decides; before that is known, times do.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec

from coordinator.imported import ImportedBuild
from coordinator.importers.ninja.manifest import Edge
from shared import atomic
from shared.errors import BuildFailed, LocalError

SCHEMA = "windrow.generator/1"
_FILE = "generator.json"
_MOST = 20  # times in a row

Say = Callable[[str], None]


class _Kept(msgspec.Struct, frozen=True):
    """What the inputs held when the build file was last known to be up to date."""

    schema: str
    inputs: dict[str, str]


class Regeneration:
    """The edge that makes the build file, if there is one. Changes nothing but through `run`."""

    def __init__(self, imported: ImportedBuild) -> None:
        self._imported = imported
        self._state = imported.settings.state_dir / _FILE
        self._folder = imported.settings.root / imported.ninja.cwd

    def due(self) -> str:
        """Why the build file must be made anew; empty when it need not."""
        edge = self._imported.generator()
        if edge is None:
            return ""
        inputs = self._inputs(edge)
        gone = next((path for path, digest in inputs.items() if not digest), None)
        if gone is not None:
            return f"{gone} is not there"
        kept = self._kept()
        if kept is not None:
            changed = [path for path in inputs if kept.inputs.get(path) != inputs[path]]
            return f"{changed[0]} changed" if changed else ""
        made = self._imported.file.stat().st_mtime_ns
        newer = next((path for path in inputs if self._time(path) > made), None)
        if newer is not None:
            return f"{newer} is newer"
        self._keep(inputs)
        return ""

    def run(self, say: Say) -> bool:
        """Make it anew as often as it takes; whether it was. BuildFailed when the command fails."""
        for done in range(_MOST):
            why = self.due()
            if not why:
                return done > 0
            edge = self._imported.generator()
            assert edge is not None
            say(f"{self._imported.manifest.description(edge) or 'making the build file anew'} ({why})")
            before = self._inputs(edge)
            self._execute(edge)
            self._imported.forget()
            after = self._imported.generator()
            self._keep(self._read(before, self._inputs(after) if after is not None else {}))
        raise BuildFailed(
            f"{self._imported.ninja.file} is still out of date after {_MOST} runs of its generator",
            why=self.due(),
            fix="see whether a time lies in the future, or a file is written each time",
        )

    def _read(self, before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
        """What it is taken to have read: what was there when it began; what changed meanwhile makes it run again.

        But for what it has itself written into the build folder, as Meson does: that is not newer than the build file.
        """
        made = self._imported.file.stat().st_mtime_ns
        folder = f"{self._folder}{os.sep}"
        own = {path for path in after if path.startswith(folder) and after[path] and self._time(path) <= made}
        return {**after, **{path: digest for path, digest in before.items() if path not in own}}

    def _execute(self, edge: Edge) -> None:
        command = self._imported.manifest.command(edge)
        try:
            # Its output is for whoever watches; it may ask for nothing.
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=self._folder, stdin=subprocess.DEVNULL, stdout=2, check=False
            )
        except OSError as error:
            raise LocalError(f"the build file cannot be made anew: {error}", at=edge.at) from error
        if done.returncode:
            raise BuildFailed(
                f"making {self._imported.ninja.file} anew failed with exit code {done.returncode}",
                at=edge.at,
                why=f"the command was: {command}",
                fix="what it printed is above",
            )

    def _inputs(self, edge: Edge) -> dict[str, str]:
        digests: dict[str, str] = {}
        for name in (*edge.inputs, *edge.implicit):
            path = os.path.normpath(self._folder / name)
            digests[path] = self._imported.beyond.fresh(path)
        return digests

    def _time(self, path: str) -> int:
        return Path(path).stat().st_mtime_ns

    def _kept(self) -> _Kept | None:
        try:
            kept = msgspec.json.decode(self._state.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError):
            return None
        return kept if kept.schema == SCHEMA else None

    def _keep(self, inputs: dict[str, str]) -> None:
        atomic.write_atomic(self._state, msgspec.json.encode(_Kept(SCHEMA, inputs)), durable=False)
        self._imported.beyond.save()
