"""Has a build file made anew by its own edges (CMake, Meson, GN) before anything else is looked at.

ninja goes by times. Here what the inputs held when an edge last ran decides; before that is known, and where somebody
else has made the build file since (`cmake ..`, or for another configuration of the same folder), times do. An edge also
reads what its depfile names: GN's says nothing else of the files it was made from.

An edge that needs what is never there runs once a build, as with ninja: CMake has one look whether a GLOB with
CONFIGURE_DEPENDS still finds the same files, and touch its output if not. So of such an edge the time is what counts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from coordinator.imported.build import ImportedBuild
from coordinator.importers.ninja.edges import Edge
from shared import atomic
from shared.depfile import dependencies
from shared.errors import LocalError, RemakingFailed, named

SCHEMA = "windrow.generator/3"
_FILE = "generator.json"
_MOST = 20  # times in a row
_KILLED = 128  # what shells add to the number of the signal that ended a command

# Told what is about to be done, why, and by which command; where it is to print to: descriptor 1 or 2.
Say = Callable[[str, str, str], int]
Digests = dict[str, str]


class _Kept(msgspec.Struct, frozen=True):
    """What the inputs of each edge, by its first output, held when it was last known to be up to date.

    made: the time of that output then.
    """

    schema: str
    edges: dict[str, Digests]
    made: dict[str, int] = {}


class _Pass:
    """What was done since the build file was last made.

    ran: edges that always run and had their turn. pending: edges for which one of those touched something, and what.
    """

    def __init__(self) -> None:
        self.ran: set[str] = set()
        self.pending: dict[str, str] = {}


class Regeneration:
    """The edges that make the build file, if there are any. Changes nothing but through `run`."""

    def __init__(self, imported: ImportedBuild) -> None:
        self._imported = imported
        self._state = imported.settings.state_dir / _FILE
        self._folder = imported.settings.root / imported.ninja.cwd
        self._times: dict[str, int] = {}

    def due(self, *, keep: bool = True) -> str:
        """Why the build file must be made anew, empty when it need not; keep: note what inputs hold, if nothing is."""
        found = self._next(None, keep=keep)
        return found[1] if found is not None else ""

    def asks(self) -> bool:
        """Whether an edge must run before anybody can say whether the build file is up to date."""
        return any(map(self._always, self._imported.manifest.makers()))

    def _next(self, now: _Pass | None, *, keep: bool = True) -> tuple[Edge, str] | None:
        """The first edge that is out of date, and why; without a pass, none that always runs."""
        kept, seen, news = self._kept(), dict[str, Digests](), False
        for edge in self._imported.manifest.makers():
            if always := self._always(edge):
                if now is None or _name(edge) in now.ran:
                    continue
                return edge, f"{always} is not there"
            known = kept.get(_name(edge))
            inputs, why = self._inputs(edge, known), ""
            if inputs is None:
                why = f"{edge.all_outputs[0]} has no depfile"
            else:
                other = known is not None and self._times.get(_name(edge)) != self._made(edge)
                touched = now.pending.get(_name(edge), "") if now is not None else ""
                why = touched or self._why(edge, inputs, None if other else known)
                seen[_name(edge)] = inputs
                news = news or other or known is None
            if why:
                return edge, why
        if keep and news:
            self._keep({**kept, **seen})
        return None

    def _why(self, edge: Edge, inputs: Digests, known: Digests | None) -> str:
        missing = (path for path in edge.all_outputs if not self._at(path).exists())
        gone = next((path for path, digest in inputs.items() if not digest), None) or next(missing, None)
        if gone is not None:
            return f"{gone} is not there"
        if known is not None:
            changed = next((path for path, digest in inputs.items() if known.get(path) != digest), None)
            return f"{changed} changed" if changed is not None else ""
        made = max(map(self._time, edge.all_outputs))
        newer = next((path for path in inputs if self._time(path) > made), None)
        return f"{newer} is newer" if newer is not None else ""

    def run(self, say: Say) -> bool:
        """Make it anew as often as it takes; whether it was. BuildFailed when the command fails."""
        now, anew = _Pass(), False
        for _ in range(_MOST * max(1, len(self._imported.manifest.makers()))):
            found = self._next(now)
            if found is None:
                return anew
            edge, why = found
            command = self._imported.manifest.command(edge)
            stream = say(self._imported.manifest.description(edge) or command, why, command)
            if self._always(edge):
                anew = self._ask(edge, stream, now) or anew
                continue
            kept = self._kept()
            before = self._inputs(edge, kept.get(_name(edge))) or {}
            self._execute(edge, stream)
            self._imported.forget()
            self._note(_name(edge), before, kept)
            now.pending.pop(_name(edge), None)
            anew = True
            if self._imported.manifest.files[0] in edge.all_outputs:
                now = _Pass()
        raise RemakingFailed(
            f"{self._imported.ninja.file} still dirty after {_MOST} runs of its generator",
            why=self.due(),
            fix="see whether a time lies in the future, or a file is written each time",
        )

    def _ask(self, edge: Edge, stream: int, now: _Pass) -> bool:
        """Run an edge that always runs; what needs an output that it touched is out of date.

        Whether it made a file that the build file includes.
        """
        before = {path: self._moment(path) for path in edge.all_outputs}
        self._execute(edge, stream)
        now.ran.add(_name(edge))
        touched = {path for path, moment in before.items() if self._moment(path) != moment}
        for other in self._imported.manifest.makers() if touched else ():
            if path := next(filter(touched.__contains__, self._named(other)), ""):
                now.pending[_name(other)] = f"{path} was made anew"
        included = not touched.isdisjoint(self._imported.manifest.files)
        if included:
            self._imported.forget()
        return included

    def _note(self, name: str, before: Digests, kept: dict[str, Digests]) -> None:
        """Keep what an edge has read, which has just run."""
        edge = next((one for one in self._imported.manifest.makers() if _name(one) == name), None)
        if edge is None:
            after: Digests = {}
        else:
            # What it names now, be it by another depfile or none: what it named before counts no more.
            read = self._inputs(edge, None)
            after = {} if read is None else read
            if (depfile := self._depfile(edge)) and self._imported.manifest.deps(edge):
                with contextlib.suppress(FileNotFoundError):
                    self._at(depfile).unlink()
        self._keep({**kept, name: self._read(before, after, edge.all_outputs if edge is not None else ())})

    def _read(self, before: Digests, after: Digests, outputs: Iterable[str]) -> Digests:
        """What it is taken to have read: what was there when it began; what changed meanwhile makes it run again.

        But for what it has itself written into the build folder, as Meson does: that is not newer than the build file.
        """
        there = (path for path in (*outputs, str(self._imported.file)) if self._at(path).exists())
        made = max(map(self._time, there), default=0)
        folder = f"{self._folder}{os.sep}"
        own = {path for path in after if path.startswith(folder) and after[path] and self._time(path) <= made}
        return {**after, **{path: digest for path, digest in before.items() if path not in own and path in after}}

    def _execute(self, edge: Edge, stream: int) -> None:
        command = self._imported.manifest.command(edge)
        rspfile = self._prepare(edge)
        try:
            # Its output is for whoever watches; it may ask for nothing.
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=self._folder, stdin=subprocess.DEVNULL, stdout=stream, check=False
            )
        except OSError as error:
            raise LocalError(f"the build file cannot be made anew: {error}", at=edge.at) from error
        code = done.returncode if done.returncode >= 0 else _KILLED - done.returncode
        if code:
            failed = RemakingFailed(
                f"making {self._imported.ninja.file} anew failed with exit code {code}",
                at=edge.at,
                why=f"the command was: {command}",
                fix="what it printed is above",
            )
            failed.outputs, failed.command, failed.ended_with = edge.all_outputs, command, code
            failed.interrupted = code == _KILLED + signal.SIGINT or -done.returncode in (signal.SIGTERM, signal.SIGHUP)
            raise failed
        if rspfile:
            self._at(rspfile).unlink(missing_ok=True)

    def _prepare(self, edge: Edge) -> str:
        """Make the folders and the response file that ninja would; the path of that, if there is one."""
        manifest = self._imported.manifest
        rspfile, depfile = manifest.rspfile(edge), manifest.depfile(edge)
        try:
            for path in (*edge.all_outputs, *((depfile,) if depfile else ())):
                self._at(path).parent.mkdir(parents=True, exist_ok=True)
            if rspfile:
                self._at(rspfile).write_bytes(os.fsencode(manifest.rspfile_content(edge)))
        except OSError as error:
            raise named(error, error.filename or self._folder, "writing") from error
        return rspfile

    def _inputs(self, edge: Edge, known: Digests | None) -> Digests | None:
        """What the inputs of an edge hold; None if it should have a depfile and what that said is not known."""
        manifest, paths = self._imported.manifest, self._named(edge)
        if depfile := self._depfile(edge):
            try:
                text = self._at(depfile).read_text("utf-8", "replace")
            except FileNotFoundError:
                if known is None or not manifest.deps(edge):
                    return None
                paths += known  # ninja too takes in what such a depfile says, and removes it
            except OSError as error:
                raise named(error, self._at(depfile), "reading") from error
            else:
                paths += dependencies(text)
        places = dict.fromkeys(os.path.normpath(self._folder / path) for path in paths)
        return {path: self._imported.beyond.fresh(path) for path in places}

    def _named(self, edge: Edge) -> list[str]:
        """The inputs of an edge, with what phony ones stand for in their place."""
        phony = {path: one for one in self._imported.manifest.ancestry() if one.phony for path in one.outputs}
        found: dict[str, None] = {}
        waiting = [*edge.inputs, *edge.implicit][::-1]
        seen = set(waiting)
        while waiting:
            path = waiting.pop()
            stands = phony.get(path)
            if stands is None or not stands.all_inputs:
                found[path] = None
                continue
            more = [one for one in (*stands.inputs, *stands.implicit) if one not in seen]
            seen.update(more)
            waiting += more
        return list(found)

    def _always(self, edge: Edge) -> str:
        """What an edge needs that never comes to be: a phony edge without inputs stands for it, and no file; or "".

        None of what makes the build file itself: that is read anew, and then names another file or none.
        """
        if self._imported.manifest.files[0] in edge.all_outputs:
            return ""
        stand = (one for one in self._imported.manifest.ancestry() if one.phony and not one.all_inputs)
        empty = {path for one in stand for path in one.outputs}
        return next((path for path in self._named(edge) if path in empty and not self._at(path).exists()), "")

    def _depfile(self, edge: Edge) -> str:
        return self._imported.manifest.depfile(edge)

    def _at(self, path: str) -> Path:
        return self._folder / path

    def _time(self, path: str) -> int:
        return self._at(path).stat().st_mtime_ns

    def _made(self, edge: Edge) -> int:
        """When somebody last made the first output of an edge; 0 if nobody did."""
        return self._moment(_name(edge))

    def _moment(self, path: str) -> int:
        try:
            return self._time(path)
        except OSError:
            return 0

    def _kept(self) -> dict[str, Digests]:
        self._times = {}
        try:
            kept = msgspec.json.decode(self._state.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError):
            return {}
        if kept.schema != SCHEMA:
            return {}
        self._times = kept.made
        return kept.edges

    def _keep(self, edges: dict[str, Digests]) -> None:
        made = {_name(edge): self._made(edge) for edge in self._imported.manifest.makers()}
        kept = _Kept(SCHEMA, edges, {name: made[name] for name in edges if name in made})
        atomic.write_atomic(self._state, msgspec.json.encode(kept), durable=False)
        self._imported.beyond.save()


def _name(edge: Edge) -> str:
    return edge.all_outputs[0]
